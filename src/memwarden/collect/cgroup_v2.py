"""Which files of a v2 cgroup are read, and which fields of a Cgroup they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from memwarden.kernel import (
    cgroup_events,
    cgroup_marks,
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
from memwarden.kernel.deferred import Later
from memwarden.state.cgroup import Cgroup

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = Any  # what a parser gives; the fields of Cgroup have the types


class CgroupFile(NamedTuple):
    """A file, how it is parsed, and which fields of a Cgroup it fills, by their positions.

    ``parse`` gives one value, or as many as there are fields.
    """

    name: str
    parse: Callable[[str], Value]
    slots: tuple[int, ...]

    def put(self, values: list[Value], text: str) -> None:
        """Parse the text and put what it means into the values of a Cgroup; raises ``ParseError``."""
        value = self.parse(text)
        if len(self.slots) == 1:
            values[self.slots[0]] = value
        else:
            for slot, part in zip(self.slots, value, strict=True):
                values[slot] = part


_SLOTS: Final = {name: slot for slot, name in enumerate(Cgroup._fields)}


def cgroup_file(name: str, parse: Callable[[str], Value], *fields: str) -> CgroupFile:
    """The entry of a file that fills the named fields."""
    return CgroupFile(name, parse, tuple([_SLOTS[field] for field in fields]))


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


CONTROLLERS: Final = "cgroup.controllers"
"""Which controllers a cgroup has, and with them which files."""

USAGE: Final = "memory.current"
"""The file that every cgroup with the memory controller has but the root, and no other."""

WRITE_ONLY: Final = {"cgroup.kill": _SLOTS["has_kill"], "memory.reclaim": _SLOTS["has_reclaim"]}
"""Files that can only be written, to the positions of the fields that say whether they are there."""

MARKS: Final = cgroup_file(cgroup_marks.FILE, cgroup_marks.parse, "owner_uid", "marks")
"""Not a file: the owner of the directory and its extended attributes, read on request."""

FILES: Final = (
    cgroup_file(CONTROLLERS, controllers.parse, "controllers"),
    cgroup_file(USAGE, scalar.parse_number, "current_bytes"),
    cgroup_file("memory.peak", scalar.parse_number, "peak_bytes"),
    cgroup_file("memory.min", scalar.parse, "min_bytes"),
    cgroup_file("memory.low", scalar.parse, "low_bytes"),
    cgroup_file("memory.high", scalar.parse, "high_bytes"),
    cgroup_file("memory.max", scalar.parse, "max_bytes"),
    cgroup_file("memory.oom.group", scalar.parse_switch, "oom_group"),
    cgroup_file("memory.swap.current", scalar.parse_number, "swap_current_bytes"),
    cgroup_file("memory.swap.peak", scalar.parse_number, "swap_peak_bytes"),
    cgroup_file("memory.swap.high", scalar.parse, "swap_high_bytes"),
    cgroup_file("memory.swap.max", scalar.parse, "swap_max_bytes"),
    cgroup_file("memory.zswap.current", scalar.parse_number, "zswap_current_bytes"),
    cgroup_file("memory.zswap.max", scalar.parse, "zswap_max_bytes"),
    cgroup_file("memory.zswap.writeback", scalar.parse_switch, "zswap_writeback"),
    cgroup_file("memory.stat", Later(memory_stat.parse, memory_stat.KEYS, " ", flat=True), "stat"),
    # Later where there is one node; the names of several have digits that differ.
    cgroup_file("memory.numa_stat", Later(memory_numa_stat.parse, memory_stat.KEYS, " N0="), "numa_stat"),
    cgroup_file("memory.events", memory_events.parse, "events"),
    cgroup_file("memory.events.local", memory_events.parse, "events_local"),
    cgroup_file("memory.swap.events", memory_events.parse_swap, "swap_events"),
    cgroup_file("memory.pressure", psi.parse, "memory_pressure"),
    cgroup_file("cpu.pressure", psi.parse, "cpu_pressure"),
    cgroup_file("io.pressure", psi.parse, "io_pressure"),
    cgroup_file("cpu.stat", _cpu, "cpu_usage_us"),
    cgroup_file("io.stat", _io, "io_bytes"),
    cgroup_file("cgroup.events", cgroup_events.parse, "populated", "frozen"),
    cgroup_file("cgroup.stat", _descendants, "descendants", "dying_descendants"),
    cgroup_file("cgroup.threads", thread_count, "threads"),
    cgroup_file("cgroup.procs", cgroup_procs.parse, "procs"),
)
