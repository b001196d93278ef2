"""Many incidents on one screen: one row per unit and cause, repeated kills drawn together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.names import short_id
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, escape, short_size

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """What the table needs of an incident, which itself need not be kept.

    ``limit`` is the cgroup's limit that was hit, ``None`` for the machine; names are as in the log.
    """

    where: str
    cause: str
    seen: str
    limit: Limit | None
    comms: tuple[str, ...]


@dataclass(slots=True)
class Group:
    """Incidents of one place with one cause: how many, the first of them, and their numbers from 1."""

    first: Brief
    number: int
    last: int = 0
    count: int = 0
    kills: int = 0
    comms: dict[str, None] = field(default_factory=dict)
    """Names of the victims in order, each once."""

    def add(self, number: int, one: Brief) -> None:
        """Count an incident."""
        self.last = number
        self.count += 1
        self.kills += len(one.comms)
        self.comms |= dict.fromkeys(one.comms)

    @property
    def range(self) -> str:
        """The numbers in at most nine characters: ``1``, ``1-4``, ``1,3``, ``1,..99``."""
        if self.number == self.last:
            return str(self.number)
        if self.last - self.number == self.count - 1:
            return f"{self.number}-{self.last}"
        return f"{self.number},{self.last}" if self.count == 2 else f"{self.number},..{self.last}"


class Groups:
    """Repeated kills of the same place drawn together, in order of their first."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Group] = {}
        self.incidents = 0

    def __iter__(self) -> Iterator[Group]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def add(self, one: Brief) -> None:
        """Count the next incident."""
        self.incidents += 1
        group = self._found.setdefault((one.where, one.cause), Group(one, self.incidents))
        group.add(self.incidents, one)

    @property
    def title(self) -> str:
        """``12 OOM reports``."""
        return counted(self.incidents, "OOM report")


def brief(incident: Incident) -> Brief:
    """The little that is kept of an incident."""
    return Brief(
        where(incident),
        incident.verdict.cause,
        first_seen(incident),
        limit_hit(incident),
        tuple(victim.comm for victim in incident.report.victims),
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


def summary_table(groups: Groups, width: int, paint: Paint) -> list[str]:
    """The table with its title."""
    places = counted(len(groups), "place and cause", "places and causes")
    head = paint(f"{groups.title}, {places}", "bold")
    return [head, "", *render(COLUMNS, [_row(group) for group in groups], width, paint)]


def _row(group: Group) -> Row:
    more = f" +{len(group.comms) - 1}" if len(group.comms) > 1 else ""
    return Row(
        (
            group.range,
            str(group.kills),
            escape(group.first.seen),
            escape(group.first.where),
            escape(next(iter(group.comms))) + more if group.comms else ABSENT,
            short_size(group.first.limit),
            group.first.cause,
        )
    )
