"""``explain`` as the JSON document ``memwarden.explain/1``, and its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from memwarden.present.explain_keys import INCIDENT, Key, Shape, shaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import Incident

SCHEMA: Final = "memwarden.explain/1"
_INCIDENT: Final = Shape(INCIDENT)


def document(incidents: Iterable[Incident]) -> dict[str, Any]:
    """The document: null for what the text does not say, the string ``max`` for an unlimited limit."""
    return {"schema": SCHEMA, "incidents": [incident_document(incident) for incident in incidents]}


def incident_document(incident: Incident) -> dict[str, Any]:
    """One incident of the document."""
    found: dict[str, Any] = shaped(_INCIDENT, incident)
    return found


def text(incidents: Iterable[Incident]) -> Iterator[str]:
    """The document as text, piece by piece as incidents come, which need not be kept.

    A key a line, a task a line: to be searched with line tools, and as fast as the encoder allows. Bytes
    that are not UTF-8 stand as lone surrogates, escaped.
    """
    yield f'{{\n  "schema": "{SCHEMA}",\n  "incidents": ['
    separator = "\n"
    for incident in incidents:
        yield separator + _incident_text(incident_document(incident))
        separator = ",\n"
    yield "]\n}\n" if separator == "\n" else "\n  ]\n}\n"


def _incident_text(incident: dict[str, Any]) -> str:
    return "    " + _object_text(incident, "    ")


def _object_text(values: dict[str, Any], indent: str) -> str:
    lines = [f'{indent}  "{key}": {_value_text(key, value, indent + "  ")}' for key, value in values.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _value_text(key: str, value: Any, indent: str) -> str:
    if key == "verdict":
        return _object_text(value, indent)
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    if isinstance(value[0], dict):
        # One call for all rows. No string of theirs can hold a row's start: its quote would be escaped.
        start = f'{{"{next(iter(value[0]))}": '
        rows = json.dumps(value)[1:-1].replace(f"}}, {start}", f"}},\n{indent}  {start}")
    else:
        rows = f",\n{indent}  ".join(json.dumps(one) for one in value)
    return f"[\n{indent}  {rows}\n{indent}]"


def schema() -> dict[str, Any]:
    """JSON Schema of the document, from the same table of keys."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden explain --format json prints",
        "description": "Memory is in bytes; null is what the text does not say.",
        **_closed({"schema": {"const": SCHEMA}, "incidents": _schema_of(Shape(INCIDENT, many=True))}),
    }


def _schema_of(shape: Shape) -> dict[str, Any]:
    found = _closed({key.name: _schema_of_key(key) for key in shape.keys})
    if shape.many:
        return {"type": "array", "items": found}
    return {"anyOf": [found, {"type": "null"}]} if shape.or_null else found


def _schema_of_key(key: Key) -> dict[str, Any]:
    kind = _schema_of(key.kind) if isinstance(key.kind, Shape) else key.kind
    return {**kind, "description": key.about} if key.about else dict(kind)


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
