"""Whom the OOM killer may choose.

``mm/oom_kill.c:oom_unkillable_task`` and the first lines of ``oom_badness``. No file says directly that a
task is in the middle of vfork, or that its memory has been reaped already; but then its oom_score reads 0
although it has memory.

Not being chosen is not the same as surviving. ``__oom_kill_process`` (v5.10 to v7.2) kills every process that
shares the victim's memory with it, whatever its oom_score_adj, and no file in /proc says who shares. Outside
of vfork they have one adj: ``fs/proc/base.c:__set_oom_adj`` writes it to all of them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from memwarden.rules.badness import OOM_SCORE_ADJ_MIN, TaskMemory

if TYPE_CHECKING:
    from memwarden.state.process import Process

PF_EXITING: Final = 0x4
"""``include/linux/sched.h``: the task is being shut down."""


class Eligibility(Enum):
    """Why a process may or may not be chosen; the value is the word in JSON documents."""

    ELIGIBLE = "eligible"
    INIT = "init"  # the machine's process 1
    KERNEL_THREAD = "kernel-thread"
    NO_MEMORY = "no-memory"  # it has exited; a zombie holds none
    ADJ_MIN = "oom-score-adj-min"  # -1000
    EXEMPT = "exempt"  # in the middle of vfork, or reaped already
    UNKNOWN = "unknown"  # its memory could not be read

    @property
    def why(self) -> str:
        """The reason as a phrase for people."""
        return _WHY[self]


_WHY: Final = {
    Eligibility.ELIGIBLE: "may be killed",
    Eligibility.INIT: "the machine's init is never killed",
    Eligibility.KERNEL_THREAD: "a kernel thread has no memory of its own",
    Eligibility.NO_MEMORY: "it has exited and holds no memory",
    Eligibility.ADJ_MIN: "oom_score_adj -1000 exempts it",
    Eligibility.EXEMPT: "the kernel gives it oom_score 0 although it holds memory (vfork, or reaped already)",
    Eligibility.UNKNOWN: "its memory could not be read",
}


def eligibility(process: Process, *, own_pid_namespace: bool = False) -> Eligibility:
    """Whether the OOM killer may choose this process, as far as its own files say.

    ``own_pid_namespace`` is set when the list of processes is a container's: its pid 1 is not the machine's.
    An adj that could not be read counts as 0. A leader that has exited while other threads live on
    (``threads`` above 1) stands for them: its memory is theirs (``find_lock_task_mm``), and unknown where
    none of them could be read.
    """
    if process.pid == 1 and not own_pid_namespace:
        return Eligibility.INIT
    if process.is_kernel_thread:
        return Eligibility.KERNEL_THREAD
    if process.oom_score_adj == OOM_SCORE_ADJ_MIN:
        return Eligibility.ADJ_MIN
    if process.rss_bytes is not None:
        return Eligibility.ELIGIBLE
    if (process.threads or 0) > 1:
        return Eligibility.UNKNOWN
    gone = process.state in ("Z", "X") or bool((process.flags or 0) & PF_EXITING)
    return Eligibility.NO_MEMORY if gone else Eligibility.UNKNOWN


def is_exempt(process: Process, expected_score: int) -> bool:
    """Whether the kernel refuses a process that looks eligible.

    It then shows oom_score 0 where ``expected_score`` (:func:`memwarden.rules.oom_score.oom_score`, against
    the whole machine) is beyond rounding.
    """
    return process.oom_score == 0 and expected_score > 1


def task_memory(process: Process, page_size_bytes: int) -> TaskMemory:
    """The terms of badness of a process whose memory is known.

    CAP_SYS_ADMIN, which matters before 4.17 only, is taken from the user id; root in a container often
    lacks it.
    """
    assert process.rss_bytes is not None
    return TaskMemory(
        rss_pages=process.rss_bytes // page_size_bytes,
        swap_pages=_pages(process.swap_bytes, page_size_bytes),
        pgtables_pages=_pages(process.pgtables_bytes, page_size_bytes),
        oom_score_adj=process.oom_score_adj or 0,
        cap_sys_admin=process.uid == 0,
    )


def _pages(size_bytes: int | None, page_size_bytes: int) -> int | None:
    return None if size_bytes is None else size_bytes // page_size_bytes
