"""The schemas of the ledger's documents, made of the types of the records that they are written from."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from memwarden.guard.ledger import DECISION, OUTCOME, RESULT, TROUBLE
from memwarden.guard.record import Decision
from memwarden.guard.victims import Result
from memwarden.guard.written import KINDS, PAIRS
from memwarden.present.status_json import closed
from memwarden.state.intents import Outcome, Target
from memwarden.state.snapshot import Instant
from memwarden.units import Max

PLAIN: Final = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    NoneType: {"type": "null"},
    Max: {"const": "max"},
}


def of_type(hint: Any) -> dict[str, Any]:
    """The schema of what :func:`memwarden.guard.written.plain` makes of a value of this type."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return {"anyOf": [of_type(one) for one in get_args(hint)]}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is tuple:
        return {"type": "array", "items": of_type(get_args(hint)[0])}
    return closed(properties(hint)) if hasattr(hint, "_fields") else dict(PLAIN[hint])


def properties(record: type) -> dict[str, Any]:
    """The properties of a record's object."""
    kind: dict[str, Any] = {"kind": {"const": KINDS[record]}} if record in KINDS else {}
    hints = get_type_hints(record, localns={"Target": Target})
    return kind | {name: _pairs(hint) if name in PAIRS else of_type(hint) for name, hint in hints.items()}


def _pairs(hint: Any) -> dict[str, Any]:
    _, value = get_args(get_args(hint)[0])
    return {"type": "object", "additionalProperties": of_type(value)}


def decision() -> dict[str, Any]:
    """A decision with the outcomes that its intents had at once."""
    more = {"dry": PLAIN[bool], **properties(Decision), "outcomes": of_type(tuple[Outcome, ...])}
    return _document(DECISION, "A decision of the guard, as a line of its ledger", more)


def outcome() -> dict[str, Any]:
    """What became of an intent later."""
    more = {"decision": PLAIN[str], "outcome": of_type(Outcome)}
    return _document(OUTCOME, "What became later of an intent of a decision", more)


def result() -> dict[str, Any]:
    """What came of a decision."""
    more = {**properties(Result), "text": PLAIN[str]}
    return _document(RESULT, "Whether a decision's victim is gone, and what that freed", more)


def trouble() -> dict[str, Any]:
    """What went wrong with the guard itself."""
    return _document(TROUBLE, "What went wrong with the guard itself", {})


def _document(name: str, title: str, more: dict[str, Any]) -> dict[str, Any]:
    head = {
        "schema": {"const": name},
        "boot_id": PLAIN[str],
        "at": of_type(Instant),
        "message": {**PLAIN[str], "description": "it in one line"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": "Memory is in bytes, time in microseconds; max is an unlimited limit.",
        **closed(head | more),
    }
