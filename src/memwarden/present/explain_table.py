"""Many incidents on one screen: one row per unit and cause, repeated kills drawn together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.names import short_id
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, escape, short_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.postmortem.model import Incident
    from memwarden.present.colour import Paint
    from memwarden.units import Limit

MANY: Final = 3
"""Up to so many incidents are read one after the other; more get a table first."""

COLUMNS: Final = (
    Column("NO", right=False),
    Column("KILLS", drop=3),
    Column("FIRST SEEN", right=False, drop=2),
    Column("WHERE", right=False, flexible=True),
    Column("PROCESS", right=False, flexible=True, least=8),
    Column("LIMIT", drop=1),
    Column("CAUSE", right=False),
)


class Brief(NamedTuple):
    """What the table and the heading need of an incident, which itself need not be kept.

    ``limit`` is the cgroup's limit that was hit, ``None`` for the machine; names are as in the log.
    """

    summary: str
    where: str
    cause: str
    seen: str
    limit: Limit | None
    comms: tuple[str, ...]


class Group(NamedTuple):
    """Incidents of one place with one cause: their numbers, counted from 1, and the first of them."""

    numbers: tuple[int, ...]
    first: Brief
    kills: int
    comms: tuple[str, ...]

    @property
    def range(self) -> str:
        """The numbers in at most nine characters: ``1``, ``1-4``, ``1,3``, ``1,..99``."""
        first, last = self.numbers[0], self.numbers[-1]
        if first == last:
            return str(first)
        if last - first == len(self.numbers) - 1:
            return f"{first}-{last}"
        return f"{first},{last}" if len(self.numbers) == 2 else f"{first},..{last}"


def brief(incident: Incident) -> Brief:
    """The little that is kept of an incident."""
    report = incident.report
    return Brief(
        incident.verdict.summary,
        where(incident),
        incident.verdict.cause,
        first_seen(incident),
        limit_hit(incident),
        tuple(victim.comm for victim in report.victims),
    )


def limit_hit(incident: Incident) -> Limit | None:
    """The cgroup's limit that was hit; ``None`` for the machine."""
    memcg = incident.report.memcg
    if memcg is None or incident.report.scope != "memcg":
        return None
    return memcg.memsw_limit_bytes if incident.verdict.cause == "memcg-swap-limit" else memcg.limit_bytes


def where(incident: Incident) -> str:
    """The victim's pod, container, unit or cgroup; the machine where the text names none."""
    if incident.kubernetes is not None and incident.kubernetes.pod_uid is not None:
        return f"pod {incident.kubernetes.pod_uid}"
    if incident.container is not None:
        return f"{incident.container.runtime} {short_id(incident.container.id)}"
    report = incident.report
    path = report.task_path or (report.memcg.oom_path if report.memcg is not None else None)
    return incident.unit or path or ("machine" if report.scope == "system" else ABSENT)


def first_seen(incident: Incident) -> str:
    """The date and time without fraction and zone, or seconds since boot."""
    when = incident.report.when
    if when.wall is not None:
        return when.wall.partition(".")[0].partition(",")[0].replace("T", " ")[:24]
    return ABSENT if when.monotonic_us is None else f"{when.monotonic_us / 1_000_000:.0f} s"


def groups(briefs: Sequence[Brief]) -> list[Group]:
    """Repeated kills of the same place drawn together, in order of their first."""
    found: dict[tuple[str, str], list[tuple[int, Brief]]] = {}
    for number, one in enumerate(briefs, 1):
        found.setdefault((one.where, one.cause), []).append((number, one))
    return [_group(members) for members in found.values()]


def _group(members: list[tuple[int, Brief]]) -> Group:
    dead = [comm for _, one in members for comm in one.comms]
    return Group(tuple(number for number, _ in members), members[0][1], len(dead), tuple(dict.fromkeys(dead)))


def title(briefs: Sequence[Brief]) -> str:
    """``12 OOM reports``."""
    return counted(len(briefs), "OOM report")


def summary_table(briefs: Sequence[Brief], width: int, paint: Paint) -> list[str]:
    """The table with its title."""
    found = groups(briefs)
    places = counted(len(found), "place and cause", "places and causes")
    head = paint(f"{title(briefs)}, {places}", "bold")
    return [head, "", *render(COLUMNS, [_row(group) for group in found], width, paint)]


def _row(group: Group) -> Row:
    more = f" +{len(group.comms) - 1}" if len(group.comms) > 1 else ""
    return Row(
        (
            group.range,
            str(group.kills),
            escape(group.first.seen),
            escape(group.first.where),
            escape(group.comms[0]) + more if group.comms else ABSENT,
            short_size(group.first.limit),
            group.first.cause,
        )
    )
