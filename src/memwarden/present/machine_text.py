"""The machine in three lines, on top of every screen that is about a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.present.text import ABSENT, escape, percent, short_size
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from memwarden.state.snapshot import Snapshot

MODES = {
    CgroupMode.V2: "cgroup v2",
    CgroupMode.V1: "cgroup v1",
    CgroupMode.HYBRID: "cgroup v1 for memory (hybrid)",
    CgroupMode.NONE: "no memory cgroups",
}


def lines(snapshot: Snapshot) -> list[str]:
    """Who it is; what is available of RAM and swap; how much of the time tasks waited for memory."""
    host = snapshot.host
    names = [
        escape(host.hostname or "unnamed"),
        f"Linux {escape(host.kernel_release or 'of unknown release')}",
    ]
    return [
        ", ".join([*names, MODES[snapshot.cgroup_mode]]),
        f"{_memory(snapshot)}; {_swap(snapshot)}",
        _pressure(snapshot),
    ]


def _memory(snapshot: Snapshot) -> str:
    meminfo = snapshot.meminfo or {}
    available, total = meminfo.get("MemAvailable"), meminfo.get("MemTotal")
    share = f" ({percent(available, total)})" if available is not None and total else ""
    return f"memory {short_size(available)} available of {short_size(total)}{share}"


def _swap(snapshot: Snapshot) -> str:
    meminfo = snapshot.meminfo or {}
    free, total = meminfo.get("SwapFree"), meminfo.get("SwapTotal")
    return "no swap" if total == 0 else f"swap {short_size(free)} free of {short_size(total)}"


def _pressure(snapshot: Snapshot) -> str:
    psi = snapshot.memory_pressure
    if psi is None:
        return f"waiting for memory: {ABSENT} (no PSI)"
    parts = [
        f"{line.avg10_pct:.1f}% {name}" for name, line in (("some", psi.some), ("full", psi.full)) if line
    ]
    return f"waiting for memory, last 10 s: {', '.join(parts)}"
