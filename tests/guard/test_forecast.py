"""Slopes and what they are worth: leaks, steps, saw-teeth, noise."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memwarden.guard.forecast import LAG_BYTES, Ends, Trend, ends, trend
from memwarden.units import GIB, KIB, MAX, MIB
from tests.guard.ticks import MS, S

TICK = 100 * MS
rates = st.floats(1, 4096).map(lambda mib: mib * MIB)


def series(values_mib, every=TICK):
    return [10 * S + every * at for at in range(len(values_mib))], [int(value * MIB) for value in values_mib]


def slope(values_mib, every=TICK, **options):
    return trend(*series(values_mib, every), **options)


def certain(found, headroom, within_us):
    """What makes a detector fire: memory ends within the time even at the latest."""
    when = ends(headroom, found)
    return when is not None and when.latest_us <= within_us


def test_too_little_to_tell():
    assert slope([]) is None
    assert slope([1, 2], every=S) is None
    assert slope([1, 2, 3], every=149 * MS) is None
    assert slope([1, 2, 3], every=150 * MS) is not None


@given(rates, st.integers(3, 60), st.integers(150 * MS, 2 * S), st.integers(0, 8 * GIB))
def test_a_constant_leak_is_told_after_three_samples(rate, count, every, base):
    times = [S + every * at for at in range(count)]
    found = trend(times, [base + int(rate * (time - S) / S) for time in times])
    assert found.rate_bps == pytest.approx(rate, rel=0.1)
    # Nothing is uncertain but what the kernel's counters hold back.
    assert found.error_bps <= LAG_BYTES * S / found.span_us * 1.01 + 1
    assert not found.recovers


def test_a_leak_after_a_long_calm_is_not_averaged_with_it():
    found = slope([100] * 50 + [104, 108, 112, 116])
    assert found.rate_bps == pytest.approx(40 * MIB)
    assert found.samples == 4


def test_growth_that_has_stopped_is_not_said_to_go_on():
    found = slope([4 * at for at in range(50)] + [196] * 4)
    assert found.rate_bps == pytest.approx(0, abs=1)
    assert found.error_bps < MIB


def test_noise_is_averaged_out_over_a_longer_line():
    noise = [3, -2, 1, -3, 2, 0, -1, 3, -2, 1] * 5
    found = slope([100 + 4 * at + noise[at] for at in range(50)])
    assert found.samples > 20
    assert found.rate_bps == pytest.approx(40 * MIB, rel=0.1)
    assert found.error_bps < 20 * MIB


def test_noise_alone_has_a_large_error():
    found = slope([100, 105, 98, 103, 99])
    assert found.error_bps > abs(found.rate_bps)


@given(st.integers(1, 60), st.integers(1, 40), st.floats(0.1, 4096), st.integers(TICK, S))
def test_a_step_is_never_taken_for_growth(before, after, height, every):
    found = slope([0] * before + [height] * after, every)
    assume(found is not None)
    assert found.least_bps <= 1e-3
    assert not certain(found, 1, 3600 * S)


@given(st.lists(st.integers(0, 64), min_size=4, max_size=80), st.integers(4, 60))
def test_what_stays_within_a_band_never_ends_the_room_above_it(values, last):
    # One tooth up to the top of the band is known.
    found = slope([0, 64, 0, *values])
    assert not certain(found, (64 + 8 - values[-1]) * MIB + 1, 3600 * S)


@given(
    period=st.integers(4, 40), teeth=st.integers(2, 6), phase=st.integers(0, 39),
    amplitude=st.integers(1, 2000), spare=st.integers(0, 100),
)  # fmt: skip
def test_saw_teeth_of_a_garbage_collector_end_nothing(period, teeth, phase, amplitude, spare):
    values = [amplitude * (at % period) / (period - 1) for at in range(teeth * period + phase % period)]
    # The next tooth may be a little higher than the last.
    room = amplitude * 9 / 8 - values[-1] + spare
    assert not certain(slope(values), int(room * MIB) + 1, 3600 * S)


def test_beyond_the_earlier_peak_it_is_growth_again():
    teeth = [at % 20 * 5 for at in range(60)]
    known = slope([*teeth, *range(0, 60, 5)])
    assert (known.recovers, known.below_peak_bytes) == (True, 40 * MIB)  # of 95
    assert ends(200 * MIB, known).latest_us is MAX
    # Memory would end before the peak: others have taken it since.
    assert ends(30 * MIB, known).latest_us < S
    beyond = slope([*teeth, *range(0, 115, 5)])
    assert (beyond.recovers, beyond.below_peak_bytes) == (False, 0)
    assert ends(200 * MIB, beyond).expected_us == pytest.approx(4 * S, rel=0.01)
    assert ends(200 * MIB, beyond).latest_us < 5 * S


def test_a_peak_that_a_kill_ended_does_not_count():
    times, held = series([100, 400, 400, 0, 0, 0, 0, 4, 8, 12, 16])
    assert trend(times, held).below_peak_bytes == (400 - 16) * MIB
    assert not trend(times, held, since_us=times[3]).recovers


def test_the_line_goes_no_further_back_than_asked():
    assert slope([4 * at for at in range(100)]).span_us == 9_900 * MS
    assert slope([4 * at for at in range(100)], longest_us=2 * S).span_us == 2 * S
    # Sparse samples: three in any case, more while they are near enough.
    sparse = slope(list(range(10)), 4 * S, longest_us=10 * S)
    assert (sparse.samples, sparse.span_us) == (3, 8 * S)
    assert slope(list(range(10)), 4 * S, longest_us=20 * S).span_us == 20 * S
    # Dense lately, sparse before: the next one is further than twice as far.
    times = [0, 9 * S, *range(18 * S, 18 * S + 5 * TICK, TICK)]
    wide = trend(times, [time // 1000 * KIB for time in times], longest_us=30 * S)
    assert wide.span_us == times[-1]


def test_when_it_ends():
    # 100 MiB at 40 MiB/s, give or take 10: 2.5 s, from 2 s to 3 1/3 s.
    found = ends(100 * MIB, Trend(40 * MIB, 10 * MIB, S, 10))
    assert found == Ends(2_500_000, 2_000_000, 3_333_333)


def test_what_does_not_fill_does_not_end():
    assert ends(100, None) is None
    assert ends(None, Trend(1.0, 0.0, S, 3)) is None
    assert ends(MAX, Trend(1.0, 0.0, S, 3)) is None
    assert ends(100, Trend(-5.0, 5.0, S, 3)) is None


def test_only_the_error_fills():
    assert ends(10, Trend(0.0, 5.0, S, 3)) == Ends(MAX, 2 * S, MAX)
    assert ends(10, Trend(2.0, 5.0, S, 3)).latest_us is MAX


def test_no_room_left_is_now():
    assert ends(-5, Trend(10.0, 1.0, S, 3)) == Ends(0, 0, 0)


trends = st.builds(
    Trend,
    st.floats(-1e12, 1e12),
    st.floats(0, 1e12),
    st.just(S),
    st.just(5),
    st.booleans(),
    st.integers(0, 1 << 40),
)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), trends)
def test_more_headroom_never_ends_sooner(room, more, growth):
    near, far = ends(room, growth), ends(room + more, growth)
    assert (near is None) == (far is None)
    if near is not None:
        assert near.earliest_us <= far.earliest_us
        assert near.expected_us <= far.expected_us
        assert near.latest_us <= far.latest_us
        assert near.earliest_us <= near.expected_us <= near.latest_us


def test_what_never_changed_does_not_grow():
    found = slope([100] * 50)
    # 256 KiB may wait to be counted, over 4.9 s.
    assert (found.rate_bps, found.span_us) == (0, 4_900 * MS)
    assert found.error_bps == pytest.approx(LAG_BYTES / 4.9)
    assert slope([100] * 50, longest_us=S).span_us == S


def test_the_next_tooth_may_be_a_little_higher():
    # From 100 to 200 and back, again and again; the last one is at 205, and 212.5 is an eighth above.
    teeth = [100 + 10 * (at % 11) for at in range(44)]
    higher = slope([*teeth, *(105 + 10 * at for at in range(11))])
    assert (higher.recovers, higher.below_peak_bytes) == (True, 0)
    assert ends(MIB, higher).latest_us is MAX
    assert not slope([*teeth, *(105 + 10 * at for at in range(12))]).recovers
