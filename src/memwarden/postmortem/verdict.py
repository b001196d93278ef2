"""From what a report says to what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.advice import advice, would_have_helped
from memwarden.postmortem.cause import rule
from memwarden.postmortem.cause_facts import facts
from memwarden.postmortem.model import Container, Incident, KubernetesPod, Verdict
from memwarden.postmortem.verdict_summary import summary
from memwarden.postmortem.why_death import died, filled, limit
from memwarden.postmortem.why_doubts import doubts
from memwarden.postmortem.why_free import why_while_free
from memwarden.postmortem.why_victim import why_victim
from memwarden.state.traits import BadnessRule

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import OomReport, TaskRow
    from memwarden.rules.identity import Identity


def judge(report: OomReport) -> Incident:
    """Work out what a report means.

    Never raises on a report that :func:`memwarden.postmortem.read.find_reports` can make, however damaged:
    what the text does not hold is said to be missing.
    """
    worked = facts(report)
    ruling = rule(worked)
    fill = worked.fill
    verdict = Verdict(
        cause=ruling.cause,
        confidence=ruling.confidence,
        summary=summary(worked, ruling.cause),
        died=died(worked),
        limit=limit(worked),
        filled=filled(worked),
        why_victim=why_victim(worked, ruling.cause),
        why_while_free=why_while_free(worked, ruling.cause),
        filled_by=_filled_by(worked),
        filled_of_bytes=fill.whole_bytes if fill is not None else None,
        statements=doubts(worked, ruling.cause),
        choice_checked=worked.choice.checked,
        choice_note=worked.choice.note,
        advice=advice(worked, ruling.cause),
        would_have_helped=would_have_helped(worked, ruling.cause),
    )
    who = worked.home if worked.home is not None else worked.owner
    return Incident(
        report=report,
        tasks=_with_points(worked),
        verdict=verdict,
        unit=who.unit if who is not None else None,
        container=_container(who),
        kubernetes=_kubernetes(worked, who),
    )


def _filled_by(worked: Facts) -> tuple[tuple[str, int], ...]:
    fill = worked.fill
    if fill is None:
        return ()
    rest = (("unexplained", fill.unexplained_bytes),) if fill.unexplained_bytes else ()
    free = (("free", fill.free_bytes),) if fill.free_bytes else ()
    return (*((part.word, part.size_bytes) for part in fill.parts), *rest, *free)


def _with_points(worked: Facts) -> tuple[TaskRow, ...]:
    """Rows with their points in pages, where the text holds every term and the row could be chosen."""
    total = worked.choice.total
    permille = worked.report.traits is not None and worked.report.traits.badness is BadnessRule.PERMILLE
    points = {}
    for one in worked.choice.ranking:
        weightless = not one.row.oom_score_adj
        if not permille and not one.open and ((total is not None and total.exact) or weightless):
            points[one.row.line] = one.listed.points
    return tuple(
        row._replace(badness_pages=points[row.line]) if row.line in points else row
        for row in worked.report.tasks
    )


def _container(who: Identity | None) -> Container | None:
    if who is None or who.container is None:
        return None
    return Container(who.container.runtime, who.container.id)


def _kubernetes(worked: Facts, who: Identity | None) -> KubernetesPod | None:
    """The victim's pod; the level is that of the limit, where it is one of the kubelet's."""
    if who is None or who.level is None:
        return None
    level = worked.owner.level if worked.owner is not None and worked.owner.level is not None else who.level
    return KubernetesPod(who.qos, who.pod_uid, level)
