"""Which processes are in which cgroup, when the two were read one after the other.

A process may move, exit or be born between the reading of ``cgroup.procs`` and of ``/proc/PID/cgroup``, and
its pid may be used again. What ``/proc/PID`` says was read through one directory and belongs together, so it
decides; the order of joining is that of ``cgroup.procs``, with those that came later at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.collect.processes import DEAD
from memwarden.state.cgroup import ancestry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def settle(cgroups: dict[str, Cgroup], processes: Mapping[int, Process]) -> set[str]:
    """Make ``procs`` of the cgroups agree with the processes, in place; the paths of those that did not."""
    leave: dict[str, set[int]] = {}
    join: dict[str, list[int]] = {}
    away = {
        pid: home
        for pid, process in processes.items()
        if (home := _home(cgroups, process)) is not None and pid not in (cgroups[home].procs or ())
    }
    # Mostly nobody is: no list is made of whom a thousand cgroups hold for the few that were read.
    listed = {pid: path for path, cgroup in cgroups.items() for pid in cgroup.procs or ()} if away else {}
    for pid, home in away.items():
        process = processes[pid]
        if pid in listed:
            leave.setdefault(listed[pid], set()).add(pid)
        if process.state not in DEAD or (process.threads or 0) > 1:
            join.setdefault(home, []).append(pid)
    changed = {*leave, *join}
    for path in changed:
        stay = [pid for pid in cgroups[path].procs or () if pid not in leave.get(path, ())]
        cgroups[path] = cgroups[path]._replace(procs=(*stay, *join.get(path, ())))
    return changed


def _home(cgroups: Mapping[str, Cgroup], process: Process) -> str | None:
    """The cgroup that lists a process: its own, or of a threaded one the domain above it."""
    if process.cgroup is None or process.is_kernel_thread:
        return None
    for path in ancestry(process.cgroup):
        if path in cgroups and cgroups[path].procs is not None:
            return path
    return None
