"""What happened between two snapshots: counter increments and the rates they make.

A counter only means something against an earlier reading of the same cgroup. So a cgroup whose
directory has another inode is left out (it was removed and made again), and a file in which any
counter went backwards gives ``None`` for all of it.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from memwarden.kernel.memory_events import MemoryEvents, SwapEvents
from memwarden.kernel.memory_stat import COUNTS, MemoryCounts
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.kernel.vmstat import Vmstat
from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import Snapshot
from memwarden.units import SECOND_US


class Stall(NamedTuple):
    """Microseconds that some, or all, tasks stalled; ``None`` where the kernel prints no such line."""

    some_us: int | None
    full_us: int | None


class CgroupDelta(NamedTuple):
    """Increments of one cgroup; ``None`` where either snapshot lacks the file.

    ``grown_bytes`` is the change of ``memory.current`` and may be negative.
    """

    path: str
    grown_bytes: int | None
    events: MemoryEvents | None
    events_local: MemoryEvents | None
    swap_events: SwapEvents | None
    stat: MemoryCounts | None
    memory_stall: Stall | None
    cpu_stall: Stall | None
    io_stall: Stall | None
    cpu_usage_us: int | None
    v1_failcnt: int | None


class SnapshotDelta(NamedTuple):
    """Increments of a machine over ``elapsed_us``, which is more than zero."""

    elapsed_us: int
    cgroups: Mapping[str, CgroupDelta]
    vmstat: Vmstat | None
    memory_stall: Stall | None
    cpu_stall: Stall | None
    io_stall: Stall | None

    def per_second(self, increment: int) -> float:
        """The increment as a rate."""
        return increment * SECOND_US / self.elapsed_us

    def share(self, stalled_us: int) -> float:
        """Stalled time as a share of the elapsed time, 0 to 1: the present form of PSI's averages."""
        return stalled_us / self.elapsed_us


def between(earlier: Snapshot, later: Snapshot) -> SnapshotDelta | None:
    """The increments, or ``None`` when the two have no common time: another boot, or no time passed."""
    elapsed_us = later.instant.monotonic_us - earlier.instant.monotonic_us
    if earlier.host.boot_id != later.host.boot_id or elapsed_us <= 0:
        return None
    return SnapshotDelta(
        elapsed_us=elapsed_us,
        cgroups={
            path: _cgroup(earlier.cgroups[path], cgroup)
            for path, cgroup in later.cgroups.items()
            if path in earlier.cgroups and earlier.cgroups[path].inode == cgroup.inode
        },
        vmstat=cast("Vmstat | None", _increments(earlier.vmstat, later.vmstat)),
        memory_stall=_stall(earlier.memory_pressure, later.memory_pressure),
        cpu_stall=_stall(earlier.cpu_pressure, later.cpu_pressure),
        io_stall=_stall(earlier.io_pressure, later.io_pressure),
    )


def _cgroup(earlier: Cgroup, later: Cgroup) -> CgroupDelta:
    return CgroupDelta(
        path=later.path,
        grown_bytes=_difference(earlier.current_bytes, later.current_bytes),
        events=cast("MemoryEvents | None", _increments(earlier.events, later.events)),
        events_local=cast("MemoryEvents | None", _increments(earlier.events_local, later.events_local)),
        swap_events=cast("SwapEvents | None", _increments(earlier.swap_events, later.swap_events)),
        stat=cast("MemoryCounts | None", _increments(_counts(earlier), _counts(later))),
        memory_stall=_stall(earlier.memory_pressure, later.memory_pressure),
        cpu_stall=_stall(earlier.cpu_pressure, later.cpu_pressure),
        io_stall=_stall(earlier.io_pressure, later.io_pressure),
        cpu_usage_us=_increment(earlier.cpu_usage_us, later.cpu_usage_us),
        v1_failcnt=_increment(earlier.v1_failcnt, later.v1_failcnt),
    )


def _counts(cgroup: Cgroup) -> Mapping[str, object] | None:
    return (
        None if cgroup.stat is None else {key: count for key, count in cgroup.stat.items() if key in COUNTS}
    )


def _difference(earlier: int | None, later: int | None) -> int | None:
    return None if earlier is None or later is None else later - earlier


def _increment(earlier: int | None, later: int | None) -> int | None:
    difference = _difference(earlier, later)
    return None if difference is None or difference < 0 else difference


def _increments(
    earlier: Mapping[str, object] | None, later: Mapping[str, object] | None
) -> dict[str, int] | None:
    """The increment of each key that both have; to the type checker a TypedDict maps to ``object``."""
    if earlier is None or later is None:
        return None
    before, after = cast("Mapping[str, int]", earlier), cast("Mapping[str, int]", later)
    increments = {key: count - before[key] for key, count in after.items() if key in before}
    return None if any(increment < 0 for increment in increments.values()) else increments


def _stall(earlier: Psi | None, later: Psi | None) -> Stall | None:
    if earlier is None or later is None:
        return None
    return Stall(_stalled(earlier.some, later.some), _stalled(earlier.full, later.full))


def _stalled(earlier: PsiLine | None, later: PsiLine | None) -> int | None:
    return None if earlier is None or later is None else _increment(earlier.total_us, later.total_us)
