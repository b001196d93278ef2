"""PSI's averages, against the table of kernel.md 6.2: stall of 100 % from zero, period by period."""

import pytest

from memwarden.rules.psi_load import Averages, calc_avgs, idle, period_us

TABLE = {
    1: (18.1, 3.3, 0.7), 2: (33.0, 6.4, 1.4), 3: (45.1, 9.5, 2.0), 4: (55.0, 12.5, 2.7),
    5: (63.2, 15.3, 3.4), 6: (69.9, 18.1, 4.0), 7: (75.3, 20.8, 4.7), 10: (86.5, 28.3, 6.6),
}  # fmt: skip


def test_a_period_is_two_seconds_and_a_jiffy():
    assert period_us(250) == 2_004_000


@pytest.mark.parametrize(("periods", "expected"), TABLE.items())
def test_full_stall_from_zero(periods, expected):
    averages = Averages()
    for _ in range(periods):
        averages = calc_avgs(averages, 2_004_000, 2_004_000)
    # the table has one digit
    assert averages.percent() == pytest.approx(expected, abs=0.1)


def test_decay_from_full():
    averages, seen = Averages(100 * 2048, 0, 0), []
    for _ in range(7):
        averages = calc_avgs(averages, 0, 2_004_000)
        seen.append(round(averages.percent()[0]))
    assert seen == [82, 67, 55, 45, 37, 30, 25]


def test_missed_periods_are_as_if_each_had_been_made():
    averages = Averages(80 * 2048, 40 * 2048, 20 * 2048)
    one_by_one = averages
    for _ in range(9):
        one_by_one = calc_avgs(one_by_one, 0, 2_004_000)
    assert idle(averages, 9) == one_by_one
    assert idle(averages, 1_000_000) == Averages(0, 0, 0)


def test_whole_percents_only():
    assert calc_avgs(Averages(), 19_000, 2_004_000) == Averages(0, 0, 0)  # 0.95 % count as nothing
