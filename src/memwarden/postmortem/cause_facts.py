"""Everything that follows from a report by arithmetic, gathered once for the sentences that need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memwarden.postmortem.cause_limit import LimitHit, limit_hit
from memwarden.postmortem.cause_zones import ZoneVerdict, zone_verdict
from memwarden.postmortem.choice import Choice, check
from memwarden.postmortem.filled_memcg import memcg_fill, with_swap
from memwarden.postmortem.filled_system import nodes_fill, system_fill
from memwarden.rules.identity import Identity, identify

if TYPE_CHECKING:
    from memwarden.postmortem.filled import Fill
    from memwarden.postmortem.model import OomReport


@dataclass(frozen=True, slots=True)
class Facts:
    """A report and what was worked out of it.

    ``owner`` is whose limit was hit (``None`` outside a cgroup's limit), ``home`` the victim's cgroup.
    """

    report: OomReport
    limit: LimitHit
    fill: Fill | None
    zones: ZoneVerdict | None
    choice: Choice
    owner: Identity | None
    home: Identity | None


def _fill(report: OomReport, limit: LimitHit) -> Fill | None:
    if report.scope == "memcg":
        fill = memcg_fill(report)
        return with_swap(fill, limit.usage_bytes) if limit.which == "memory+swap" else fill
    return nodes_fill(report) if report.scope in ("cpuset", "mempolicy") else system_fill(report)


def facts(report: OomReport) -> Facts:
    """Do the arithmetic."""
    memcg = report.scope == "memcg"
    limit = limit_hit(report)
    oom_path = report.memcg.oom_path if report.memcg is not None else None
    return Facts(
        report=report,
        limit=limit,
        fill=_fill(report, limit),
        zones=None if memcg else zone_verdict(report),
        choice=check(report),
        owner=identify(oom_path) if oom_path is not None else None,
        home=identify(report.task_path) if report.task_path is not None else None,
    )
