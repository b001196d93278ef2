"""Badness: how many pages the kernel holds against a process, and of how many in all.

``mm/oom_kill.c:oom_badness`` and ``constrained_alloc``, per generation of the kernel. Everything here is
in pages. The generations (:class:`memwarden.state.traits.BadnessRule`):

* Since Linux kernel commit a63d83f427fb ("oom: badness heuristic rewrite") (in v2.6.36) badness is a
  share of the memory allowed, in thousandths.
* ``mm/oom_kill.c:oom_badness`` (v3.10): pages, the bonus of CAP_SYS_ADMIN being 30 of oom_score_adj.
* Since Linux kernel commit 778c14affaf9 ("mm, oom: base root bonus on current usage") (in v3.14), the
  bonus is 3 percent of the task's own points.
* Since Linux kernel commit d46078b28889 ("mm, oom: remove 3% bonus for CAP_SYS_ADMIN processes") (in
  v4.17), there is none.
* Since Linux kernel commit 9066e5cfb73c ("mm, oom: make the calculation of oom badness more accurate")
  (in v5.9), points are signed; before, every eligible task has at least 1.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from memwarden.state.traits import BadnessRule
from memwarden.units import Limit

OOM_SCORE_ADJ_MIN: Final = -1000
"""``include/uapi/linux/oom.h``: a process that the OOM killer never selects."""

_ROOT_ADJ: Final = 30


class TaskMemory(NamedTuple):
    """What oom_badness reads of a process, in pages.

    ``rss_pages`` is file, anonymous and shared memory mapped by the whole process, whoever it is charged
    to; hugetlb pages and page cache that is not mapped are not in it. ``swap_pages`` and
    ``pgtables_pages`` are ``None`` where the source (an old report's table) does not have them.
    ``cap_sys_admin`` matters before 4.17 only.
    """

    rss_pages: int
    swap_pages: int | None
    pgtables_pages: int | None
    oom_score_adj: int
    cap_sys_admin: bool = False


class Badness(NamedTuple):
    """The sum that oom_badness makes, term by term, in pages.

    ``unit_pages`` is what one point of oom_score_adj weighs, ``adj_pages`` what this task's adj adds or
    takes, ``root_bonus_pages`` what CAP_SYS_ADMIN takes (never positive). ``points`` is the figure that
    the kernel compares: the sum, except that unsigned rules raise it to 1 (``raised``) and the
    ``PERMILLE`` rule turns it into thousandths. ``exact`` is false where a term was unknown; the points
    are then the least possible.
    """

    rss_pages: int
    swap_pages: int | None
    pgtables_pages: int | None
    root_bonus_pages: int
    oom_score_adj: int
    unit_pages: int
    adj_pages: int
    points: int
    raised: bool
    exact: bool

    @property
    def memory_pages(self) -> int:
        """The terms that are memory: what the process holds, as far as badness sees it."""
        return self.rss_pages + (self.swap_pages or 0) + (self.pgtables_pages or 0)


def oom_badness(task: TaskMemory, total_pages: int, rule: BadnessRule) -> Badness | None:
    """The points of a task that may be killed, out of ``total_pages`` of its constraint.

    ``None`` for ``LEGACY``, whose terms (run time, nice value) nobody records. Whether the task may be
    killed at all is :mod:`memwarden.rules.eligible`'s question; the kernel asks both in one function.

    Page tables are ``nr_ptes`` pages, from 4.0 also ``nr_pmds``, from 4.15 ``mm_pgtables_bytes / PAGE_SIZE``:
    the same figure by finer count, so one term serves all.
    """
    if rule is BadnessRule.LEGACY:
        return None
    total = max(total_pages, 1)
    if rule is BadnessRule.PERMILLE:
        return _permille(task, total)
    memory = task.rss_pages + (task.swap_pages or 0) + (task.pgtables_pages or 0)
    # The division comes first in the kernel: below 1000 pages in all, adj has no weight.
    unit = total // 1000
    adj_pages = task.oom_score_adj * unit
    bonus = _root_bonus(task, memory, unit, rule)
    points = memory + bonus + adj_pages
    raised = rule is not BadnessRule.SIGNED and points < 1
    return _record(task, unit, adj_pages, bonus, 1 if raised else points, raised=raised)


def _root_bonus(task: TaskMemory, memory: int, unit: int, rule: BadnessRule) -> int:
    if not task.cap_sys_admin:
        return 0
    if rule is BadnessRule.UNSIGNED_ROOT_BONUS:
        return -(memory * 3 // 100)
    if rule is BadnessRule.UNSIGNED_ROOT_ADJ:
        return -_ROOT_ADJ * unit
    return 0


def _permille(task: TaskMemory, total: int) -> Badness:
    """``mm/oom_kill.c:oom_badness`` (v3.0): thousandths from the start, clamped to 1..1000.

    Since Linux kernel commit f755a042d82b ("oom: use pte pages in OOM score") (in v2.6.39), page
    tables count.
    """
    memory = task.rss_pages + (task.swap_pages or 0) + (task.pgtables_pages or 0)
    bonus = _ROOT_ADJ if task.cap_sys_admin else 0
    share = memory * 1000 // total - bonus + task.oom_score_adj
    unit = total // 1000
    return _record(
        task, unit, task.oom_score_adj * unit, -bonus * unit, min(max(share, 1), 1000), raised=share < 1
    )


def _record(task: TaskMemory, unit: int, adj_pages: int, bonus: int, points: int, *, raised: bool) -> Badness:
    exact = task.swap_pages is not None and task.pgtables_pages is not None
    return Badness(
        task.rss_pages,
        task.swap_pages,
        task.pgtables_pages,
        bonus,
        task.oom_score_adj,
        unit,
        adj_pages,
        points,
        raised,
        exact,
    )


def system_total_pages(ram_pages: int, swap_pages: int) -> int:
    """Total of ``CONSTRAINT_NONE``: totalram_pages (MemTotal) and total_swap_pages (SwapTotal)."""
    return ram_pages + swap_pages


def nodes_total_pages(node_pages: Iterable[int], swap_pages: int) -> int:
    """Total of ``CONSTRAINT_MEMORY_POLICY`` and ``CONSTRAINT_CPUSET``: the nodes allowed, and all swap.

    ``node_pages`` are the present pages of the nodes in the policy's nodemask, or in the cpuset's mems;
    ``mm/oom_kill.c:constrained_alloc`` (v4.19) still took spanned pages, holes included.
    """
    return sum(node_pages) + swap_pages


def memcg_total_pages(
    max_pages: int, swap_max_pages: Limit, total_swap_pages: int, *, swappiness: int = 60
) -> int:
    """Total of ``CONSTRAINT_MEMCG`` on v2: the cgroup's own memory.max, and swap as far as swap.max allows.

    ``mm/memcontrol.c:mem_cgroup_get_max``. Tighter limits of ancestors do not count. Swap counts unless
    swappiness is 0, whether or not any is free. A limit of 0 counts as 1 page.
    """
    swap = min(swap_max_pages, total_swap_pages) if swappiness else 0
    assert isinstance(swap, int)
    return (max_pages + swap) or 1


def memcg_v1_total_pages(
    limit_pages: int, memsw_limit_pages: Limit, total_swap_pages: int, *, swappiness: int = 60
) -> int:
    """Total of ``CONSTRAINT_MEMCG`` on v1, where memsw limits memory and swap together.

    ``mm/memcontrol.c:mem_cgroup_get_max``; without swap accounting memsw is ``MAX``.
    """
    return memcg_total_pages(
        limit_pages, memsw_limit_pages - limit_pages, total_swap_pages, swappiness=swappiness
    )
