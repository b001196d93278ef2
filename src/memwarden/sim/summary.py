"""What came of a simulation, in the few figures that decide: who died, who stalled, what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.sim.result import Kind
from memwarden.units import Limit, least

if TYPE_CHECKING:
    from memwarden.sim.result import Event, Result, Work

DEATHS: Final = (Kind.OOM_KILL, Kind.KILL, Kind.TERM)
"""What may end a process against its will."""
KERNEL: Final = "the kernel"
GUARD: Final = "the guard"
SUPERVISOR: Final = "its supervisor"
PANIC: Final = "the machine"
"""Who dies of a panic, where programs are named."""
TOLD: Final = (
    Kind.RECLAIM,
    Kind.THROTTLED,
    Kind.MAX,
    Kind.KSWAPD,
    Kind.DIRECT,
    Kind.OOM,
)
"""Kinds that come in stretches: the first is told and the others are counted."""
FOLDED: Final = (*TOLD, *DEATHS, Kind.STOPPED)
"""All kinds of which one stands for the like of the same cgroup and program."""
STRETCHES: Final = tuple(one for one in TOLD if one is not Kind.THROTTLED)
"""Those whose detail makes no difference."""


class Death(NamedTuple):
    """Processes of one program in one cgroup that one killer killed: from when on, and how many.

    Who ends on SIGTERM dies of it, and at that time. ``by`` is KERNEL, GUARD or SUPERVISOR.
    """

    program: str
    cgroup: str
    by: str
    first_us: int
    last_us: int
    processes: int
    held_bytes: int


class GroupSum(NamedTuple):
    """One cgroup over all of it.

    ``peak_bytes`` is memory.peak, the most there ever was. ``limit_bytes`` is the tighter of memory.high and
    memory.max at the end.
    """

    path: str
    peak_bytes: int
    limit_bytes: Limit
    stalled_us: int
    full_us: int


class Summary(NamedTuple):
    """All figures. Shares are of what was asked for, 0 to 1; ``None`` where nothing was.

    ``panic_us``: when the kernel panicked since nobody might be killed, if it did.
    """

    deaths: tuple[Death, ...]
    groups: tuple[GroupSum, ...]
    stalled_us: int
    throttled_us: int
    full_us: int
    lost: float | None
    kills: int
    panic_us: int | None = None


def summary(result: Result) -> Summary:
    """The figures of one run."""
    asked = [share for one in result.work if (share := lost(one)) is not None]
    last = result.samples[-1] if result.samples else None
    found = deaths(result.events)
    return Summary(
        deaths=found,
        groups=_groups(result),
        stalled_us=sum(one.stalled_us for one in result.work),
        throttled_us=sum(one.throttled_us for one in result.work),
        full_us=last.full_us if last else 0,
        lost=sum(asked) / len(asked) if asked else None,
        kills=sum(one.processes for one in found),
        panic_us=next((one.time_us for one in result.events if one.kind is Kind.PANIC), None),
    )


def lost(work: Work) -> float | None:
    """The share of what a program was to do that it did not do: requests if it has any, else bytes.

    ``None`` where nothing was asked for, and of who died when all its bytes were moved, or moved some again
    after it was started again: what that cost is not known, and not nothing.
    """
    if work.requests_due:
        return max(0.0, 1 - work.requests / work.requests_due)
    if not work.wanted_bytes or (work.deaths and work.moved_bytes >= work.wanted_bytes):
        return None
    return max(0.0, 1 - work.moved_bytes / work.wanted_bytes)


def deaths(events: tuple[Event, ...]) -> tuple[Death, ...]:
    """Who was killed, in order; a program's processes that the same killer killed stand together."""
    found: dict[tuple[str, str, str], Death] = {}
    ended = _ended(events)
    for one in events:
        if one.kind not in DEATHS or (one.kind is Kind.TERM and one.pid not in ended):
            continue
        held = ended.pop(one.pid) if one.kind is Kind.TERM else one.amount_bytes
        key = (one.program, one.cgroup, killer(one))
        before = found.get(key, Death(*key, one.time_us, one.time_us, 0, 0))
        found[key] = before._replace(
            last_us=one.time_us, processes=before.processes + 1, held_bytes=before.held_bytes + held
        )
    return tuple(found.values())


def killer(event: Event) -> str:
    """Who does one of DEATHS; a supervisor's reason stands in the event."""
    if event.kind is Kind.OOM_KILL:
        return KERNEL
    return SUPERVISOR if event.kind is Kind.KILL and event.detail else GUARD


def _ended(events: tuple[Event, ...]) -> dict[int, int]:
    """By pid who ended on SIGTERM, before anything else ended it, and how much memory came back."""
    asked: set[int] = set()
    ended: dict[int, int] = {}
    for one in events:
        if one.kind is Kind.TERM:
            asked.add(one.pid)
        elif one.kind in (*DEATHS, Kind.STOPPED):
            asked.discard(one.pid)
        elif one.kind is Kind.GONE and one.pid in asked:
            ended[one.pid] = one.amount_bytes
    return ended


def _groups(result: Result) -> tuple[GroupSum, ...]:
    """Samples have what was there at their time only: between two of them it may have come and gone."""
    lasts = {path: group for sample in result.samples for path, group in sample.groups.items()}
    return tuple(
        GroupSum(path, result.peaks[path], least(one.high_bytes, one.max_bytes), one.some_us, one.full_us)
        for path, one in lasts.items()
    )


class Told(NamedTuple):
    """An event that is told, and how often the like came again after it."""

    event: Event
    again: int


def told(events: tuple[Event, ...]) -> tuple[Told, ...]:
    """What happened, without what happens all the time: of a stretch's kinds the first of each cgroup."""
    found: list[Told] = []
    at: dict[tuple[Kind, str, str, str], int] = {}
    for one in events:
        if one.kind in (Kind.STARTED, Kind.GONE):
            continue
        key = (one.kind, one.cgroup, one.program, "" if one.kind in STRETCHES else one.detail)
        number = at.get(key)
        if number is None or one.kind not in FOLDED:
            at[key] = len(found)
            found.append(Told(one, 0))
        else:
            found[number] = found[number]._replace(again=found[number].again + 1)
    return tuple(found)
