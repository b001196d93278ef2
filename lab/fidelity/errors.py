"""The simulator against the guests: an error per quantity, scenario and kernel, and the bar it is held to."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from lab.fidelity.scenarios import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lab.fidelity.measures import Measures
    from lab.fidelity.scenarios import Scenario

SHARE = 0.15
FACTOR = 1.5
CHANCE = 0.4
"""Where the runs of one guest differ by themselves, what so many of them had is right, too."""
LITTLE_STALL_US = 200_000
"""Of stalls that are both below this a factor says nothing: they have no bar, and the error is in seconds."""
TIMES = ("first reclaim", "first throttle", "OOM")
UNIT = {"first reclaim": "s", "first throttle": "s", "OOM": "s", "stall": "s", "throttled speed": "MiB/s"}


class Error(NamedTuple):
    """One comparison. ``error`` is relative for numbers; ``bar`` is ``None`` where the issue sets none."""

    series: str
    scenario: str
    quantity: str
    what: str
    guest: str
    simulated: str
    error: float
    bar: float | None

    @property
    def within(self) -> bool:
        """Whether the bar holds."""
        return self.bar is None or self.error <= self.bar


def compare(series: str, row: Scenario, runs: Sequence[Measures], simulated: Measures) -> list[Error]:
    """Every quantity of one scenario on one kernel."""
    return [
        *_sequences(series, row, runs, simulated),
        *_times(series, row, runs, simulated),
        *_sizes(series, row, runs, simulated),
        *_stalls(series, row, runs, simulated),
        *_speeds(series, row, runs, simulated),
        *_kills(series, row, runs, simulated),
    ]


def _sequences(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    """Victims and order: right if they are what most of the runs had, or as many as :data:`CHANCE` says."""
    pick: tuple[tuple[str, Callable[[Measures], tuple[str, ...]]], ...] = (
        ("victims", lambda one: one.victims),
        ("order", lambda one: one.order),
    )
    for name, take in pick:
        seen = [take(run) for run in runs]
        mine = take(sim)
        if name == "victims" and _group(row):
            # Who dies together in a group kill dies at one time: the order is the kernel's list, not time.
            seen, mine = [tuple(sorted(one)) for one in seen], tuple(sorted(mine))
        common = Counter(seen).most_common()
        right = mine == common[0][0] or seen.count(mine) >= CHANCE * len(seen)
        yield Error(series, row.name, name, "", _seen(common), _words(mine), 0.0 if right else 1.0, 0.0)


def _group(row: Scenario) -> bool:
    return any(knob == "oom.group" for group in row.groups for knob, _ in group.knobs)


def _seen(common: Sequence[tuple[tuple[str, ...], int]]) -> str:
    """What the runs had; how many of them each, where they differ."""
    if len(common) == 1:
        return _words(common[0][0])
    return "; ".join(f"{_words(names)} (in {count})" for names, count in common)


def _words(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody"


def _times(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    picks: tuple[Callable[[Measures], int | None], ...] = (
        lambda one: one.reclaim_us,
        lambda one: one.throttled_us,
        lambda one: one.oom_us,
    )
    for name, take in zip(TIMES, picks, strict=True):
        there = [value for value in map(take, runs) if value is not None]
        if 2 * len(there) <= len(runs):
            there = []
        mine = take(sim)
        if not there and mine is None:
            continue
        bar = SHARE if name == "OOM" else None
        if not there or mine is None:
            yield Error(series, row.name, name, "", _span(there, 1e6), _one(mine, 1e6), 1.0, bar)
        else:
            yield _number(series, row, (name, ""), guests=there, mine=mine, unit=1e6, bar=bar)


def _sizes(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    for path, peak in sim.peaks.items():
        peaks = [run.peaks[path] for run in runs]
        yield _number(series, row, ("peak", path), guests=peaks, mine=peak, unit=MIB, bar=None)
        if row.shares and path.count("/") > 1:
            finals = [run.finals[path] for run in runs]
            yield _number(
                series, row, ("share", path), guests=finals, mine=sim.finals[path], unit=MIB, bar=SHARE
            )


def _stalls(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    """As a factor less one, so that 0.5 is half as long again; of little ones the seconds between them."""
    for path, mine in sim.stalls_us.items():
        values = [run.stalls_us[path] for run in runs]
        usual = median(values)
        little = max(usual, mine) < LITTLE_STALL_US
        factor = max(usual, mine) / max(min(usual, mine), 1)
        error, bar = (abs(usual - mine) / 1e6, None) if little else (factor - 1, FACTOR - 1)
        yield Error(series, row.name, "stall", path, _span(values, 1e6), _one(mine, 1e6), error, bar)


def _speeds(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    for low, mine in sim.speeds.items():
        values = [run.speeds[low] for run in runs if low in run.speeds]
        if 2 * len(values) > len(runs):
            what = f"{low:.0%} to {low + 0.02:.0%} over"
            yield _number(
                series, row, ("throttled speed", what), guests=values, mine=mine, unit=MIB, bar=SHARE
            )


def _kills(series: str, row: Scenario, runs: Sequence[Measures], sim: Measures) -> Iterable[Error]:
    for path, mine in sim.kills.items():
        values = [run.kills[path] for run in runs]
        yield _number(series, row, ("kills", path), guests=values, mine=mine, unit=1, bar=SHARE)


def _number(
    series: str,
    row: Scenario,
    name: tuple[str, str],
    *,
    guests: Sequence[float],
    mine: float,
    unit: float,
    bar: float | None,
) -> Error:
    usual = median(guests)
    error = abs(mine - usual) / usual if usual else float(mine != 0)
    return Error(series, row.name, *name, _span(guests, unit), _one(mine, unit), error, bar)


def _one(value: float | None, unit: float) -> str:
    return "-" if value is None else f"{value / unit:.2f}"


def _span(values: Sequence[float], unit: float) -> str:
    """The median, and the least and the most."""
    if not values:
        return "-"
    middle, least, most = (_one(value, unit) for value in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"
