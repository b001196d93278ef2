"""Effective protection against what reclaim really took, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.check import Check
from memwarden.rules.protection import Exposure, effective_protections, exposure
from memwarden.units import Max

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.recordings import Recording

MIB = 1 << 20
SLACK = 2 * MIB
"""A round of reclaim (SWAP_CLUSTER_MAX pages per priority and CPU) and what CPUs charged in advance."""


def check_protection(recording: Recording) -> Iterator[Check]:
    """Three statements per scenario with protected cache, each in the words of the kernel's own rule.

    While there is unprotected cache left, the protected cgroup keeps its effective protection. Above it, it
    gives way as the kernel's LRU says: in proportion, or as if it had none (MGLRU of 6.1 and 6.12). And when
    nothing else is left, memory.low is taken after all, memory.min is not.
    """
    row = recording.scenario
    trail = recording.result.get("trail")
    if not trail:
        return
    path = next(proc.group for proc in row.procs if proc.name == "kept")
    snapshot = recording.before
    protection = effective_protections(snapshot, row.limit or "/")[path]
    limit = max(protection.low_bytes, protection.min_bytes)
    assert not isinstance(limit, Max)
    yield _floor(trail, limit, _held(recording))
    yield _share(recording, trail, exposure(trail[0]["kept"], protection, snapshot.traits), limit)
    yield _at_the_end(trail, limit, is_min=protection.min_bytes > 0)


def _floor(trail: list[dict[str, int]], limit: int, held: int) -> Check:
    """As long as the unprotected sibling has cache to give, usage stays at the protection."""
    least = min(step["kept"] for step in trail if step["bare"] > held + 6 * MIB)
    return Check("protection", least >= limit - SLACK, f"kept {least >> 20} of {limit >> 20} MiB protected")


def _held(recording: Recording) -> int:
    """What the unprotected sibling cannot give: everything but its page cache."""
    path = next(proc.group for proc in recording.scenario.procs if proc.name == "bare")
    cgroup = recording.before.cgroups[path]
    assert cgroup.stat is not None
    assert cgroup.current_bytes is not None
    return cgroup.current_bytes - cgroup.stat["file"]


def _share(recording: Recording, trail: list[dict[str, int]], rule: Exposure, limit: int) -> Check:
    """How much the protected cgroup gave for every page of the unprotected one, halfway down."""
    start = trail[0]
    halfway = (start["kept"] + limit) // 2
    step = next((s for s in trail if s["kept"] <= halfway), trail[-1])
    gave, other = start["kept"] - step["kept"], start["bare"] - step["bare"]
    ratio = gave / max(other, 1)
    whole = rule is Exposure.WHOLE
    ok = ratio > 0.75 if whole else ratio < 0.75
    return Check(
        "protection",
        ok,
        f"rule {rule.value} (mglru {recording.result['mglru']}): gave {ratio:.2f} of its sibling's",
    )


def _at_the_end(trail: list[dict[str, int]], limit: int, *, is_min: bool) -> Check:
    least = min(step["kept"] for step in trail)
    if is_min:
        return Check("protection", least >= limit - SLACK, f"memory.min to the end: {least >> 20} MiB left")
    events = trail[-1].get("low_events", 0)
    ok = least < limit - SLACK and events > 0
    return Check(
        "protection", ok, f"memory.low as a last resort: {least >> 20} MiB left, {events} low events"
    )
