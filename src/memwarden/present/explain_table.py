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
    Column("KILLS"),
    Column("FIRST SEEN", right=False, drop=2),
    Column("WHERE", right=False, flexible=True),
    Column("PROCESS", right=False, flexible=True, least=8),
    Column("LIMIT", drop=1),
    Column("CAUSE", right=False),
)


class Group(NamedTuple):
    """Incidents of one place with one cause: their numbers, counted from 1, and the first of them."""

    numbers: tuple[int, ...]
    first: Incident
    kills: int
    comms: tuple[str, ...]


def groups(incidents: Sequence[Incident]) -> list[Group]:
    """Repeated kills of the same unit drawn together, in order of their first."""
    found: dict[tuple[str, str], list[tuple[int, Incident]]] = {}
    for number, incident in enumerate(incidents, 1):
        found.setdefault((where(incident), incident.verdict.cause), []).append((number, incident))
    return [_group(members) for members in found.values()]


def _group(members: list[tuple[int, Incident]]) -> Group:
    dead = [victim for _, incident in members for victim in incident.report.victims]
    return Group(
        tuple(number for number, _ in members),
        members[0][1],
        len(dead),
        tuple(dict.fromkeys(victim.comm for victim in dead)),
    )


def where(incident: Incident) -> str:
    """The victim's pod, container, unit or cgroup; the machine where the text names none."""
    if incident.kubernetes is not None and incident.kubernetes.pod_uid is not None:
        return f"pod {incident.kubernetes.pod_uid}"
    if incident.container is not None:
        return f"{incident.container.runtime} {short_id(incident.container.id)}"
    report = incident.report
    path = report.task_path or (report.memcg.oom_path if report.memcg is not None else None)
    return incident.unit or path or ("machine" if report.scope == "system" else ABSENT)


def summary_table(incidents: Sequence[Incident], width: int, paint: Paint) -> list[str]:
    """The table with its title."""
    found = groups(incidents)
    places = counted(len(found), "place and cause", "places and causes")
    title = f"{counted(len(incidents), 'OOM report')}, {places}"
    return [paint(title, "bold"), "", *render(COLUMNS, [_row(group) for group in found], width, paint)]


def _row(group: Group) -> Row:
    more = f" +{len(group.comms) - 1}" if len(group.comms) > 1 else ""
    return Row(
        (
            numbers(group.numbers),
            str(group.kills),
            first_seen(group.first),
            escape(where(group.first)),
            escape(group.comms[0]) + more if group.comms else ABSENT,
            short_size(limit_of(group.first)),
            group.first.verdict.cause,
        )
    )


def numbers(found: tuple[int, ...]) -> str:
    """``1``, ``1-4``, ``1,3,..9``: at most eight characters."""
    if len(found) == 1:
        return str(found[0])
    if found[-1] - found[0] == len(found) - 1:
        return f"{found[0]}-{found[-1]}"
    return f"{found[0]},{found[1]}" if len(found) == 2 else f"{found[0]},..{found[-1]}"


def first_seen(incident: Incident) -> str:
    """The date and time without fraction and zone, or seconds since boot."""
    when = incident.report.when
    if when.wall is not None:
        return escape(when.wall.partition(".")[0].partition(",")[0].replace("T", " ")[:24])
    return ABSENT if when.monotonic_us is None else f"{when.monotonic_us / 1_000_000:.0f} s"


def limit_of(incident: Incident) -> Limit | None:
    """The limit that was hit; nothing for the machine."""
    memcg = incident.report.memcg
    return memcg.limit_bytes if memcg is not None and incident.report.scope == "memcg" else None
