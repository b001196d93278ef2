"""How much can still be allocated before somebody is killed.

*Headroom* of a cgroup is the least of limit - usage over itself, its ancestors and the machine, whose term
is available memory. *Effective headroom* adds at each level what is reclaimable below it. Charging walks the
same levels (``mm/page_counter.c:page_counter_try_charge``), and reclaim is driven by the one that is full.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from memwarden.rules.ladder import Ladder
from memwarden.rules.reclaimable import (
    MACHINE,
    reclaimable,
    reclaimable_on_machine,
    root_is_machine,
    swappable_on_machine,
)
from memwarden.state.cgroup import Cgroup, ancestry
from memwarden.state.snapshot import Snapshot
from memwarden.units import MAX, Limit, Max

LevelKind = Literal["memory", "memory+swap", "machine"]


class Level(NamedTuple):
    """One limit that a charge has to pass, in bytes; ``None`` is unknown.

    ``path`` is the cgroup's, ``/`` for the machine. ``headroom_bytes`` is below 0 when forced charges have
    gone over the limit. ``ladder`` is set at limited levels only.
    """

    kind: LevelKind
    path: str
    limit_bytes: Limit | None
    usage_bytes: int | None
    headroom_bytes: Limit | None
    ladder: Ladder | None
    effective_bytes: Limit | None


class Headroom(NamedTuple):
    """The levels above a cgroup, nearest first and the machine last, and the tightest of them.

    ``limit`` is the level with the lowest limit, ``tightest`` the one with the least headroom, ``effective``
    the one with the least effective headroom: the limit that will be hit first if this cgroup alone
    grows. Each is ``None`` when no level is known; ``unknown`` are levels with a figure missing.
    """

    levels: tuple[Level, ...]
    limit: Level | None
    tightest: Level | None
    effective: Level | None
    unknown: tuple[Level, ...]

    @property
    def headroom_bytes(self) -> Limit | None:
        """Limit - usage at the tightest level."""
        return self.tightest.headroom_bytes if self.tightest else None

    @property
    def effective_bytes(self) -> Limit | None:
        """Headroom with what is reclaimable, at the level where that is least."""
        return self.effective.effective_bytes if self.effective else None


class Headrooms:
    """Headroom of many cgroups of one snapshot; what is reclaimable below a limit is worked out once.

    ``ladders=False``: the machine's level has the same figures without its ladder, in a third of the time.
    """

    def __init__(self, snapshot: Snapshot, *, ladders: bool = True) -> None:
        self._snapshot = snapshot
        self._whole = ladders
        self._ladders: dict[str, Ladder | None] = {}
        self._swap: int | None = None

    def of(self, path: str) -> Headroom:
        """The headroom of the cgroup ``path``; of the machine for ``/``."""
        levels: list[Level] = []
        for above in ancestry(path):
            cgroup = self._snapshot.cgroups.get(above)
            if cgroup is not None and self._is_limit(cgroup):
                levels.extend(self._levels(cgroup))
        levels.append(self._machine())
        return Headroom(
            levels=tuple(levels),
            limit=_lowest((level, level.limit_bytes) for level in levels),
            tightest=_lowest((level, level.headroom_bytes) for level in levels),
            effective=_lowest((level, level.effective_bytes) for level in levels),
            unknown=tuple(level for level in levels if level.effective_bytes is None or _partial(level)),
        )

    def _is_limit(self, cgroup: Cgroup) -> bool:
        """Whether there can be a limit: not at the machine's root, nor without the memory controller."""
        if cgroup.path == MACHINE:
            return not root_is_machine(self._snapshot)
        return cgroup.controllers is None or "memory" in cgroup.controllers

    def ladder(self, path: str) -> Ladder | None:
        """What is reclaimable below ``path``, see :func:`memwarden.rules.reclaimable.reclaimable`."""
        if path not in self._ladders:
            self._ladders[path] = reclaimable(self._snapshot, path)
        return self._ladders[path]

    def _on_machine(self) -> Ladder | None:
        if "" not in self._ladders:
            self._ladders[""] = reclaimable_on_machine(self._snapshot)
        return self._ladders[""]

    def _levels(self, cgroup: Cgroup) -> list[Level]:
        levels = [self._level("memory", cgroup.path, cgroup.max_bytes, cgroup.current_bytes)]
        if cgroup.v1_memsw_max_bytes is not None:
            memsw, usage = cgroup.v1_memsw_max_bytes, cgroup.v1_memsw_current_bytes
            levels.append(self._level("memory+swap", cgroup.path, memsw, usage))
        return levels

    def _level(self, kind: LevelKind, path: str, limit: Limit | None, usage: int | None) -> Level:
        if isinstance(limit, Max):
            return Level(kind, path, MAX, usage, MAX, None, MAX)
        if limit is None or usage is None:
            return Level(kind, path, limit, usage, None, None, None)
        found = self.ladder(path)
        gain = found.reclaimable_bytes if found else 0
        if kind == "memory+swap" and found:
            # Memory that moves to swap stays within memory+swap.
            gain -= found.swap_bytes
        return Level(kind, path, limit, usage, limit - usage, found, limit - usage + gain)

    def _machine(self) -> Level:
        # Available memory counts page cache and reclaimable slab already (mm/show_mem.c:si_mem_available),
        # so that only what can go to swap is added.
        meminfo = self._snapshot.meminfo or {}
        total, available = meminfo.get("MemTotal"), meminfo.get("MemAvailable")
        if total is None or available is None:
            return Level("machine", MACHINE, total, None, None, None, None)
        if not self._whole:
            if self._swap is None:
                self._swap = swappable_on_machine(self._snapshot)
            used, effective = total - available, available + self._swap
            return Level("machine", MACHINE, total, used, available, None, effective)
        found = self._on_machine()
        swap = found.swap_bytes if found else 0
        return Level("machine", MACHINE, total, total - available, available, found, available + swap)


def _partial(level: Level) -> bool:
    return level.ladder is None and not isinstance(level.limit_bytes, Max)


def _lowest(levels: Iterable[tuple[Level, Limit | None]]) -> Level | None:
    """The level with the least value, the nearest of equals; ``None`` when no value is known."""
    best: tuple[Level, Limit] | None = None
    for level, value in levels:
        if value is not None and (best is None or value < best[1]):
            best = (level, value)
    return best[0] if best else None
