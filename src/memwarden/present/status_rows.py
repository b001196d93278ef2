"""What ``status`` knows of each cgroup: one record per cgroup, its fields named by the registry."""

from collections.abc import Mapping
from typing import NamedTuple, cast

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.rules.headroom import Headroom, Headrooms, Level
from memwarden.rules.protection import Protection, effective_protections
from memwarden.rules.reclaimable import MACHINE
from memwarden.state.cgroup import Cgroup
from memwarden.state.delta import CgroupDelta, SnapshotDelta
from memwarden.state.snapshot import Snapshot
from memwarden.units import MAX, Limit, Max


class StatusRow(NamedTuple):
    """One cgroup. Names, units and meanings are those of :data:`memwarden.fields.STATUS`."""

    path: str
    usage_bytes: int | None
    max_bytes: Limit | None
    high_bytes: Limit | None
    effective_limit_bytes: Limit | None
    limited_by: str | None
    effective_min_bytes: Limit | None
    effective_low_bytes: Limit | None
    reclaimable_bytes: int | None
    headroom_bytes: Limit | None
    effective_headroom_bytes: Limit | None
    headroom_at: str | None
    left_pct: float | None
    swap_bytes: int | None
    swap_max_bytes: Limit | None
    memory_some_avg10_pct: float | None
    memory_full_avg10_pct: float | None
    events_high: int | None
    events_max: int | None
    events_oom: int | None
    events_oom_kill: int | None
    events_oom_group_kill: int | None


def rows(snapshot: Snapshot, root: str = MACHINE, since: SnapshotDelta | None = None) -> dict[str, StatusRow]:
    """The cgroup ``root`` and all below it, by path, pre-order.

    With ``since``, events are its increments.
    Cgroups without the memory controller have no figures of their own and are left out, except ``root``.
    """
    headrooms = Headrooms(snapshot)
    protections = _Protections(snapshot)
    return {
        cgroup.path: _row(snapshot, cgroup, headrooms, protections, since)
        for cgroup in snapshot.subtree(root)
        if cgroup.current_bytes is not None or cgroup.path == root
    }


class _Protections:
    """Effective protection as seen from the limits above; worked out once per limit."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._seen_from: dict[str, dict[str, Protection]] = {}

    def of(self, path: str, headroom: Headroom) -> Protection | None:
        """What holds against the tightest level above ``path``; against its own limit nothing does."""
        above = [
            level for level in headroom.levels if level.path != path and level.effective_bytes is not None
        ]
        if not above:
            return None
        target = min(above, key=lambda level: level.effective_bytes or 0).path
        if target not in self._seen_from:
            self._seen_from[target] = effective_protections(self._snapshot, target)
        return self._seen_from[target].get(path)


def _row(
    snapshot: Snapshot,
    cgroup: Cgroup,
    headrooms: Headrooms,
    protections: _Protections,
    since: SnapshotDelta | None,
) -> StatusRow:
    headroom = headrooms.of(cgroup.path)
    limit, limited_by = _effective_limit(headroom)
    ladder = headrooms.ladder(cgroup.path)
    protection = protections.of(cgroup.path, headroom)
    pressure = snapshot.memory_pressure if cgroup.path == MACHINE else cgroup.memory_pressure
    events = _events(snapshot, cgroup, since)
    tightest = headroom.effective
    return StatusRow(
        path=cgroup.path,
        usage_bytes=cgroup.current_bytes,
        max_bytes=cgroup.max_bytes,
        high_bytes=cgroup.high_bytes,
        effective_limit_bytes=limit,
        limited_by=limited_by,
        effective_min_bytes=None if protection is None else protection.min_bytes,
        effective_low_bytes=None if protection is None else protection.low_bytes,
        reclaimable_bytes=None if ladder is None else ladder.reclaimable_bytes,
        headroom_bytes=headroom.headroom_bytes,
        effective_headroom_bytes=headroom.effective_bytes,
        headroom_at=None if tightest is None else _name(tightest),
        left_pct=_left(tightest),
        swap_bytes=cgroup.swap_current_bytes,
        swap_max_bytes=cgroup.swap_max_bytes,
        memory_some_avg10_pct=_avg10(pressure, "some"),
        memory_full_avg10_pct=_avg10(pressure, "full"),
        events_high=events.get("high"),
        events_max=events.get("max"),
        events_oom=events.get("oom"),
        events_oom_kill=events.get("oom_kill"),
        events_oom_group_kill=events.get("oom_group_kill"),
    )


def _effective_limit(headroom: Headroom) -> tuple[Limit | None, str | None]:
    """The tightest limit of a cgroup on the way up, the nearest of equals; the machine is not one."""
    best: tuple[Limit | None, str | None] = (None, None)
    for level in headroom.levels:
        if level.kind == "machine" or level.limit_bytes is None:
            continue
        if best[0] is None or level.limit_bytes < best[0]:
            best = (level.limit_bytes, None if isinstance(level.limit_bytes, Max) else level.path)
    # The root of v2 has no limit, which is not the same as an unknown one.
    return (MAX, None) if not headroom.levels[:-1] else best


def _name(level: Level) -> str:
    return "machine" if level.kind == "machine" else level.path


def _left(level: Level | None) -> float | None:
    if level is None or not isinstance(level.limit_bytes, int) or not isinstance(level.effective_bytes, int):
        return None
    return round(100 * level.effective_bytes / level.limit_bytes, 1) if level.limit_bytes else 0.0


def _avg10(psi: Psi | None, which: str) -> float | None:
    line: PsiLine | None = getattr(psi, which) if psi is not None else None
    return None if line is None else line.avg10_pct


def _events(snapshot: Snapshot, cgroup: Cgroup, since: SnapshotDelta | None) -> Mapping[str, int]:
    """Counts of the cgroup and all below it, by the names of memory.events."""

    def counted(one: Cgroup) -> Cgroup | CgroupDelta:
        # A cgroup that is not in the delta is new, and what it counted is all since then.
        return one if since is None else since.cgroups.get(one.path, one)

    record = counted(cgroup)
    if cgroup.version == 2:
        return cast("Mapping[str, int]", record.events or {})
    counts = {} if record.v1_failcnt is None else {"max": record.v1_failcnt}
    # v1 counts kills in each cgroup by itself (mm/memcontrol.c:memcg_memory_event).
    kills = [(counted(one).events_local or {}).get("oom_kill") for one in snapshot.subtree(cgroup.path)]
    if any(kill is not None for kill in kills):
        counts["oom_kill"] = sum(kill or 0 for kill in kills)
    return counts
