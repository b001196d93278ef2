"""A recording at a glance: memory, swap and stalls as bars over time, and below them when a policy acts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from memwarden.present.spark import spark
from memwarden.units import SECOND_US, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memwarden.guard.course import Course, Stretch

CELLS: Final = 50
INDENT: Final = " " * 10
LEGEND: Final = "x kills, o acts otherwise, . says, K the kernel kills"
RANKS: Final = " .oKx"
"""Marks by rising weight: of several in one cell the weightiest is shown."""

DATES_FROM_US: Final = 10**9 * SECOND_US
"""Seconds since 1970 are what monitoring writes; no machine has been up for the 31 years that these are."""


def moment(time_us: int) -> str:
    """A time of a recording: seconds of it, or a day and time in UTC where they are counted from 1970.

    >>> moment(38_000_000), moment(1_760_000_048_000_000), moment(10**18)
    ('38.0 s', '2025-10-09 08:54:08', '1000000000000.0 s')
    """
    if time_us >= DATES_FROM_US:
        try:
            return f"{datetime.fromtimestamp(time_us // SECOND_US, UTC):%Y-%m-%d %H:%M:%S}"
        except (OverflowError, ValueError, OSError):
            pass
    return f"{time_us / SECOND_US:.1f} s"


class Axis:
    """Times of one recording against cells."""

    def __init__(self, course: Course, width: int) -> None:
        self.first_us = course.stretches[0].begin_us
        self.last_us = course.stretches[-1].end_us
        self.cells = max(1, min(CELLS, width - len(INDENT) - 22))

    def cell(self, time_us: int) -> int:
        """Where it is."""
        whole = max(1, self.last_us - self.first_us)
        return max(0, min(self.cells - 1, (time_us - self.first_us) * self.cells // whole))

    def bars(
        self, stretches: Sequence[Stretch], value: Callable[[Stretch], float | None], whole: float
    ) -> str:
        """The highest value of each cell; one in which nothing was recorded stands as the last one before."""
        tops: list[float] = [-1.0] * self.cells
        for one in stretches:
            found = value(one)
            if found is not None:
                last = self.cell(one.end_us)
                for cell in range(min(last, self.cell(one.begin_us + 1)), last + 1):
                    tops[cell] = max(tops[cell], found)
        for cell, top in enumerate(tops):
            if top < 0:
                tops[cell] = tops[cell - 1] if cell else 0.0
        return spark(tops, whole, self.cells)

    def marks(self, happened: Iterable[tuple[int, str]]) -> str:
        """One line with a mark where something happened."""
        cells = [" "] * self.cells
        for time_us, mark in happened:
            at = self.cell(time_us)
            cells[at] = max(cells[at], mark, key=RANKS.index)
        return "".join(cells).rstrip()


def share(one: Stretch) -> float | None:
    """Share of a stretch in which all tasks stalled; ``None`` where nobody knows."""
    took = one.end_us - one.begin_us
    return None if one.stalled_us is None or took <= 0 else min(1.0, one.stalled_us / took)


def lines(course: Course, axis: Axis) -> list[str]:
    """The bars, each with its name before and its highest value behind, and the two ends of the time.

    Nothing where no time passed.
    """
    if axis.first_us == axis.last_us:
        return []
    found = []
    rows: tuple[tuple[str, Callable[[Stretch], float | None], float], ...] = (
        ("memory", lambda one: one.used_bytes, course.total_bytes),
        ("swap", lambda one: one.swap_bytes, course.swap_total_bytes),
    )
    for name, value, whole in rows:
        known = [top for one in course.stretches if (top := value(one)) is not None]
        if whole and known:
            bars = axis.bars(course.stretches, value, whole)
            top = int(max(known))
            found.append(f"{name:<{len(INDENT)}}{bars}  to {size(top)}, {100 * top / whole:.0f} %")
    shares = [top for one in course.stretches if (top := share(one)) is not None]
    if shares:
        bars = axis.bars(course.stretches, share, 1.0)
        found.append(f"{'stalled':<{len(INDENT)}}{bars}  to {100 * max(shares):.0f} %")
    if found:
        ends = moment(axis.first_us), moment(axis.last_us)
        found.append(INDENT + ends[0] + ends[1].rjust(max(len(ends[1]) + 1, axis.cells - len(ends[0]))))
    return found
