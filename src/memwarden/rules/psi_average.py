"""Stalled time out of ``avg10``: what PSI's total was, where only the average was kept.

``kernel/sched/psi.c:calc_avgs`` and ``include/linux/sched/loadavg.h:calc_load`` (v6.12): once per period of
2 * HZ + 1 jiffies (2.004 s at HZ 250) each average becomes ``avg * e + share * (1 - e)``, where share is
the part of the period that stalled and e is 1677/2048, 1981/2048 and 2034/2048 for avg10, avg60 and avg300.
So two values that are n periods apart give the share between them::

    share = (later - earlier * e**n) / (1 - e**n)        clamped to 0..1

and the share times the elapsed time is the stall. n is the elapsed time in periods, taken as whole where it
is within a quarter of a whole number. Between two updates the kernel prints the same value again: an
unchanged sample says nothing yet, and the period that ends with the change is the one that is inverted, while
what was before it stalled as much as the average said. Then avg60 and avg300 are run forward from the shares.

How exact: calc_avgs counts whole percents of a period, rounded down, and prints two digits. So a share that
is constant over the interval comes out up to 1 % of the time too small, and off by 0.01 % * (1 + e**n) /
(1 - e**n) besides: 0.1 % of one period, less of several. When within a sample's interval the kernel updated
is not known, which moves stall by up to one period or one interval, whichever is longer, and the sum over a
whole episode by no more. What stalled before the first sample is taken as 0, and its avg60 and avg300 as its
avg10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.kernel.psi import PsiLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PERIOD_US: Final = 2_004_000
KEPT_10: Final = 1677 / 2048
KEPT_60: Final = 1981 / 2048
KEPT_300: Final = 2034 / 2048
WHOLE: Final = 0.25
"""So far from a whole number of periods an interval is taken for one."""


class _Point(NamedTuple):
    """Where an update was seen: the sums and averages then."""

    time_us: int
    avg10: float
    avg60: float
    avg300: float
    stalled_us: float

    def after(self, time_us: int, share: float, avg10: float) -> _Point:
        """The point at a later time, when ``share`` (0 to 1) of the time between stalled."""
        n = periods(time_us - self.time_us)
        return _Point(
            time_us,
            avg10,
            100 * share + (self.avg60 - 100 * share) * KEPT_60**n,
            100 * share + (self.avg300 - 100 * share) * KEPT_300**n,
            self.stalled_us + share * (time_us - self.time_us),
        )

    def line(self, stalled_us: float) -> PsiLine:
        """The same as the kernel prints it, with the stall until a sample."""
        return PsiLine(self.avg10, round(self.avg60, 2), round(self.avg300, 2), round(stalled_us))


def lines(times_us: Sequence[int], averages: Sequence[float | None]) -> list[PsiLine | None]:
    """One line of a pressure file for each sample; ``None`` where the average is not known.

    ``times_us`` rises; ``averages`` are avg10 in percent. A stretch without one is bridged, as if nobody had
    looked.
    """
    found: list[PsiLine | None] = [None] * len(times_us)
    last: _Point | None = None
    same: list[int] = []
    for at, (time_us, average) in enumerate(zip(times_us, averages, strict=True)):
        if average is None:
            continue
        if last is None:
            last = _Point(time_us, average, average, average, 0.0)
            found[at] = last.line(0.0)
        elif average == last.avg10:
            same.append(at)
        else:
            before = times_us[same[-1]] if same else last.time_us
            start = last.after(_start(last.time_us, before, time_us), last.avg10 / 100, last.avg10)
            share = stalled_share(start.avg10, average, time_us - start.time_us)
            for each, line in _between(times_us, same, last, start, share):
                found[each] = line
            last = start.after(time_us, share, average)
            found[at] = last.line(last.stalled_us)
            same = []
    if last is not None:
        for each, line in _between(times_us, same, last, None, 0.0):
            found[each] = line
    return found


def _start(last_us: int, before_us: int, now_us: int) -> int:
    """When the interval began that a change closes; ``before_us`` is the last sample without it."""
    if now_us - last_us <= PERIOD_US * (1 + WHOLE):
        return last_us
    return min(before_us, max(last_us, now_us - PERIOD_US))


def _between(
    times_us: Sequence[int], same: Sequence[int], last: _Point, start: _Point | None, share: float
) -> Iterator[tuple[int, PsiLine]]:
    """The samples between two updates: steady until ``start``, and ``share`` from there on."""
    for at in same:
        time_us = times_us[at]
        if start is None or time_us <= start.time_us:
            steady = last.after(time_us, last.avg10 / 100, last.avg10)
            yield at, steady.line(steady.stalled_us)
        else:
            yield at, start.line(start.stalled_us + share * (time_us - start.time_us))


def stalled_share(earlier: float, later: float, elapsed_us: int) -> float:
    """The share, 0 to 1, of the time between two values of avg10 that stalled.

    100 % of one period from 0 makes 371/2048 of 100 = 18.12:

    >>> round(stalled_share(0.0, 18.12, 2_004_000), 3), stalled_share(18.12, 14.83, 2_004_000) < 0.001
    (1.0, True)
    """
    kept: float = KEPT_10 ** periods(elapsed_us)
    return min(max((later - earlier * kept) / (1 - kept) / 100, 0.0), 1.0)


def periods(elapsed_us: int) -> float:
    """A time in periods, whole where it nearly is."""
    n = elapsed_us / PERIOD_US
    return max(round(n), 1) if n >= 1 - WHOLE and abs(n - round(n)) <= WHOLE else n
