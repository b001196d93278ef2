"""``status`` as the JSON document ``memwarden.status/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.fields import STATUS, Field, Kind, Unit
from memwarden.present import gaps_text
from memwarden.units import limit_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.present.status_rows import StatusRow
    from memwarden.state.snapshot import Snapshot

SCHEMA = "memwarden.status/1"


def document(snapshot: Snapshot, rows: Iterable[StatusRow]) -> dict[str, Any]:
    """The document. What is not known is null; an unlimited limit is the string ``max``."""
    return {
        "schema": SCHEMA,
        "host": host(snapshot),
        "machine": _machine(snapshot),
        "cgroups": [{field.name: limit_json(getattr(row, field.name)) for field in STATUS} for row in rows],
        "gaps": [
            {"path": gap.path, "reason": gap.reason.value, "detail": gap.detail} for gap in snapshot.gaps
        ],
        "notes": gaps_text.plain(snapshot),
    }


def host(snapshot: Snapshot) -> dict[str, Any]:
    """Which machine, when, and which hierarchy."""
    return {
        "name": snapshot.host.hostname,
        "kernel": snapshot.host.kernel_release,
        "boot_id": snapshot.host.boot_id,
        "cgroup_mode": snapshot.cgroup_mode.value,
        "page_size_bytes": snapshot.traits.page_size_bytes,
        "monotonic_us": snapshot.instant.monotonic_us,
        "wall_us": snapshot.instant.wall_us,
    }


def _machine(snapshot: Snapshot) -> dict[str, Any]:
    meminfo = snapshot.meminfo or {}
    psi = snapshot.memory_pressure
    some, full = (None, None) if psi is None else psi
    return {
        "ram_bytes": meminfo.get("MemTotal"),
        "free_bytes": meminfo.get("MemFree"),
        "available_bytes": meminfo.get("MemAvailable"),
        "swap_total_bytes": meminfo.get("SwapTotal"),
        "swap_free_bytes": meminfo.get("SwapFree"),
        "memory_some_avg10_pct": None if some is None else some.avg10_pct,
        "memory_some_total_us": None if some is None else some.total_us,
        "memory_full_avg10_pct": None if full is None else full.avg10_pct,
        "memory_full_total_us": None if full is None else full.total_us,
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document, from the field registry."""
    number = {"type": ["integer", "null"]}
    word = {"type": ["string", "null"]}
    share = {"type": ["number", "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden status --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "host": host_schema(),
                "machine": closed(
                    {
                        "ram_bytes": number,
                        "free_bytes": number,
                        "available_bytes": number,
                        "swap_total_bytes": number,
                        "swap_free_bytes": number,
                        "memory_some_avg10_pct": share,
                        "memory_some_total_us": number,
                        "memory_full_avg10_pct": share,
                        "memory_full_total_us": number,
                    }
                ),
                "cgroups": {
                    "type": "array",
                    "items": closed({field.name: of_field(field) for field in STATUS}),
                },
                "gaps": {"type": "array", "items": closed(dict.fromkeys(("path", "reason", "detail"), word))},
                "notes": {"type": "array", "items": {"type": "string"}},
            }
        ),
    }


def host_schema() -> dict[str, Any]:
    """The schema of :func:`host`."""
    word = {"type": ["string", "null"]}
    return closed(
        {
            "name": word,
            "kernel": word,
            "boot_id": word,
            "cgroup_mode": {"enum": ["v2", "v1", "hybrid", "none"]},
            "page_size_bytes": {"type": "integer"},
            "monotonic_us": {"type": "integer"},
            "wall_us": {"type": ["integer", "null"]},
        }
    )


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def of_field(field: Field) -> dict[str, Any]:
    """The schema of one figure of the registry."""
    about = {"description": f"{field.help} ({field.unit.value})" if field.unit.value else field.help}
    if field.kind is Kind.TEXT:
        return {"type": ["string", "null"], **about}
    if field.kind is Kind.LIMIT:
        return {"anyOf": [{"type": ["integer", "null"]}, {"const": "max"}], **about}
    return {"type": ["number" if field.unit is Unit.PERCENT else "integer", "null"], **about}
