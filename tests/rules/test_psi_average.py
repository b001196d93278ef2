"""Stalled time out of avg10, against averages that are computed forward as the kernel does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.rules.psi_average import PERIOD_US, lines, periods, stalled_share

FIXED_1 = 2048
EXP = (1677, 1981, 2034)
S = 1_000_000


def calc_load(load, exp, active):
    """include/linux/sched/loadavg.h:calc_load."""
    new = load * exp + active * (FIXED_1 - exp) + (FIXED_1 - 1 if active >= load else 0)
    return new // FIXED_1


def printed(fixed):
    """LOAD_INT and LOAD_FRAC, as psi_show prints them."""
    return (fixed // FIXED_1 * 100 + fixed % FIXED_1 * 100 // FIXED_1) / 100


class Kernel:
    """Averages and total of a pressure file, updated once per period."""

    def __init__(self):
        self.averages = [0, 0, 0]
        self.total_us = 0

    def period(self, stalled_us):
        self.total_us += stalled_us
        percent = stalled_us * 100 // PERIOD_US
        self.averages = [
            calc_load(load, exp, percent * FIXED_1) for load, exp in zip(self.averages, EXP, strict=True)
        ]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60))
def test_one_sample_per_period_gives_the_stall_back(percents):
    kernel, averages, totals = Kernel(), [0.0], [0]
    for percent in percents:
        kernel.period(PERIOD_US * percent // 100)
        averages.append(printed(kernel.averages[0]))
        totals.append(kernel.total_us)
    found = lines([n * PERIOD_US for n in range(len(averages))], averages)
    for number, line in enumerate(found):
        assert line.avg10_pct == averages[number]
        # 1 % of each period for whole percents, and 0.1 % of the last for two digits.
        assert abs(line.total_us - totals[number]) <= (0.0112 * number + 0.001) * PERIOD_US


@given(
    st.integers(100_000, PERIOD_US),
    st.integers(0, PERIOD_US - 1),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 10)), min_size=1, max_size=8),
)
def test_samples_at_any_phase_give_the_sum_within_a_period_for_each_episode(every_us, phase_us, parts):
    kernel, printed_at = Kernel(), [(0, 0.0, 0)]
    for percent, count in [(0, 3), *parts, (0, 40)]:
        for _ in range(count):
            kernel.period(PERIOD_US * percent // 100)
            printed_at.append((printed_at[-1][0] + PERIOD_US, printed(kernel.averages[0]), kernel.total_us))
    times = list(range(phase_us, printed_at[-1][0], every_us))
    seen = [printed_at[time // PERIOD_US] for time in times]
    found = lines(times, [average for _, average, _ in seen])
    sums = [line.total_us for line in found]
    assert sums == sorted(sums)
    assert all(
        later - before <= time - earlier + 1
        for before, later, earlier, time in zip(sums, sums[1:], times, times[1:], strict=False)
    )
    changes = len(parts) + 1
    assert abs(sums[-1] - kernel.total_us) <= changes * (PERIOD_US + every_us) + 0.02 * len(times) * every_us


def test_the_longer_averages_are_run_forward():
    kernel, averages, others = Kernel(), [0.0], [(0.0, 0.0)]
    for percent in [0, 50, 100, 100, 100, 100, 30, 0, 0, 0, 0, 0, 0, 0]:
        kernel.period(PERIOD_US * percent // 100)
        averages.append(printed(kernel.averages[0]))
        others.append((printed(kernel.averages[1]), printed(kernel.averages[2])))
    found = lines([n * PERIOD_US for n in range(len(averages))], averages)
    for line, (avg60, avg300) in zip(found, others, strict=True):
        assert line.avg60_pct == pytest.approx(avg60, abs=0.1)
        assert line.avg300_pct == pytest.approx(avg300, abs=0.1)


def test_the_first_periods_of_a_full_stall():
    # The table of the kernel's own arithmetic: 100 * (1 - (1677/2048) ** n).
    found = lines([n * PERIOD_US for n in range(5)], [0.0, 18.1, 33.0, 45.1, 55.0])
    assert [line.total_us / PERIOD_US for line in found] == pytest.approx([0, 1, 2, 3, 4], abs=0.01)


def test_a_steady_average_is_a_steady_stall():
    found = lines([0, S, 2 * S, 7 * S], [60.0] * 4)
    assert [line.total_us for line in found] == [0, 600_000, 1_200_000, 4_200_000]
    assert {line[:3] for line in found} == {(60.0, 60.0, 60.0)}


def test_samples_twice_a_period_get_their_part_of_it():
    # The change at 4 s closes the period that began at 2 s; the sample at 3 s is half into it.
    found = lines([0, S, 2 * S, 3 * S, 4 * S], [0.0, 0.0, 0.0, 0.0, 18.12])
    # (2.004 s before the change are 4 ms before the sample at 2 s.)
    assert [line.total_us for line in found][:3] == [0, 0, 4000]
    assert found[3].total_us == pytest.approx(S, abs=10_000)
    assert found[4].total_us == pytest.approx(2 * S, abs=10_000)


def test_an_average_that_moves_smoothly_is_taken_as_it_moves():
    # Half a period of full stall from 0: 100 * (1 - (1677/2048) ** 0.5).
    half = 100 * (1 - (1677 / 2048) ** 0.5)
    found = lines([0, PERIOD_US // 2], [0.0, half])
    assert found[1].total_us == pytest.approx(PERIOD_US / 2, abs=1)


def test_what_is_not_known_is_bridged():
    found = lines([0, S, 2 * S, 6 * S], [None, 0.0, None, 0.0])
    assert [line and line.total_us for line in found] == [None, 0, None, 0]
    assert lines([0, S], [None, None]) == [None, None]


def test_more_than_can_be_is_clamped():
    assert stalled_share(0.0, 90.0, PERIOD_US) == 1.0
    assert stalled_share(90.0, 0.0, PERIOD_US) == 0.0


def test_periods_are_whole_where_they_nearly_are():
    assert [periods(n) for n in (S, 2 * S, 10 * S, 25 * PERIOD_US // 10)] == [
        pytest.approx(0.499, abs=0.001), 1, 5, 2.5,
    ]  # fmt: skip
