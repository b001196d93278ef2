"""One process as ``/proc/PID`` shows it."""

from typing import NamedTuple

PF_KTHREAD = 0x00200000
"""``include/linux/sched.h``: the task is a kernel thread (``/proc/PID/stat`` field 9)."""


class Process(NamedTuple):
    """A thread group. Memory in bytes, ``None`` where it could not be read.

    A process is known by ``(pid, start_time_ticks)``, since pids are used again.
    ``rss_*``, ``swap`` and ``pgtables`` are those of ``/proc/PID/status``, the terms of badness.
    """

    pid: int
    comm: str
    start_time_ticks: int
    ppid: int | None = None
    state: str | None = None
    uid: int | None = None
    flags: int | None = None
    threads: int | None = None
    cgroup: str | None = None
    """Path in the hierarchy that controls memory, as in :class:`memwarden.state.cgroup.Cgroup`."""
    total_vm_bytes: int | None = None
    rss_bytes: int | None = None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    swap_bytes: int | None = None
    pgtables_bytes: int | None = None
    locked_bytes: int | None = None
    hugetlb_bytes: int | None = None
    pss_bytes: int | None = None
    oom_score: int | None = None
    oom_score_adj: int | None = None

    @property
    def is_kernel_thread(self) -> bool | None:
        """Whether this is a kernel thread; ``None`` when its flags could not be read."""
        return None if self.flags is None else bool(self.flags & PF_KTHREAD)
