"""memory.high's sleep, against the worked values of the kernel's arithmetic at HZ 250."""

import pytest

from memwarden.rules.high_delay import delay_jiffies, overage, penalty_jiffies

MIB_PAGES = 256
HIGH = 100 * MIB_PAGES


def delay_ms(usage_mib, *, charged=64, batch=64, hz=250):
    over = overage(usage_mib * MIB_PAGES, HIGH)
    return delay_jiffies(charged, [over], hz=hz, batch_pages=batch) * 1000 // hz


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (100, 0), (101, 0), (102, 24), (103, 56), (104, 100), (105, 156), (106, 228), (107, 312), (108, 408),
        (110, 636), (112, 920), (115, 1436), (117, 1848), (118, 2000), (400, 2000),
    ],
)  # fmt: skip
def test_one_batch_sleeps_as_the_kernel_has_it(usage, expected):
    assert delay_ms(usage) == expected


@pytest.mark.parametrize(("charged", "batch", "expected"), [
    (32, 64, 316), (64, 64, 636), (128, 64, 1272), (512, 64, 2000),
    (32, 32, 636), (64, 32, 1272), (128, 32, 2000),
])  # fmt: skip
def test_more_pages_cost_more_and_a_batch_of_5_10_twice_as_much(charged, batch, expected):
    assert delay_ms(110, charged=charged, batch=batch) == expected


@pytest.mark.parametrize(("hz", "percent", "sleeps"), [(250, 1.36, False), (250, 1.38, True),
                                                       (1000, 1.30, False), (1000, 1.32, True)])  # fmt: skip
def test_there_is_no_sleep_up_to_a_hundredth_of_a_second(hz, percent, sleeps):
    high = 10_000_000
    over = overage(int(high * (1 + percent / 100)), high)
    assert bool(delay_jiffies(64, [over], hz=hz, batch_pages=64)) is sleeps


def test_memory_and_swap_are_added():
    over = overage(105 * MIB_PAGES, HIGH)
    assert delay_jiffies(64, [over, over], hz=250, batch_pages=64) == 2 * 39  # 156 ms are 39 jiffies


def test_a_limit_of_nothing_counts_as_one_page():
    assert overage(1, 0) == 1 << 20
    assert penalty_jiffies(64, overage(4097, 0), hz=250, batch_pages=64) > 500


def test_the_square_overflows_as_in_c():
    # usage an exact multiple of 4096 pages above a high of 0: (2**32)**2 is 0 in 64 bits
    assert penalty_jiffies(64, overage(4096, 0), hz=250, batch_pages=64) == 0
