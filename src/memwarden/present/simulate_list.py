"""The named scenarios, and what each shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.present.status_json import closed
from memwarden.present.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.scenario import Scenario

SCHEMA = "memwarden.scenarios/1"


def text(scenarios: Sequence[Scenario], *, width: int) -> str:
    """A line or two for each."""
    wide = max(len(one.name) for one in scenarios)
    lines = [line for one in scenarios for line in wrap(one.text, width, first=f"{one.name:<{wide}}  ")]
    return "\n".join(lines) + "\n"


def document(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "schema": SCHEMA,
        "scenarios": [
            {"name": one.name, "text": one.text, "duration_us": one.duration_us} for one in scenarios
        ],
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    one = closed({"name": {"type": "string"}, "text": {"type": "string"}, "duration_us": {"type": "integer"}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden simulate --list --format json prints",
        **closed({"schema": {"const": SCHEMA}, "scenarios": {"type": "array", "items": one}}),
    }
