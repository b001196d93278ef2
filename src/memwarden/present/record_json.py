"""What ``record`` wrote, as the JSON document ``memwarden.record/1``, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.present.status_json import closed
from memwarden.state.gaps import GapReason
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from memwarden.state.snapshot import Snapshot

SCHEMA = "memwarden.record/1"


def document(file: str, size_bytes: int | None, snapshots: int, last: Snapshot) -> dict[str, Any]:
    """The document; counts of cgroups and processes, and the gaps, are those of the last snapshot."""
    return {
        "schema": SCHEMA,
        "file": file,
        "bytes": size_bytes,
        "snapshots": snapshots,
        "cgroups": len(last.cgroups),
        "processes": len(last.processes),
        "cgroup_mode": last.cgroup_mode.value,
        "gaps": [{"path": gap.path, "reason": gap.reason.value, "detail": gap.detail} for gap in last.gaps],
    }


def schema() -> dict[str, Any]:
    """JSON Schema of the document."""
    count = {"type": "integer", "minimum": 0}
    gap = closed(
        {
            "path": {"type": "string"},
            "reason": {"enum": [reason.value for reason in GapReason]},
            "detail": {"type": "string"},
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What memwarden record --format json prints",
        **closed(
            {
                "schema": {"const": SCHEMA},
                "file": {"type": "string"},
                "bytes": {"type": ["integer", "null"]},
                "snapshots": count,
                "cgroups": count,
                "processes": count,
                "cgroup_mode": {"enum": [mode.value for mode in CgroupMode]},
                "gaps": {"type": "array", "items": gap},
            }
        ),
    }
