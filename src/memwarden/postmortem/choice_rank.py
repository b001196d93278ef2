"""The task table scored: every row's points at both ends of what the total may have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memwarden.postmortem.choice_total import UNBOUNDED_PAGES
from memwarden.rules.badness import OOM_SCORE_ADJ_MIN, Badness, TaskMemory, oom_badness
from memwarden.state.traits import BadnessRule, Basis

if TYPE_CHECKING:
    from memwarden.postmortem.choice_total import Total
    from memwarden.postmortem.model import OomReport, TaskRow

OOM_ADJ_DISABLE = -17
"""``include/linux/oom.h`` (v2.6.35): the ``oom_adj`` that oom_score_adj -1000 replaced."""

OOM_SCORE_ADJ_MIN_USEFUL = OOM_SCORE_ADJ_MIN + 1
"""The lowest oom_score_adj that still takes part in the comparison."""


class Scored(NamedTuple):
    """A row that could be chosen. ``least`` and ``most`` are its points at each end of the total.

    They differ where the text leaves a term open: whether a root process had CAP_SYS_ADMIN, or how much swap
    and page tables a process had in tables that do not list them.
    """

    row: TaskRow
    least: tuple[Badness, ...]
    most: tuple[Badness, ...]
    listed: Badness
    """The points by what the table lists, at the low end of the total, without any root bonus."""

    def floor(self, end: int) -> int:
        """The least points at one end of the total."""
        return self.least[end].points

    def ceiling(self, end: int) -> int:
        """The most points at one end of the total."""
        return self.most[end].points

    @property
    def open(self) -> bool:
        """Whether the text leaves a term of the points open."""
        return self.least != self.most


def rule_of(report: OomReport) -> BadnessRule:
    """The generation of the badness rule; the current one where nothing tells."""
    return BadnessRule.SIGNED if report.traits is None else report.traits.badness


def rule_is_assumed(report: OomReport) -> bool:
    """Whether nothing in the text told the generation of the rule."""
    return report.traits is None or report.traits.basis_of("badness") is Basis.ASSUMED


def may_be_chosen(row: TaskRow) -> bool:
    """Whether the kernel may select the row: not init, not exempt by oom_score_adj -1000.

    (``mm/oom_kill.c:oom_unkillable_task`` and ``oom_badness``, v6.12; kernel threads have no row.)
    """
    if row.pid == 1 or row.tgid == 1:
        return False
    return row.oom_score_adj != OOM_SCORE_ADJ_MIN and row.oom_adj != OOM_ADJ_DISABLE


def task_memory(row: TaskRow, page: int, *, hidden_pages: int = 0, cap_sys_admin: bool = False) -> TaskMemory:
    """A row as badness reads it; ``hidden_pages`` are added where the table does not list swap."""
    return TaskMemory(
        rss_pages=row.rss_pages or 0,
        swap_pages=hidden_pages or row.swap_pages,
        pgtables_pages=None if row.pgtables_bytes is None else row.pgtables_bytes // page,
        oom_score_adj=row.oom_score_adj or 0,
        cap_sys_admin=cap_sys_admin,
    )


def scored(report: OomReport, total: Total | None, rule: BadnessRule) -> tuple[Scored, ...]:
    """Every row that may be chosen, in table order. Empty where the rule cannot be computed at all.

    Without a total the ends are those of oom_score_adj without any weight, and with all of it.
    """
    page = report.host.page_size_bytes
    ends = (1, UNBOUNDED_PAGES) if total is None else total.ends
    hidden = _hidden_pages(report)
    found = []
    for row in report.tasks:
        if row.rss_pages is None or not may_be_chosen(row):
            continue
        listed = least = most = _at(task_memory(row, page), ends, rule)
        if row.uid in (0, None):
            least = _at(task_memory(row, page, cap_sys_admin=True), ends, rule)
        if hidden:
            most = _at(task_memory(row, page, hidden_pages=hidden), ends, rule)
        if listed:
            found.append(Scored(row, least, most, listed[0]))
    return tuple(found)


def _at(task: TaskMemory, ends: tuple[int, ...], rule: BadnessRule) -> tuple[Badness, ...]:
    scores = [oom_badness(task, end, rule) for end in ends]
    return tuple(score for score in scores if score is not None)


def _hidden_pages(report: OomReport) -> int:
    """What one process can have at most beyond its row: all used swap, all page tables.

    Tables have swap and page tables since 3.7; without figures to bound them there is no bound.
    """
    if not report.tasks or report.tasks[0].swap_pages is not None:
        return 0
    node, page = report.node, report.host.page_size_bytes
    if node is None or node.total_swap_bytes is None or node.free_swap_bytes is None:
        return UNBOUNDED_PAGES
    used = node.total_swap_bytes - node.free_swap_bytes
    return (used + (node.pagetables_bytes or 0)) // page
