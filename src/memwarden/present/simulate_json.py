"""A simulation as the JSON document ``memwarden.simulate/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.present.status_json import closed
from memwarden.sim.result import Kind, Usage
from memwarden.sim.summary import GUARD, KERNEL, SUPERVISOR, lost, summary
from memwarden.sim.words.render import render
from memwarden.units import limit_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.result import GroupSample, Result, Sample, Work

SCHEMA: Final = "memwarden.simulate/1"


def document(runs: Sequence[tuple[str, Result]], notes: Sequence[str] = ()) -> dict[str, Any]:
    """The document: each run with what makes it different from the others."""
    return {"schema": SCHEMA, "runs": [_run(label, one) for label, one in runs], "notes": list(notes)}


def _run(label: str, result: Result) -> dict[str, Any]:
    found = summary(result)
    return {
        "label": label,
        "scenario": result.scenario.name,
        "toml": render(result.scenario),
        "duration_us": result.scenario.duration_us,
        "seed": result.scenario.seed,
        "deaths": [one._asdict() for one in found.deaths],
        "kills": found.kills,
        "panic_us": found.panic_us,
        "stalled_us": found.stalled_us,
        "throttled_us": found.throttled_us,
        "full_us": found.full_us,
        "lost_share": found.lost,
        "groups": [{**one._asdict(), "limit_bytes": limit_json(one.limit_bytes)} for one in found.groups],
        "programs": [_work(one) for one in result.work],
        "events": [{**one._asdict(), "kind": one.kind.value} for one in result.events],
        "decisions": [one._asdict() for one in result.notes],
        "counters": result.counters,
        "samples": [_sample(one) for one in result.samples],
    }


def _work(work: Work) -> dict[str, Any]:
    return {**work._asdict(), "lost_share": lost(work)}


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        **sample._asdict(),
        "groups": {path: _group(one) for path, one in sample.groups.items()},
    }


def _group(group: GroupSample) -> dict[str, Any]:
    plain: dict[str, Any] = {
        name: limit_json(value) for name, value in group._asdict().items() if name != "usage"
    }
    return {"usage": {**group.usage._asdict(), "total": group.usage.total}, **plain}


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    text, count = {"type": "string"}, {"type": "integer"}
    number = {"type": "number"}
    limit = {"oneOf": [{"type": "integer"}, {"const": "max"}]}
    maybe = {
        "type": ["number", "null"],
        "description": "0 to 1 of what was asked for; null: nothing was, or it died when all was moved",
    }
    some_us = {"type": ["integer", "null"]}
    peak = {"type": "integer", "description": "memory.peak: the most there was, between samples too"}

    def several(item: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": item}

    death = closed(
        {
            "program": text, "cgroup": text, "by": {"enum": [KERNEL, GUARD, SUPERVISOR]},
            "first_us": count, "last_us": count, "processes": count, "held_bytes": count,
        }
    )  # fmt: skip
    group = closed(
        {"path": text, "peak_bytes": peak, "limit_bytes": limit, "stalled_us": count, "full_us": count}
    )
    work = closed(
        {
            "program": text, "cgroup": text, "moved_bytes": count, "wanted_bytes": count, "requests": count,
            "requests_due": count, "p50_us": some_us, "p99_us": some_us, "max_us": some_us,
            "stalled_us": count, "throttled_us": count, "refaulted_bytes": count,
            "swapped_in_bytes": count, "deaths": count, "restarts": count, "lost_share": maybe,
        }
    )  # fmt: skip
    event = closed(
        {
            "time_us": count, "kind": {"enum": [one.value for one in Kind]}, "cgroup": text,
            "program": text, "pid": count, "amount_bytes": count, "detail": text,
            "swap_bytes": count,
        }
    )  # fmt: skip
    usage = closed({**dict.fromkeys(Usage._fields, count), "total": count})
    member = closed(
        {
            "usage": usage, "min_bytes": limit, "low_bytes": limit, "high_bytes": limit,
            "max_bytes": limit, "some_us": count, "full_us": count,
        }
    )  # fmt: skip
    sample = closed(
        {
            "time_us": count, "free_bytes": count, "available_bytes": count, "swap_free_bytes": count,
            "some_us": count, "full_us": count, "some_avg10": number, "full_avg10": number,
            "groups": {"type": "object", "additionalProperties": member},
        }
    )  # fmt: skip
    run = closed(
        {
            "label": text, "scenario": text, "toml": text, "duration_us": count, "seed": count,
            "deaths": several(death), "kills": count, "panic_us": some_us, "stalled_us": count,
            "throttled_us": count, "full_us": count, "lost_share": maybe, "groups": several(group),
            "programs": several(work), "events": several(event),
            "decisions": several(closed({"time_us": count, "id": text, "rule": text, "text": text})),
            "counters": {
                "type": "object",
                "description": "memory.events by cgroup",
                "additionalProperties": {"type": "object", "additionalProperties": count},
            },
            "samples": several(sample),
        }
    )  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden simulate --format json prints",
        **closed({"schema": {"const": SCHEMA}, "runs": several(run), "notes": several(text)}),
    }
