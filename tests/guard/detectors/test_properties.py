"""What must hold of detectors for any past."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard import ir
from memwarden.guard.detectors import compile_detector
from memwarden.units import MIB
from tests.guard.ticks import MS, S, group, look, psi, tick

levels = st.lists(st.integers(0, 500), min_size=1, max_size=40)
percents = st.lists(st.floats(0, 100), min_size=1, max_size=30)


def ending(held, available):
    return [
        tick(at * 100 * MS, held=mib, meminfo={"MemTotal": 4096 * MIB, "MemAvailable": available * MIB})
        for at, mib in enumerate(held)
    ]


@given(levels, st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 60 * S))
def test_more_headroom_never_makes_exhaustion_fire(held, available, more, within):
    near = look(compile_detector(ir.Exhaustion(within)), *ending(held, available))
    far = look(compile_detector(ir.Exhaustion(within)), *ending(held, available + more))
    assert all(less.fired for less, roomy in zip(near, far, strict=True) if roomy.fired)


@given(levels, st.integers(0, 2000), st.integers(0, 60 * S), st.integers(0, 60 * S))
def test_a_longer_horizon_never_makes_exhaustion_rest(held, available, within, more):
    short = look(compile_detector(ir.Exhaustion(within)), *ending(held, available))
    long = look(compile_detector(ir.Exhaustion(within + more)), *ending(held, available))
    assert all(later.fired for sooner, later in zip(short, long, strict=True) if sooner.fired)


@given(percents, st.integers(0, 10_000), st.integers(0, 10), st.integers(0, 5_000))
def test_pressure_that_fires_fires_at_a_lower_threshold(values, threshold, seconds, less):
    ticks = [tick(at * S, memory_pressure=psi((value, 0, 0))) for at, value in enumerate(values)]
    high = look(compile_detector(ir.Pressure(threshold, for_us=seconds * S)), *ticks)
    low = look(compile_detector(ir.Pressure(max(threshold - less, 0), for_us=seconds * S)), *ticks)
    assert all(lower.fired for higher, lower in zip(high, low, strict=True) if higher.fired)


@given(percents, st.integers(0, 10_000), st.integers(0, 10))
def test_it_fires_when_every_tick_of_the_time_was_above(values, threshold, seconds):
    ticks = [tick(at * S, memory_pressure=psi((value, 0, 0))) for at, value in enumerate(values)]
    found = look(compile_detector(ir.Pressure(threshold, for_us=seconds * S)), *ticks)
    above = [round(value * 100) > threshold for value in values]
    assert [one.fired for one in found] == [
        at >= seconds and all(above[at - seconds : at + 1]) for at in range(len(values))
    ]


@given(st.lists(st.integers(0, S), min_size=1, max_size=20), st.integers(1, 5 * S), st.integers(0, 2 * S))
def test_nobody_stalls_longer_than_the_window(stalls, window, above):
    total, ticks = 0, []
    for at, stalled in enumerate(stalls):
        total += stalled if at else 0
        ticks.append(tick(at * S, group("/a", memory_pressure=psi(full_us=total))))
    for one in look(compile_detector(ir.Stall(above, window, cgroups=("/a",))), *ticks):
        assert one.value is None or 0 <= one.value <= window
        assert one.fired == (one.value is not None and one.value > above)
