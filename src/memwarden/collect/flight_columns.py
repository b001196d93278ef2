"""What a flight record keeps of a machine and of each cgroup: rows of figures, and both back again.

What detectors, rankings and headroom are made of, in one fixed order that is part of the format. ``None`` is
what was not read. Devices, processes and whatever else a snapshot holds are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from memwarden.kernel.deferred import some
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.cgroup import Cgroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.state.snapshot import Snapshot
    from memwarden.units import Max

Value: TypeAlias = "int | Max | None"
Row: TypeAlias = "tuple[Value, ...]"

MEMINFO: Final = (
    "MemAvailable",
    "MemFree",
    "SwapFree",
    "AnonPages",
    "Active(anon)",
    "Inactive(anon)",
    "Active(file)",
    "Inactive(file)",
    "Cached",
    "Shmem",
    "SwapCached",
    "Buffers",
    "Dirty",
    "Writeback",
    "SReclaimable",
    "KReclaimable",
    "SUnreclaim",
    "KernelStack",
    "PageTables",
    "SecPageTables",
    "Percpu",
    "Unevictable",
    "MemTotal",
    "SwapTotal",
)
VMSTAT: Final = (
    "pgscan_kswapd",
    "pgscan_direct",
    "pgscan_khugepaged",
    "pgsteal_kswapd",
    "pgsteal_direct",
    "workingset_refault_file",
    "workingset_refault_anon",
    "pgmajfault",
    "pswpout",
    "pswpin",
    "oom_kill",
)
SCALARS: Final = (
    "current_bytes",
    "swap_current_bytes",
    "populated",
    "frozen",
    "high_bytes",
    "max_bytes",
    "min_bytes",
    "low_bytes",
    "swap_max_bytes",
    "oom_group",
    "dying_descendants",
    "owner_uid",
    "v1_kmem_current_bytes",
)
STAT: Final = (
    "anon",
    "file",
    "kernel",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "shmem",
    "pgscan",
    "workingset_refault_file",
    "workingset_refault_anon",
    "pswpout",
    "pswpin",
    "swapcached",
    "zswap",
    "slab_reclaimable",
    "slab_unreclaimable",
    "slab",
    "kernel_stack",
    "pagetables",
    "percpu",
    "sock",
    "file_dirty",
    "file_writeback",
    "unevictable",
    "hugetlb",
)
EVENTS: Final = ("high", "max", "oom", "oom_kill", "oom_group_kill", "low")
BOOLEANS: Final = ("populated", "frozen", "oom_group")
LINE: Final = len(PsiLine._fields)
_NO_LINE: Final = (None,) * LINE
_NO_EVENTS: Final = (None,) * len(EVENTS)
_NO_STAT: Final = (None,) * len(STAT)
_NO_MEMINFO: Final = (None,) * len(MEMINFO)
_NO_VMSTAT: Final = (None,) * len(VMSTAT)
CGROUP_WIDTH: Final = 4 * LINE + len(SCALARS) + len(STAT) + 2 * len(EVENTS)
MACHINE_WIDTH: Final = 6 * LINE + len(MEMINFO) + len(VMSTAT)


def row_of(cgroup: Cgroup) -> Row:
    """The figures of a cgroup. Averages of pressure are in centi-percent: as integers, like all else."""
    return (
        *_lines(cgroup.memory_pressure),
        *_lines(cgroup.io_pressure),
        cgroup.current_bytes,
        cgroup.swap_current_bytes,
        cgroup.populated,
        cgroup.frozen,
        cgroup.high_bytes,
        cgroup.max_bytes,
        cgroup.min_bytes,
        cgroup.low_bytes,
        cgroup.swap_max_bytes,
        cgroup.oom_group,
        cgroup.dying_descendants,
        cgroup.owner_uid,
        cgroup.v1_kmem_current_bytes,
        *(_NO_STAT if cgroup.stat is None else some(cast("Mapping[str, int]", cgroup.stat), STAT)),
        *_counts(cgroup.events),
        *_counts(cgroup.events_local),
    )


def machine_row_of(snapshot: Snapshot) -> Row:
    """The figures of the machine."""
    wide = cast("Mapping[str, int] | None", snapshot.meminfo)
    counters = cast("Mapping[str, int] | None", snapshot.vmstat)
    return (
        *_lines(snapshot.memory_pressure),
        *_lines(snapshot.io_pressure),
        *_lines(snapshot.cpu_pressure),
        *(_NO_MEMINFO if wide is None else map(wide.get, MEMINFO)),
        *(_NO_VMSTAT if counters is None else map(counters.get, VMSTAT)),
    )


def _lines(psi: Psi | None) -> tuple[Value, ...]:
    if psi is None:
        return (*_NO_LINE, *_NO_LINE)
    some, full = psi
    return (*(_centi(some) if some else _NO_LINE), *(_centi(full) if full else _NO_LINE))


def _centi(line: PsiLine) -> tuple[int, ...]:
    avg10, avg60, avg300, total_us = line
    return round(avg10 * 100), round(avg60 * 100), round(avg300 * 100), total_us


def _counts(events: Any) -> tuple[Value, ...]:
    return _NO_EVENTS if events is None else tuple(map(events.get, EVENTS))


def cgroup_of(path: str, inode: int, version: int, row: Row, children: tuple[str, ...]) -> Cgroup:
    """A cgroup of its figures."""
    values = list(row)
    pressures = [_psi(values[at : at + 2 * LINE]) for at in (0, 2 * LINE)]
    del values[: 4 * LINE]
    scalars: dict[str, Any] = dict(zip(SCALARS, values, strict=False))
    for name in BOOLEANS:
        scalars[name] = None if scalars[name] is None else bool(scalars[name])
    del values[: len(SCALARS)]
    stat = _known(STAT, values)
    del values[: len(STAT)]
    return Cgroup(
        path=path,
        inode=inode,
        version=version,
        memory_pressure=pressures[0],
        io_pressure=pressures[1],
        stat=cast("Any", stat or None),
        events=cast("Any", _known(EVENTS, values) or None),
        events_local=cast("Any", _known(EVENTS, values[len(EVENTS) :]) or None),
        children=children,
        **scalars,
    )


def machine_of(row: Row) -> dict[str, Any]:
    """The fields of a snapshot that are the machine's."""
    values = list(row)
    memory, io, cpu = (_psi(values[at : at + 2 * LINE]) for at in (0, 2 * LINE, 4 * LINE))
    rest = values[6 * LINE :]
    return {
        "memory_pressure": memory,
        "io_pressure": io,
        "cpu_pressure": cpu,
        "meminfo": _known(MEMINFO, rest) or None,
        "vmstat": _known(VMSTAT, rest[len(MEMINFO) :]) or None,
    }


def _known(names: tuple[str, ...], values: list[Value]) -> dict[str, Value]:
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


def _psi(values: list[Value]) -> Psi | None:
    some, full = (_line(values[at : at + LINE]) for at in (0, LINE))
    return None if some is None and full is None else Psi(some, full)


def _line(values: list[Value]) -> PsiLine | None:
    if None in values:
        return None
    avg10, avg60, avg300, total_us = cast("list[int]", values)
    return PsiLine(avg10 / 100, avg60 / 100, avg300 / 100, total_us)
