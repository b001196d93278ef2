"""Growth against memory.high, memory.max and the machine: expected values by the kernel's own arithmetic."""

import pytest

from memwarden.rules.high_delay import delay_jiffies, overage
from memwarden.sim.result import Kind
from memwarden.sim.run import simulate
from memwarden.sim.scenario import Group, Grow, Machine, Program, Scenario
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MIB

SMALL = Machine(ram_bytes=GIB, thp=False)


def grow(group, machine=SMALL, *, part=None, duration_s=100):
    hog = Program("hog", group.path, (part or Grow(None),))
    return simulate(Scenario("grow", machine, (group,), (hog,), duration_us=duration_s * 10**6))


def past(result, mib):
    return next(s.time_us / 1e6 for s in result.samples if s.groups["/a"].usage.total > mib * MIB)


@pytest.mark.parametrize(
    ("batch", "times"),
    [(64, {105: 1.1, 108: 4.5, 110: 8.8, 115: 29, 120: 67}), (32, {105: 2.1, 108: 8.8, 110: 17, 115: 58})],
)
def test_growth_above_high_takes_as_long_as_on_the_kernel(batch, times):
    machine = SMALL._replace(traits=KernelTraits(hz=250, charge_batch_pages=batch))
    result = grow(Group("/a", high_bytes=100 * MIB), machine)
    for mib, expected in times.items():
        assert past(result, mib) == pytest.approx(expected, rel=0.05, abs=0.1)


def test_the_sleeps_are_the_sum_of_each_refills_delay():
    result = grow(Group("/a", high_bytes=100 * MIB), part=Grow(None, 110 * MIB))
    high, page = 100 * 256, 64
    expected = sum(
        delay_jiffies(64, [overage(high + refill * page, high)], hz=250, batch_pages=64)
        for refill in range(1, 10 * 256 // page + 1)
    )
    assert result.work[0].throttled_us == expected * 4000


def test_high_counts_seventeen_attempts_for_each_sleep():
    result = grow(Group("/a", high_bytes=100 * MIB), part=Grow(None, 109 * MIB))
    # 36 refills of 64 pages; the first five are below 1.37 % (10 ms) and make one attempt each
    assert result.counters["/a"]["high"] == 5 + 31 * 17


def test_a_pass_of_reclaim_that_finds_nothing_is_paid_for():
    machine = SMALL._replace(pass_us=1000.0)
    result = grow(Group("/a", high_bytes=100 * MIB), machine, part=Grow(None, 109 * MIB))
    # as many passes as there are attempts at memory.high, a millisecond each
    work = result.work[0]
    assert work.stalled_us - work.throttled_us == pytest.approx((5 + 31 * 17) * 1000, rel=0.01)


def test_a_hopeless_charge_is_tried_eighteen_times_and_then_kills():
    result = grow(Group("/a", max_bytes=100 * MIB), duration_s=2)
    counts = result.counters["/a"]
    assert (counts["max"], counts["oom"], counts["oom_kill"]) == (18, 1, 1)
    kill = next(event for event in result.events if event.kind is Kind.OOM_KILL)
    assert (kill.cgroup, kill.program, kill.amount_bytes, kill.detail) == ("/a", "hog", 100 * MIB, "/a")
    assert result.samples[-1].groups["/a"].usage.total == 0


def test_the_machine_kills_at_the_min_watermark():
    result = grow(Group("/a"), duration_s=2)
    kill = next(event for event in result.events if event.kind is Kind.OOM_KILL)
    # 1 GiB less the kernel's 100 MiB less 4096 kB that stay free, in whole batches of 256 KiB
    assert kill.amount_bytes == GIB - 100 * MIB - 4 * MIB
    assert kill.detail == "/"
    assert result.counters["/a"]["oom"] == 0
    assert result.counters["/a"]["oom_kill"] == 1
