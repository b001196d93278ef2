"""The processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.collect.leniency import decode, gap
from memwarden.errors import ParseError, ReadError
from memwarden.kernel import (
    pid_cgroup,
    pid_oom_score,
    pid_oom_score_adj,
    pid_smaps_rollup,
    pid_stat,
    pid_status,
)
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.process import PF_KTHREAD, Process

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from memwarden.collect.hierarchy import Hierarchy
    from memwarden.collect.leniency import Reading
    from memwarden.collect.source import Directory

DEAD = frozenset("ZXx")
"""States of a process that has exited: it has no memory any more, and no file that tells of it."""


class ProcessReader:
    """Reads the processes for one snapshot.

    ``smaps`` adds the proportional set size, for which the kernel walks page tables. ``cmdline`` reads the
    command line too, for a recording; no field of a process has it.
    """

    def __init__(
        self,
        reading: Reading,
        hierarchy: Hierarchy,
        cgroups: Container[str],
        *,
        smaps: bool = False,
        cmdline: bool = False,
    ) -> None:
        self._reading = reading
        self._hierarchy = hierarchy
        self._cgroups = cgroups
        self._smaps = smaps
        self._cmdline = cmdline

    def read(self) -> dict[int, Process]:
        """All processes by pid, in the order of their pids."""
        gaps = self._reading.gaps
        try:
            proc = self._reading.source.processes()
            names = [name for name, _ in proc.subdirectories() if name.isdecimal()]
        except ReadError as error:
            gaps.append(gap(error, "/proc"))
            return {}
        processes = self._each(proc, sorted(names, key=int))
        proc.release()
        return processes

    def some(self, pids: Iterable[int]) -> dict[int, Process]:
        """Those of these pids that are there, in order; 0 is one outside of our PID namespace."""
        try:
            proc = self._reading.source.processes()
        except ReadError as error:
            self._reading.gaps.append(gap(error, "/proc"))
            return {}
        processes = self._each(proc, [str(pid) for pid in sorted(pids) if pid])
        proc.release()
        return processes

    def _each(self, proc: Directory, names: list[str]) -> dict[int, Process]:
        gaps = self._reading.gaps
        processes: dict[int, Process] = {}
        for name in names:
            try:
                process = self._open(proc, name)
            except (ReadError, ParseError) as error:  # of its stat file, without which it is nobody
                gaps.append(_vanished(error, f"/proc/{name}"))
            else:
                if process is not None:
                    processes[process.pid] = process
        return processes

    def _open(self, proc: Directory, name: str) -> Process | None:
        directory = proc.child(name)
        try:
            return self._read(directory)
        finally:
            directory.release()

    def _read(self, directory: Directory) -> Process | None:
        stat = pid_stat.parse(decode(directory.read("stat")))
        known: dict[str, Any] = {
            "pid": stat.pid,
            "comm": stat.comm,
            "start_time_ticks": stat.start_time_ticks,
            "ppid": stat.ppid,
            "state": stat.state,
            "flags": stat.flags,
            "threads": stat.threads,
        }
        if stat.flags & PF_KTHREAD:
            # Has no memory of its own and cannot be killed: its other files say nothing.
            return Process(**known)
        gaps = self._reading.gaps
        before = len(gaps)
        dead = stat.state in DEAD
        known.update(_memory(self._reading, directory, smaps=self._smaps and not dead))
        known["cgroup"] = self._cgroup(directory)
        if dead and stat.threads > 1:
            known.update(self._of_a_thread(directory, stat.pid))
        if self._cmdline:
            self._reading.at(directory, "cmdline", str)
        if len(gaps) > before and not directory.alive():
            del gaps[before:]
            gaps.append(Gap(directory.path, GapReason.GONE))
            return None
        return Process(**known)

    def _cgroup(self, directory: Directory) -> str | None:
        memberships = self._reading.at(directory, "cgroup", pid_cgroup.parse)
        return None if memberships is None else _cgroup(memberships, self._hierarchy, self._cgroups)

    def _of_a_thread(self, directory: Directory, leader: int) -> dict[str, Any]:
        """What a process whose first thread has exited is, from the first thread that still shows it.

        All threads have one memory, which the kernel looks for in the same way
        (``mm/oom_kill.c:find_lock_task_mm``). On v1 the first thread says that it is in the root
        (``kernel/cgroup/cgroup.c:proc_cgroup_show``), though ``cgroup.procs`` keeps it where it was.
        """
        try:
            tasks = directory.child("task")
        except ReadError as error:
            self._reading.gaps.append(gap(error, f"{directory.path}/task"))
            return {}
        try:
            for thread in _threads(tasks, leader):
                fields = self._of_thread(tasks, thread)
                if fields.get("rss_bytes") is not None:
                    return fields
        finally:
            tasks.release()
        return {}

    def _of_thread(self, tasks: Directory, thread: int) -> dict[str, Any]:
        try:
            directory = tasks.child(str(thread))
        except ReadError:
            return {}  # it has exited
        try:
            fields = _of_status(self._reading.at(directory, "status", pid_status.parse))
            cgroup = self._cgroup(directory)
            return fields if cgroup is None else {**fields, "cgroup": cgroup}
        finally:
            directory.release()


def _threads(tasks: Directory, leader: int) -> list[int]:
    """The ids of the threads but the first; none where they cannot be listed, since the process is gone."""
    try:
        found = [int(name) for name, _ in tasks.subdirectories() if name.isdecimal()]
    except ReadError:
        return []
    return sorted(thread for thread in found if thread != leader)


def _vanished(error: ReadError | ParseError, path: str) -> Gap:
    """A process that was listed and has no directory or no stat file any more has exited."""
    if isinstance(error, ReadError) and error.errno_name in ("ENOENT", "ESRCH"):
        return Gap(path, GapReason.GONE)
    return gap(error, path)


def _memory(reading: Reading, directory: Directory, *, smaps: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "oom_score": reading.at(directory, "oom_score", pid_oom_score.parse),
        "oom_score_adj": reading.at(directory, "oom_score_adj", pid_oom_score_adj.parse),
    }
    fields.update(_of_status(reading.at(directory, "status", pid_status.parse)))
    rollup = reading.at(directory, "smaps_rollup", pid_smaps_rollup.parse) if smaps else None
    if rollup is not None:
        fields["pss_bytes"] = rollup.get("Pss")
    return fields


def _of_status(status: pid_status.PidStatus | None) -> dict[str, Any]:
    if status is None:
        return {}
    return {
        "uid": status.uid,
        "total_vm_bytes": status.total_vm_bytes,
        "rss_bytes": status.rss_bytes,
        "rss_anon_bytes": status.rss_anon_bytes,
        "rss_file_bytes": status.rss_file_bytes,
        "rss_shmem_bytes": status.rss_shmem_bytes,
        "swap_bytes": status.swap_bytes,
        "pgtables_bytes": status.pgtables_bytes,
        "locked_bytes": status.locked_bytes,
        "hugetlb_bytes": status.hugetlb_bytes,
    }


def _cgroup(
    memberships: tuple[pid_cgroup.Membership, ...], hierarchy: Hierarchy, cgroups: Container[str]
) -> str | None:
    """The path as the cgroups of the snapshot have theirs; ``None`` outside of what we see."""
    path = pid_cgroup.memory_path(memberships, version=hierarchy.version)
    if path is None:
        return None
    path = hierarchy.relative(path)
    if path is not None and path not in cgroups and f"{path} (deleted)" in cgroups:
        return f"{path} (deleted)"  # its name, not the kernel's remark
    return path
