"""Growth against headroom: how fast memory is taken, when it ends, and how sure that is.

The slope is that of least squares over the latest samples, as few as three over 0.3 s at first and then twice
as far back again and again while the longer line agrees with the shorter one and is surer. So a leak that
began a moment ago is not averaged with the quiet before it, one that stopped is not said to go on, and noise
is averaged out where there is nothing but noise.

Its error is the greatest of three. Student's t for 99 % times the standard error: noise. Four times the
largest residual over the span: a single step of height 1 leaves a residual of nearly 1/2 wherever it stands,
and has a slope of at most 1.5 / span, so that a step alone is never taken for growth, however sure the
standard error is. (Theil and Sen's median slope would be robust too, but has no error to go with it.) And
what the kernel's counters may lag behind, over the span.

What rises may fall again, as the heap of every garbage collector does. A line cannot know, the past does:
what is below an earlier peak has been held before and was given back, and is likely to be so again. So
growth up to an earlier peak, or an eighth of the fall beyond it since teeth are not all equally high, has no
latest time, unless memory would end before that peak.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from memwarden.units import KIB, MAX, SECOND_US, Limit, Max

LEAST_SPAN_US: Final = 300_000
LEAST_SAMPLES: Final = 3
LONGEST_US: Final = 10 * SECOND_US
LAG_BYTES: Final = 256 * KIB
"""What two CPUs may hold back (``mm/memcontrol.c:memcg_vmstats_needs_flush``: 64 updates each)."""
_FAR_US: Final = 1e15
_T99: Final = (63.7, 9.92, 5.84, 4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17)
"""Two-sided 99 % of Student's t by degrees of freedom from 1; 3.17 is on the safe side beyond."""


class Trend(NamedTuple):
    """Bytes per second, and how far off that may be, from ``samples`` over ``span_us``.

    ``recovers`` tells that the latest sample is on ground that was held before and given back, or little
    above it; ``below_peak_bytes`` is how far below that peak.
    """

    rate_bps: float
    error_bps: float
    span_us: int
    samples: int
    recovers: bool = False
    below_peak_bytes: int = 0

    @property
    def least_bps(self) -> float:
        """What it grows by at least."""
        return self.rate_bps - self.error_bps


class Ends(NamedTuple):
    """Microseconds until memory ends: as expected, and at the earliest and latest with the error."""

    expected_us: Limit
    earliest_us: int
    latest_us: Limit


def trend(
    times_us: Sequence[int], held: Sequence[int], *, longest_us: int = LONGEST_US, since_us: int = 0
) -> Trend | None:
    """The slope of ``held`` at its end; ``None`` with fewer than 3 samples or less than 0.3 s.

    ``times_us`` rises. ``longest_us`` bounds how far back the line goes; a peak counts from ``since_us`` on.
    """
    count = len(times_us)
    if count < LEAST_SAMPLES or times_us[-1] - times_us[0] < LEAST_SPAN_US:
        return None
    now, start = times_us[-1], count - LEAST_SAMPLES
    if max(held) == min(held):
        # Most cgroups, most of the time.
        span = max(min(now - times_us[0], longest_us), LEAST_SPAN_US)
        return Trend(0.0, LAG_BYTES * SECOND_US / span, span, count)
    while now - times_us[start] < LEAST_SPAN_US:
        start -= 1
    rate, error = _line(times_us, held, start)
    further = start
    while further > 0:
        back = now - min(2 * (now - times_us[further]), longest_us)
        earlier = further
        while earlier > 0 and times_us[earlier - 1] >= back:
            earlier -= 1
        if earlier == further:
            # The samples before are sparse: take one more if it is near enough at all.
            if now - times_us[further - 1] > longest_us:
                break
            earlier -= 1
        wider = _line(times_us, held, earlier)
        if abs(wider[0] - rate) > error or wider[1] > error:
            break
        (rate, error), start, further = wider, earlier, earlier
    recovers, below = _recovery(times_us, held, start, since_us)
    return Trend(rate, error, now - times_us[start], count - start, recovers, below)


def _recovery(times_us: Sequence[int], held: Sequence[int], start: int, since_us: int) -> tuple[bool, int]:
    """Whether it may turn again as it did before ``start``, and how far below that peak it is."""
    first = bisect_left(times_us, since_us)
    if first >= start:
        return False, 0
    peak = max(held[first:start])
    fall = peak - min(held[held.index(peak, first) :])
    return held[-1] < peak + fall // 8, max(peak - held[-1], 0)


def _line(times_us: Sequence[int], held: Sequence[int], start: int) -> tuple[float, float]:
    """Slope and error in bytes per second, by least squares from the sample ``start`` on."""
    # Relative to the first sample: squares of microseconds since boot would not fit a float's 53 bits.
    zero_us, zero = times_us[start], held[start]
    seconds = [(time - zero_us) / SECOND_US for time in times_us[start:]]
    values = [float(value - zero) for value in held[start:]]
    count = len(seconds)
    middle, mean = sum(seconds) / count, sum(values) / count
    spread = sum((second - middle) ** 2 for second in seconds)
    slope = sum((second - middle) * value for second, value in zip(seconds, values, strict=True)) / spread
    residuals = [
        value - mean - slope * (second - middle) for second, value in zip(seconds, values, strict=True)
    ]
    freedom = count - 2
    deviation: float = (sum(residual * residual for residual in residuals) / freedom / spread) ** 0.5
    span = seconds[-1]
    noise = _T99[min(freedom, len(_T99)) - 1] * deviation
    step = 4 * max(*residuals, -min(residuals)) / span
    return slope, max(noise, step, LAG_BYTES / span)


def ends(headroom_bytes: Limit | None, growth: Trend | None) -> Ends | None:
    """When ``headroom_bytes`` are taken at this growth; ``None`` when it does not fill, or is unlimited.

    ``expected_us`` is ``MAX`` where only the error would fill it, ``latest_us`` where the growth is within
    its error, or would reach an earlier peak before the end.
    """
    if headroom_bytes is None or isinstance(headroom_bytes, Max) or growth is None:
        return None
    fastest = growth.rate_bps + growth.error_bps
    if fastest <= 0:
        return None
    room = max(headroom_bytes, 0)
    recovers = growth.recovers and growth.below_peak_bytes <= room
    return Ends(
        expected_us=_time_us(room, growth.rate_bps),
        earliest_us=int(min(room / fastest * SECOND_US, _FAR_US)),
        latest_us=MAX if recovers else _time_us(room, growth.least_bps),
    )


def _time_us(room_bytes: int, rate_bps: float) -> Limit:
    time_us = room_bytes / rate_bps * SECOND_US if rate_bps > 0 else _FAR_US
    return int(time_us) if time_us < _FAR_US else MAX
