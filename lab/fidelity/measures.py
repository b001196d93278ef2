"""The quantities that are compared, taken in the same way from a guest's run and from a simulation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.fidelity.scenarios import MIB, Scenario
from memwarden.sim.result import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.sim.result import Result

FORKED = "forked"
"""What the event of a child's start says of it."""
ORDER = ("throttled", "max", "oom_kill")
BINS = tuple((low / 100, (low + 2) / 100) for low in range(2, 20, 2))
"""Overage above memory.high or memory.swap.high, as a share of it, in which speeds are taken."""


class Measures(NamedTuple):
    """One run. Times in microseconds since the start, ``None`` where it did not happen; sizes in bytes."""

    victims: tuple[str, ...]
    order: tuple[str, ...]
    reclaim_us: int | None
    throttled_us: int | None
    oom_us: int | None
    peaks: dict[str, int]
    finals: dict[str, int]
    stalls_us: dict[str, int]
    speeds: dict[float, float]
    """Bytes per second by the lower edge of a bin of ``BINS``."""
    kills: dict[str, int] = {}  # noqa: RUF012 - never changed
    """Of rows with children, who are not told apart: how many of a cgroup's processes were killed."""


def of_guest(row: Scenario, run: Mapping[str, Any]) -> Measures:
    """What a guest's run of a scenario says."""
    first = _earliest({name: at for name, at in run["first_us"].items() if name.split()[1] != "low"})
    groups = run["groups"]
    ends = sorted(run["ends"], key=lambda end: int(end[1]))
    size = 1 if _line(row)[0] == "high" else 1 + 2 * len(row.groups)
    samples = [(sample[0], sample[size]) for sample in run["samples"]] if row.curve else []
    return Measures(
        victims=tuple(name for name, _, status in ends if status & 0x7F == 9),
        order=_order(first),
        reclaim_us=min((first[name] for name in ("high", "max") if name in first), default=None),
        throttled_us=first.get("throttled"),
        oom_us=first.get("oom_kill"),
        peaks={path: group["kernel_peak_bytes"] or group["peak_bytes"] for path, group in groups.items()},
        finals={path: group["final_bytes"] for path, group in groups.items()},
        stalls_us={path: group["stall_us"].get("some", 0) for path, group in groups.items()},
        speeds=_speeds(row, samples) if row.curve else {},
        kills={path: group["events"].get("oom_kill", 0) for path, group in groups.items()}
        if _children(row)
        else {},
    )


def _children(row: Scenario) -> bool:
    return any(load.words[0] == "forks" for load in row.loads)


def _line(row: Scenario) -> tuple[str, int]:
    """What the first cgroup of a row with a curve is held at: memory.high, or memory.swap.high; in bytes."""
    return next(
        ((knob, value * MIB) for knob, value in row.groups[0].knobs if knob in ("high", "swap.high")), ("", 0)
    )


def _earliest(events: Mapping[str, int]) -> dict[str, int]:
    """Of ``"/a max": time`` the earliest time by name, whichever cgroup."""
    found: dict[str, int] = {}
    for key, at in events.items():
        name = key.split()[1]
        found[name] = min(at, found.get(name, at))
    return found


def _order(first: Mapping[str, int]) -> tuple[str, ...]:
    """What happened, by time; what one look of the sampler showed at once in the usual order."""
    there = [name for name in ORDER if name in first]
    return tuple(sorted(there, key=lambda name: first[name]))


def of_simulation(row: Scenario, result: Result) -> Measures:
    """What a simulation of the same scenario says."""
    kinds = {Kind.THROTTLED: "throttled", Kind.MAX: "max", Kind.OOM_KILL: "oom_kill"}
    first: dict[str, int] = {}
    for event in result.events:
        if event.kind in kinds:
            first.setdefault(kinds[event.kind], event.time_us)
    begun = [
        event.time_us
        for event in result.events
        # Of the machine's reclaim memory.events say nothing.
        if event.kind in (Kind.RECLAIM, Kind.MAX, Kind.THROTTLED) and event.cgroup != "/"
    ]
    swap = _line(row)[0] == "swap.high"
    last = result.samples[-1].groups
    paths = [group.path for group in row.groups]
    usages = [(one.time_us, one.groups[paths[0]].usage) for one in result.samples]
    samples = [(at, usage.swap if swap else usage.total) for at, usage in usages]
    return Measures(
        victims=_victims(result),
        order=_order(first),
        reclaim_us=min(begun, default=None),
        throttled_us=first.get("throttled"),
        oom_us=first.get("oom_kill"),
        peaks={path: max(one.groups[path].usage.total for one in result.samples) for path in paths},
        finals={path: last[path].usage.total for path in paths},
        stalls_us={path: int(last[path].some_us) for path in paths},
        speeds=_speeds(row, samples) if row.curve else {},
        kills={path: result.counters[path]["oom_kill"] for path in paths} if _children(row) else {},
    )


def _victims(result: Result) -> tuple[str, ...]:
    """In the order in which they were gone, as a guest's are: a small one is gone before a large one.

    Children are counted, and not named (``kills``).
    """
    started = {event.pid for event in result.events if event.kind is Kind.STARTED and event.detail != FORKED}
    killed = [
        event.program for event in result.events if event.kind is Kind.OOM_KILL and event.pid in started
    ]
    gone = [event.program for event in result.events if event.kind is Kind.GONE]
    return tuple(sorted(killed, key=lambda name: gone.index(name) if name in gone else len(gone)))


def _speeds(row: Scenario, samples: Sequence[tuple[int, int]]) -> dict[float, float]:
    """The mean speed of growth in each bin of overage that was crossed whole.

    Growth is a batch, then a sleep: an edge between two steps is crossed in proportion, at the speed of both.
    """
    _, high = _line(row)
    steps: list[tuple[int, int]] = []
    for at, usage in samples:
        if not steps or usage > steps[-1][1]:
            steps.append((at, usage))
    crossed: dict[float, float] = {}
    for edge in sorted({edge for pair in BINS for edge in pair}):
        level = high * (1 + edge)
        for (before, low), (after, usage) in pairwise(steps):
            if low < level <= usage:
                crossed[edge] = before + (after - before) * (level - low) / (usage - low)
                break
    return {
        low: (up - low) * high / (crossed[up] - crossed[low]) * 1e6
        for low, up in BINS
        if low in crossed and up in crossed and crossed[up] > crossed[low]
    }
