"""The machine in three lines, on top of every screen that is about a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present.text import ABSENT, counted, escape, percent, short_size
from memwarden.rules.waiting import waiting
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from memwarden.state.snapshot import Snapshot

NAMED: Final = 3
"""Cgroups named one by one; the rest is counted."""

MODES = {
    CgroupMode.V2: "cgroup v2",
    CgroupMode.V1: "cgroup v1",
    CgroupMode.HYBRID: "cgroup v1 for memory (hybrid)",
    CgroupMode.NONE: "no memory cgroups",
}


def lines(snapshot: Snapshot) -> list[str]:
    """Who it is; what is available of RAM and swap; how much of the time tasks waited, and who waits now."""
    host = snapshot.host
    names = [
        escape(host.hostname or "unnamed"),
        f"Linux {escape(host.kernel_release or 'of unknown release')}",
    ]
    return [
        ", ".join([*names, MODES[snapshot.cgroup_mode]]),
        f"{_memory(snapshot)}; {_swap(snapshot)}",
        _pressure(snapshot),
        *_waiting(snapshot),
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


def _waiting(snapshot: Snapshot) -> list[str]:
    """Cgroup v1 with oom_kill_disable: tasks that wait until somebody raises the limit."""
    paths = waiting(snapshot)
    if not paths:
        return []
    more = len(paths) - NAMED
    named = ", ".join(escape(path) for path in paths[:NAMED])
    named += f" and {counted(more, 'more cgroup')}" if more > 0 else ""
    return [f"tasks of {named} wait for memory now: oom_kill_disable is set"]
