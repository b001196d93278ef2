"""The machine-wide files."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from memwarden.collect.hierarchy import Hierarchy
from memwarden.collect.leniency import Reading
from memwarden.kernel import buddyinfo, meminfo, psi, swaps, sysctl_vm, vmstat, zoneinfo
from memwarden.kernel.mountinfo import Mount
from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import HostFacts

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
CGROUP2: Final = 2
RUNTIMES: Final = ("docker", "containerd", "containers/storage", "crio", "lxc", "kubelet")
"""Parts of the paths that container runtimes keep the root file systems of their containers under."""


class Machine(NamedTuple):
    """What the machine-wide files say, by the names of the fields of a snapshot."""

    meminfo: meminfo.Meminfo | None
    vmstat: vmstat.Vmstat | None
    zones: tuple[zoneinfo.Zone, ...] | None
    buddy: tuple[buddyinfo.BuddyZone, ...] | None
    swaps: tuple[swaps.SwapArea, ...] | None
    memory_pressure: psi.Psi | None
    cpu_pressure: psi.Psi | None
    io_pressure: psi.Psi | None
    sysctl: dict[str, int]


def read(reading: Reading, page_size: int) -> Machine:
    """Read them all."""
    return Machine(
        meminfo=reading.file("/proc/meminfo", meminfo.parse),
        vmstat=reading.file("/proc/vmstat", vmstat.parse),
        zones=reading.file("/proc/zoneinfo", lambda text: zoneinfo.parse(text, page_size=page_size)),
        buddy=reading.file("/proc/buddyinfo", buddyinfo.parse),
        swaps=reading.file("/proc/swaps", swaps.parse),
        memory_pressure=reading.file("/proc/pressure/memory", psi.parse),
        cpu_pressure=reading.file("/proc/pressure/cpu", psi.parse),
        io_pressure=reading.file("/proc/pressure/io", psi.parse),
        sysctl=_sysctl(reading),
    )


def _sysctl(reading: Reading) -> dict[str, int]:
    values = {}
    for name in sysctl_vm.NAMES:
        value = reading.file(f"/proc/sys/vm/{name}", sysctl_vm.parse)
        if value is not None:
            values[name] = value
    return values


def host(reading: Reading) -> HostFacts:
    """What does not change while the machine is up; whether we see all of it is asked later."""
    facts = reading.source.facts
    return HostFacts(
        hostname=facts.get("hostname"),
        kernel_release=facts.get("kernel_release"),
        arch=facts.get("arch"),
        cpus=_int(facts, "cpus"),
        clock_ticks=_int(facts, "clk_tck"),
        boot_id=facts.get("boot_id") or reading.file(BOOT_ID, str.strip),
    )


def _int(facts: Mapping[str, str], key: str) -> int | None:
    value = facts.get(key, "")
    return int(value) if value.isdecimal() else None


def container_view(mounts: Iterable[Mount], found: Hierarchy, root: Cgroup | None) -> str | None:
    """``lxcfs`` where it lays its own figures over files of /proc, or the runtime that owns our root.

    Else ``cgroup namespace`` where the cgroup that we see as root is none: the real one of v2 has no
    ``memory.current`` (``CFTYPE_NOT_ON_ROOT`` in ``mm/memcontrol.c``).
    """
    runtime = None
    for mount in mounts:
        if mount.fs_type == "fuse.lxcfs" and mount.mount_point.startswith("/proc/"):
            return "lxcfs"
        if mount.mount_point == "/" and mount.fs_type == "overlay":
            options = ",".join(mount.super_options)
            runtime = next((name for name in RUNTIMES if f"/{name}" in options), None)
    partial = root is not None and root.version == CGROUP2 and root.current_bytes is not None
    return runtime or ("cgroup namespace" if partial or found.root != "/" else None)
