"""The schema of ``incident.json``, what a guard puts aside when something dies."""

from __future__ import annotations

from typing import Any

from memwarden.present import ledger_json
from memwarden.present.status_json import closed
from memwarden.state.snapshot import Instant


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    text, word, count = {"type": "string"}, {"type": ["string", "null"]}, {"type": "integer"}
    death = closed(
        {
            "by": {"enum": ["guard", "kernel"]},
            "cgroup": word,
            "pid": {"type": ["integer", "null"]},
            "decision": {**word, "description": "the guard's decision that it died of"},
            "count": {**count, "description": "processes, where the kernel counts them"},
        }
    )
    parts = {
        name: {"type": "array", "items": {key: one for key, one in whole.items() if key != "$schema"}}
        for name, whole in (("decisions", ledger_json.decision()), ("results", ledger_json.result()))
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden guard puts aside when something dies",
        **closed(
            {
                "schema": {"const": "memwarden.incident/1"},
                "id": text,
                "boot_id": text,
                "at": ledger_json.of_type(Instant),
                "message": text,
                "deaths": {"type": "array", "items": death},
                **parts,
            }
        ),
    }
