"""Whether the kernel's choice follows from the task table, and what the points were.

Points grow linearly with the total, so a victim that leads at both ends of the total's bounds leads
everywhere between, and a rival that leads at both ends proves that something else decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.choice_rank import Scored, rule_is_assumed, rule_of, scored
from memwarden.postmortem.choice_total import UNBOUNDED_PAGES, Total, narrowed, total_pages
from memwarden.state.traits import BadnessRule
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.model import OomReport, TaskRow

LAG_PAGES: Final = 256
LAG_PERCENT: Final = 1
"""The table is printed after the choice, and rss counters lag (up to 64 pages per thread before 6.2, more on
many processors later): a lead of a rival below 1 MiB or 1 percent proves nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of the check.

    ``checked`` as in :class:`~memwarden.postmortem.model.Verdict`; ``selected`` is the row that was scored
    (the parent, where a child was sacrificed), ``leader`` another that should have been chosen by the table.
    """

    checked: bool | None
    note: str
    total: Total | None = None
    ranking: tuple[Scored, ...] = ()
    """Rows that could be chosen, most points first at the low end of the total."""
    selected: Scored | None = None
    leader: Scored | None = None
    by_order: bool = False
    """The points were equal; the order in which the kernel visits tasks decided."""

    @property
    def runner_up(self) -> Scored | None:
        """The best of the others."""
        return next((one for one in self.ranking if one is not self.selected), None)


def check(report: OomReport) -> Choice:
    """Score the table and compare with the process that the kernel took.

    Where nothing in the text tells the kernel's generation, a choice that only an older rule explains is not
    called wrong: it cannot be checked then.
    """
    rule = rule_of(report)
    found = _checked(report, rule)
    if found.checked is not False or not rule_is_assumed(report):
        return found
    older = _checked(report, BadnessRule.UNSIGNED)
    if older.checked is False:
        return found
    note = f"the text does not name the kernel's release; by the rule before 5.9, {older.note}"
    return replace(older, checked=None, note=note)


def _checked(report: OomReport, rule: BadnessRule) -> Choice:
    obstacle = _obstacle(report, rule)
    if obstacle:
        return Choice(None, obstacle)
    total = total_pages(report)
    row = selected_row(report)
    if report.chosen is not None and row is not None:
        memory = (row.rss_pages or 0) + (row.swap_pages or 0) + (row.pgtables_bytes or 0) // page_of(report)
        total = narrowed(total, memory, row.oom_score_adj or 0, report.chosen[2])
    everyone = scored(report, total, rule)
    ranking = tuple(sorted(everyone, key=lambda one: -one.most[0].points))
    selected = next((one for one in everyone if one.row is row), None)
    scores = Choice(None, "nobody was chosen, so there is no choice to check", total, ranking, selected)
    if not report.victims:
        return scores
    if report.victims[0].via == "allocating-task":
        note = "vm.oom_kill_allocating_task is set: the kernel took the process that asked, without comparing"
        return replace(scores, note=note)
    if row is None:
        return replace(scores, note="the task table in the text does not list the victim")
    if selected is None:
        note = "the table says that the victim could not be chosen (init, or oom_score_adj -1000)"
        return replace(scores, checked=False, note=note)
    return _compare(
        scores, selected, everyone, page=page_of(report), last_of_equals=_last_of_equals(report, rule)
    )


def page_of(report: OomReport) -> int:
    """The machine's page size in bytes."""
    return report.host.page_size_bytes


def selected_row(report: OomReport) -> TaskRow | None:
    """The row of the task that was scored: the printed choice, else the first victim, or its thread group."""
    wanted = [report.chosen[0]] if report.chosen else []
    wanted += [victim.pid for victim in report.victims[:1]]
    for pid in wanted:
        for row in report.tasks:
            if pid in (row.pid, row.tgid):
                return row
    return None


def _obstacle(report: OomReport, rule: BadnessRule) -> str | None:
    if not report.tasks:
        return "the text has no task table, so the choice cannot be checked"
    if rule is BadnessRule.LEGACY:
        return (
            "kernels before 2.6.36 also counted run time and nice values, which no report prints, "
            "so the choice cannot be checked"
        )
    if all(row.rss_pages is None for row in report.tasks):
        return "the task table is damaged: no memory column could be read"
    return None


def _compare(
    scores: Choice, selected: Scored, everyone: tuple[Scored, ...], *, page: int, last_of_equals: bool
) -> Choice:
    ends = range(len(selected.most))
    rivals = [one for one in everyone if one is not selected]
    ahead = [one for one in rivals if all(one.floor(end) > selected.ceiling(end) for end in ends)]
    if ahead:
        leader = max(ahead, key=lambda one: one.floor(0))
        if _within_lag(leader, selected):
            note = "the scores are too close to tell: counters lag by more than the difference"
            return replace(scores, note=note, leader=leader)
        note = "by the table another process scored higher"
        return replace(scores, checked=False, note=note, leader=leader)
    unsure = [one for one in rivals if any(one.ceiling(end) > selected.floor(end) for end in ends)]
    if unsure:
        return replace(scores, note=_doubt(unsure, selected, scores.total, page))
    equal = [one for one in rivals if any(one.ceiling(end) == selected.floor(end) for end in ends)]
    if not equal:
        return replace(
            scores, checked=True, note="the scores recomputed from the table name the same process"
        )
    places = [everyone.index(one) for one in equal]
    at = everyone.index(selected)
    order = "last" if last_of_equals else "first"
    same = "several processes had the same points"
    if selected.least[0].raised:
        same = "all count as 1 point, since oom_score_adj takes off more than any of them holds"
    if at > max(places) if last_of_equals else at < min(places):
        note = f"{same}; the kernel takes the {order} one it visits, this one"
        return replace(scores, checked=True, note=note, by_order=True)
    note = f"{same}; which of them is visited {order} cannot be told"
    return replace(scores, note=note, by_order=True)


def _last_of_equals(report: OomReport, rule: BadnessRule) -> bool:
    """Equal points: the last visited wins since 5.9, the first before; the table is in visiting order.

    (``mm/oom_kill.c:oom_evaluate_task`` v6.12, ``select_bad_process`` v4.19)
    """
    known = None if report.traits is None else report.traits.last_of_equals
    return rule is BadnessRule.SIGNED if known is None else known


def _within_lag(leader: Scored, selected: Scored) -> bool:
    lead = min(one.points - other.points for one, other in zip(leader.least, selected.most, strict=True))
    return lead <= max(LAG_PAGES, selected.listed.memory_pages * LAG_PERCENT // 100)


def _doubt(unsure: list[Scored], selected: Scored, total: Total | None, page: int) -> str:
    if any(one.open for one in (*unsure, selected)):
        return (
            "the table does not list everything the score counted (swap and page tables before 3.7, the "
            "bonus of root processes before 4.17), so the choice can be bounded but not checked"
        )
    why = total.why if total is not None and total.why else "the text does not say how much memory counted"
    return f"{why}, which decides what oom_score_adj weighed; {_bound(unsure, selected, total, page)}"


def _bound(unsure: list[Scored], selected: Scored, total: Total | None, page: int) -> str:
    """From which amount on another would have led: lead in memory over the difference of oom_score_adj.

    ``memory + adj * (total / 1000)`` of two tasks are equal at ``total = lead / difference * 1000``.
    """
    least, most = 0, UNBOUNDED_PAGES
    for one in unsure:
        lead = selected.listed.memory_pages - one.listed.memory_pages
        difference = one.listed.oom_score_adj - selected.listed.oom_score_adj
        if difference == 0:
            return "scores in thousandths are too coarse to tell"
        equal = lead * 1000 // difference
        if difference > 0:
            most = min(most, equal)
        else:
            least = max(least, equal)
    base = 0 if total is None else total.low
    what = "memory and swap in all" if total is None else "swap"
    texts = [f"at least {size((least - base) * page)}"] if least > base else []
    texts += [f"less than {size((most - base) * page)}"] if most < UNBOUNDED_PAGES else []
    return f"the choice fits with {' and '.join(texts)} of {what}"
