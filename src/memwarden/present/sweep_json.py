"""A sweep as the JSON document ``memwarden.sweep/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.present.status_json import closed
from memwarden.sim.sweep import SEED, knee, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.ir import Policy
    from memwarden.sim.scenario import Scenario
    from memwarden.sim.sweep import Point, Sweep

SCHEMA: Final = "memwarden.sweep/1"


def document(
    scenario: Scenario, policy: Policy | None, swept: Sweep, points: Sequence[Point]
) -> dict[str, Any]:
    """The document. ``knee`` and ``nobody_dies_from`` are numbers of points, null where there is none."""
    ordered = swept.key != SEED
    return {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "policy": None if policy is None else policy.name,
        "key": swept.key,
        "wanted": len(swept.values),
        "points": [one._asdict() for one in points],
        "knee": knee(points) if ordered else None,
        "nobody_dies_from": safe(points) if ordered else None,
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    text, count, maybe = {"type": "string"}, {"type": "integer"}, {"type": ["integer", "null"]}
    point = closed(
        {
            "value": count, "text": text, "stalled_us": count, "throttled_us": count, "full_us": count,
            "lost": {"type": ["number", "null"]}, "kills": count,
            "deaths": {"type": "array", "items": text},
        }
    )  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden simulate --sweep and --seeds --format json print",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "scenario": text,
                "policy": {"type": ["string", "null"]},
                "key": text,
                "wanted": count,
                "points": {"type": "array", "items": point},
                "knee": maybe,
                "nobody_dies_from": maybe,
            }
        ),
    }
