"""``/proc/PID/oom_score``, and the score that old kernels print when they kill.

``fs/proc/base.c:proc_oom_score``. It always counts against the whole machine, RAM and swap, whatever
cgroup or cpuset the process is in; so its order is wrong for an OOM of a cgroup, whose own limit
weighs oom_score_adj.
"""

from __future__ import annotations

from memwarden.state.traits import BadnessRule


def oom_score(points: int | None, total_pages: int, rule: BadnessRule) -> int:
    """What the file shows for a task with ``points`` out of ``total_pages`` of RAM and swap.

    ``points`` is ``None`` for a task that may not be killed, which reads 0. Since Linux kernel commit
    9066e5cfb73c ("mm, oom: make the calculation of oom badness more accurate") (in v5.9), the range is 0
    to 2000 and an idle task without adj reads 666; before it was the share in thousandths.

    >>> oom_score(0, 250_000, BadnessRule.SIGNED), oom_score(0, 250_000, BadnessRule.UNSIGNED)
    (666, 0)
    """
    if points is None:
        return 0
    if rule is BadnessRule.PERMILLE:
        return points
    # C divides towards zero.
    share = abs(points) * 1000 // max(total_pages, 1)
    if rule is BadnessRule.SIGNED:
        return (1000 + (share if points >= 0 else -share)) * 2 // 3
    return share


def is_new_mapping(own_score: int) -> bool:
    """Whether a process with adj 0 that reads ``own_score`` runs on a kernel with signed points (5.9).

    The old mapping would need 600 thousandths of the machine in one process to read as much.
    """
    return own_score >= 600
