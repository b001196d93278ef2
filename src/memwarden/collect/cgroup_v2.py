"""Which files of a v2 cgroup are read, and which fields of a Cgroup they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from memwarden.kernel import (
    cgroup_events,
    cgroup_procs,
    cgroup_stat,
    controllers,
    cpu_stat,
    io_stat,
    memory_events,
    memory_numa_stat,
    memory_stat,
    psi,
    scalar,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = Any  # what a parser gives; the fields of Cgroup have the types


class CgroupFile(NamedTuple):
    """A file, the fields it fills and how; ``parse`` gives one value, or as many as there are fields."""

    name: str
    fields: tuple[str, ...]
    parse: Callable[[str], Value]


def _cpu(text: str) -> int | None:
    return cpu_stat.parse(text).get("usage_usec")


def _io(text: str) -> dict[str, tuple[int, int]]:
    return {
        device: (figures.get("rbytes", 0), figures.get("wbytes", 0))
        for device, figures in io_stat.parse(text).items()
    }


def _descendants(text: str) -> tuple[int | None, int | None]:
    figures = cgroup_stat.parse(text)
    return figures.get("nr_descendants"), figures.get("nr_dying_descendants")


def thread_count(text: str) -> int:
    """How many threads ``cgroup.threads`` or ``tasks`` lists."""
    return len(cgroup_procs.parse(text))


USAGE: Final = "memory.current"
"""The file that every cgroup with the memory controller has but the root, and no other."""

WRITE_ONLY: Final = {"cgroup.kill": "has_kill", "memory.reclaim": "has_reclaim"}
"""Files that can only be written, to the fields that say whether they are there."""

FILES: Final = (
    CgroupFile(USAGE, ("current_bytes",), scalar.parse_number),
    CgroupFile("memory.peak", ("peak_bytes",), scalar.parse_number),
    CgroupFile("memory.min", ("min_bytes",), scalar.parse),
    CgroupFile("memory.low", ("low_bytes",), scalar.parse),
    CgroupFile("memory.high", ("high_bytes",), scalar.parse),
    CgroupFile("memory.max", ("max_bytes",), scalar.parse),
    CgroupFile("memory.oom.group", ("oom_group",), scalar.parse_switch),
    CgroupFile("memory.swap.current", ("swap_current_bytes",), scalar.parse_number),
    CgroupFile("memory.swap.peak", ("swap_peak_bytes",), scalar.parse_number),
    CgroupFile("memory.swap.high", ("swap_high_bytes",), scalar.parse),
    CgroupFile("memory.swap.max", ("swap_max_bytes",), scalar.parse),
    CgroupFile("memory.zswap.current", ("zswap_current_bytes",), scalar.parse_number),
    CgroupFile("memory.zswap.max", ("zswap_max_bytes",), scalar.parse),
    CgroupFile("memory.zswap.writeback", ("zswap_writeback",), scalar.parse_switch),
    CgroupFile("memory.stat", ("stat",), memory_stat.parse),
    CgroupFile("memory.numa_stat", ("numa_stat",), memory_numa_stat.parse),
    CgroupFile("memory.events", ("events",), memory_events.parse),
    CgroupFile("memory.events.local", ("events_local",), memory_events.parse),
    CgroupFile("memory.swap.events", ("swap_events",), memory_events.parse_swap),
    CgroupFile("memory.pressure", ("memory_pressure",), psi.parse),
    CgroupFile("cpu.pressure", ("cpu_pressure",), psi.parse),
    CgroupFile("io.pressure", ("io_pressure",), psi.parse),
    CgroupFile("cpu.stat", ("cpu_usage_us",), _cpu),
    CgroupFile("io.stat", ("io_bytes",), _io),
    CgroupFile("cgroup.controllers", ("controllers",), controllers.parse),
    CgroupFile("cgroup.events", ("populated", "frozen"), cgroup_events.parse),
    CgroupFile("cgroup.stat", ("descendants", "dying_descendants"), _descendants),
    CgroupFile("cgroup.threads", ("threads",), thread_count),
    CgroupFile("cgroup.procs", ("procs",), cgroup_procs.parse),
)
