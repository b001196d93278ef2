"""``why`` as the JSON documents ``memwarden.why/1`` and, with ``--list``, ``memwarden.why_list/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.guard.record import Decision
from memwarden.guard.written import plain
from memwarden.present import explain_json, incident_json, ledger_json, why_incident
from memwarden.present.status_json import closed
from memwarden.state.snapshot import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.present.why_incident import Incident
    from memwarden.present.why_stories import Story

SCHEMA = "memwarden.why/1"
LIST_SCHEMA = "memwarden.why_list/1"


def document(story: Story) -> dict[str, Any]:
    """One decision, what came of it, and what was done to the same victim shortly before and after."""
    first, *later = story.documents
    return {
        "schema": SCHEMA,
        "decision": first,
        "later": later,
        "before": [plain(one) for one in story.before],
        "after": [plain(one) for one in story.after],
        "incident": None,
        "verdicts": [],
    }


def incident_document(incident: Incident) -> dict[str, Any]:
    """A kill of the kernel's, without a decision of ours."""
    found = why_incident.document(incident)
    return {"schema": SCHEMA, "decision": None, "later": [], "before": [], "after": [], **found}


def listed(entries: Iterable[tuple[str, Instant, str]]) -> dict[str, Any]:
    """What there is to ask about, the latest first."""
    found = [{"id": key, "at": plain(at), "message": said} for key, at, said in entries]
    return {"schema": LIST_SCHEMA, "entries": found}


def schema() -> dict[str, Any]:
    """JSON Schema of one decision."""
    later = {"anyOf": [_part(ledger_json.result()), _part(ledger_json.outcome())]}
    properties = {
        "schema": {"const": SCHEMA},
        "decision": {"anyOf": [_part(ledger_json.decision()), {"type": "null"}]},
        "later": {"type": "array", "items": later, "description": "results and outcomes, in order"},
        "before": {
            "type": "array",
            "items": closed(ledger_json.properties(Decision)),
            "description": "earlier decisions about the same victim, the latest first",
        },
        "after": {
            "type": "array",
            "items": closed(ledger_json.properties(Decision)),
            "description": "later decisions about the same victim, the earliest first",
        },
        "incident": {"anyOf": [_part(incident_json.schema()), {"type": "null"}]},
        "verdicts": {
            "type": "array",
            "items": explain_json.schema()["properties"]["incidents"]["items"],
            "description": "what the kernel's own reports say, as memwarden explain has it",
        },
    }
    return _schema("What memwarden why --format json prints", properties)


def list_schema() -> dict[str, Any]:
    """JSON Schema of the list."""
    text = {"type": "string"}
    entry = closed({"id": text, "at": ledger_json.of_type(Instant), "message": text})
    properties = {"schema": {"const": LIST_SCHEMA}, "entries": {"type": "array", "items": entry}}
    return _schema("What memwarden why --list --format json prints", properties)


def _part(whole: dict[str, Any]) -> dict[str, Any]:
    """A document's schema as a part of another's."""
    return {key: value for key, value in whole.items() if key != "$schema"}


def _schema(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **closed(properties),
    }
