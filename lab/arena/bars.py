"""Medians over seeds, and the bars that memwarden is held to.

The bars, for each column of memwarden: in every scenario that must be acted on, in every seed, a permitted
victim dies and nobody else, the database lives, and the kernel's own OOM killer is not needed. Full stall and
the 99th percentile of the database's latency are no worse than the best of the columns whose database lived,
beyond that one's spread, and three times better than the median of those columns, unless that is as without
load; or they are within the spread of a run without load. Where nothing must be done nothing is done. Idle
CPU time is below that of every other daemon, peak RSS below nohang's. Only results that were made with what
is here now count.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

from lab.arena import columns, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.arena.judged import Judged

SEEDS = 5
BETTER = 3.0
OURS = tuple(column.name for column in columns.COLUMNS if column.name.startswith("memwarden"))
OTHERS = tuple(column.name for column in columns.COLUMNS if column.name not in OURS)
PEERS = tuple(name for name in OTHERS if name != "kernel")


class Spread(NamedTuple):
    """A figure over seeds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """From at least one value."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1])


def figure(value: float) -> str:
    """A figure as people write it: whole from 100 on, else three digits, at most three after the point.

    >>> figure(1053.98), figure(86.679), figure(4.992), figure(0.00028)
    ('1054', '86.7', '4.99', '0')

    What was never measured, as a latency of requests that were not answered, is "-".
    """
    if value == math.inf:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{round(value, 3):.3g}"


class Cell(NamedTuple):
    """One column in one scenario."""

    turns: tuple[Judged, ...]

    def spread(self, field: str) -> Spread:
        """Median and range of a field of :class:`Judged`."""
        return Spread.of(float(getattr(turn, field)) for turn in self.turns)

    @property
    def database_lived(self) -> bool:
        """In every seed."""
        return all(turn.database_lived for turn in self.turns)

    @property
    def right(self) -> int:
        """In how many seeds the outcome is right."""
        return sum(turn.right for turn in self.turns)


class Bar(NamedTuple):
    """One promise: what is asked, what was measured. ``held`` is ``None`` until enough was run to say."""

    column: str
    scenario: str
    asked: str
    measured: str
    held: bool | None


Table = dict[tuple[str, str], Cell]


def table(turns: Iterable[Judged]) -> Table:
    """Results by column and scenario."""
    found: dict[tuple[str, str], list[Judged]] = {}
    for turn in turns:
        found.setdefault((turn.column, turn.scenario), []).append(turn)
    return {key: Cell(tuple(group)) for key, group in found.items()}


def bars(cells: Table) -> list[Bar]:
    """All bars, in order."""
    found = []
    for name in OURS:
        for scenario in scenarios.SCENARIOS:
            if scenario.kind != scenarios.IDLE:
                found.append(_outcome(cells, name, scenario.name))
            if scenario.kind == scenarios.MUST:
                found += [_paid(cells, name, scenario.name, one) for one in (STALL, P99)]
        found += _idle(cells, name)
    found.append(_objective(cells))
    return found


STALL = ("full stall", "stall_s", "s")
P99 = ("p99 of the database", "p99_ms", "ms")


def _outcome(cells: Table, column: str, scenario: str) -> Bar:
    asked = f"right in {SEEDS} seeds of {SEEDS}"
    cell = cells.get((column, scenario))
    if cell is None:
        return Bar(column, scenario, asked, "not run", None)
    measured = f"{cell.right} of {len(cell.turns)}"
    if cell.right < len(cell.turns):
        return Bar(column, scenario, asked, measured, held=False)
    return Bar(column, scenario, asked, measured, True if len(cell.turns) >= SEEDS else None)


def _paid(cells: Table, column: str, scenario: str, what: tuple[str, str, str]) -> Bar:
    """No worse than the best, and three times better than the median, or at the floor of an idle machine."""
    words, field, unit = what
    cell, idle = cells.get((column, scenario)), cells.get((column, "idle"))
    rivals = [cells[name, scenario] for name in OTHERS if (name, scenario) in cells]
    rivals = [rival for rival in rivals if rival.database_lived]
    asked = f"{words}: the best's, and a third of the median"
    if cell is None or idle is None or not all((name, scenario) in cells for name in OTHERS):
        return Bar(column, scenario, asked, "not all run", None)
    if not cell.database_lived:
        return Bar(column, scenario, asked, "the database was killed", held=False)
    ours, floor = cell.spread(field), idle.spread(field)
    measured = f"{figure(ours.median)} {unit}"
    # What the best's spread is, and which median counts, is known after all seeds.
    whole = all(len(one.turns) >= SEEDS for one in (cell, idle, *rivals)) or None
    if ours.median <= floor.most:
        measured += f", as without load (up to {figure(floor.most)})"
        return Bar(column, scenario, asked, measured, whole)
    if not rivals:
        return Bar(column, scenario, asked, f"{measured}, no other column's database lived", whole)
    spreads = [rival.spread(field) for rival in rivals]
    best = min(spreads, key=lambda spread: spread.median)
    middle = statistics.median(spread.median for spread in spreads)
    at_floor = middle <= floor.most  # better than without load is not to be had
    held = ours.median <= best.most and (at_floor or ours.median * BETTER <= middle)
    measured += f"; best {figure(best.median)} (up to {figure(best.most)}), median {figure(middle)}"
    control = scenarios.CONTROLS.get(scenario)
    if control and (alone := cells.get((scenarios.ALONE, control.name))):
        measured += f"; nobody to kill: {figure(alone.spread(field).median)}"
    return Bar(column, scenario, asked, measured, held if whole else None)


def _idle(cells: Table, column: str) -> list[Bar]:
    def compare(words: str, field: str, unit: str, rivals: tuple[str, ...]) -> Bar:
        ours = cells.get((column, "idle"))
        theirs = [cells[name, "idle"] for name in rivals if (name, "idle") in cells]
        if ours is None or len(theirs) < len(rivals):
            return Bar(column, "idle", words, "not all run", None)
        mine = ours.spread(field).median
        least = min(cell.spread(field).median for cell in theirs)
        whole = all(len(one.turns) >= SEEDS for one in (ours, *theirs)) or None
        measured = f"{figure(mine)} {unit} against {figure(least)}"
        return Bar(column, "idle", words, measured, mine < least if whole else None)

    return [
        compare("CPU time in a minute: below every daemon's", "cpu_ms", "ms", PEERS),
        compare("peak RSS: below nohang's", "rss_mib", "MiB", ("nohang",)),
    ]


def _objective(cells: Table) -> Bar:
    """The stall of the database's cgroup, as the kernel counts it, second by second."""
    column = OURS[-1]
    asked_of = [scenario.name for scenario in scenarios.SCENARIOS if scenario.kind == scenarios.MUST]
    found = [cells[column, name] for name in asked_of if (column, name) in cells]
    asked = "no second in which the database stalls for more than 50 ms"
    if not found:
        return Bar(column, "all that must be acted on", asked, "not run", None)
    whole = (len(found) == len(asked_of) and all(len(cell.turns) >= SEEDS for cell in found)) or None
    late = sum(turn.waited_s for cell in found for turn in cell.turns)
    seconds = sum(scenarios.BY_NAME[turn.scenario].window_s for cell in found for turn in cell.turns)
    return Bar(
        column, "all that must be acted on", asked, f"{late} of {seconds} seconds", False if late else whole
    )
