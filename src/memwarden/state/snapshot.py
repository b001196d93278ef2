"""One host at one instant."""

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from memwarden.kernel.buddyinfo import BuddyZone
from memwarden.kernel.meminfo import Meminfo
from memwarden.kernel.psi import Psi
from memwarden.kernel.swaps import SwapArea
from memwarden.kernel.vmstat import Vmstat
from memwarden.kernel.zoneinfo import Zone
from memwarden.state.cgroup import Cgroup, parent_path
from memwarden.state.gaps import Gap
from memwarden.state.process import Process
from memwarden.state.traits import KernelTraits


class CgroupMode(Enum):
    """Which hierarchy controls memory."""

    V2 = "v2"
    V1 = "v1"
    HYBRID = "hybrid"  # cgroup2 is mounted, but the memory controller is on v1
    NONE = "none"


class Instant(NamedTuple):
    """When a snapshot was taken. ``monotonic_us`` orders snapshots of one boot; ``wall_us`` is Unix time."""

    monotonic_us: int
    wall_us: int | None = None


class HostFacts(NamedTuple):
    """What does not change while the machine is up."""

    hostname: str | None = None
    kernel_release: str | None = None
    arch: str | None = None
    cpus: int | None = None
    clock_ticks: int | None = None
    boot_id: str | None = None
    container_view: str | None = None
    """Set when /proc is not the machine's own: ``lxcfs``, or the container runtime that hides the root."""


class Snapshot(NamedTuple):
    """A machine's memory at one instant: facts only, no rates and no judgement."""

    instant: Instant
    host: HostFacts = HostFacts()
    traits: KernelTraits = KernelTraits()
    cgroup_mode: CgroupMode = CgroupMode.NONE
    cgroup_root: str = "/sys/fs/cgroup"
    """Where the hierarchy that controls memory is mounted."""
    mount_options: tuple[str, ...] = ()
    meminfo: Meminfo | None = None
    vmstat: Vmstat | None = None
    zones: tuple[Zone, ...] | None = None
    buddy: tuple[BuddyZone, ...] | None = None
    swaps: tuple[SwapArea, ...] | None = None
    memory_pressure: Psi | None = None
    cpu_pressure: Psi | None = None
    io_pressure: Psi | None = None
    sysctl: Mapping[str, int] = MappingProxyType({})
    """``vm.*`` by their names without the prefix, as printed: ``{"swappiness": 60}``."""
    cgroups: Mapping[str, Cgroup] = MappingProxyType({})
    processes: Mapping[int, Process] = MappingProxyType({})
    gaps: tuple[Gap, ...] = ()

    def subtree(self, path: str) -> Iterator[Cgroup]:
        """The cgroup and all below it, pre-order, children in the order of their names."""
        # Not by recursion: whoever may make cgroups may nest them deeper than Python's stack.
        waiting = [path]
        while waiting:
            cgroup = self.cgroups.get(waiting.pop())
            if cgroup is not None:
                yield cgroup
                waiting.extend(reversed(cgroup.children))

    def ancestors(self, path: str) -> Iterator[Cgroup]:
        """The cgroups above ``path``, nearest first, as far as they are known."""
        above = parent_path(path)
        while above is not None:
            cgroup = self.cgroups.get(above)
            if cgroup is not None:
                yield cgroup
            above = parent_path(above)

    def members(self, path: str) -> Iterator[Process]:
        """The processes in the cgroup and below it, in the kernel's order of visiting.

        ``mm/memcontrol.c:mem_cgroup_scan_tasks``: cgroups pre-order, tasks in order of joining.
        """
        for cgroup in self.subtree(path):
            for pid in cgroup.procs or ():
                process = self.processes.get(pid)
                if process is not None:
                    yield process
