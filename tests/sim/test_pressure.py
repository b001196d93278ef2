"""Who counts as stalled, and for how long."""

import pytest

from memwarden.sim.scenario import Group, Grow, Machine, Program, Sawtooth, Scenario
from memwarden.sim.world.pressure import Pressure
from memwarden.units import GIB, MIB
from tests.sim.conserved import run

TABLE = {1: 18.1, 2: 33.0, 3: 45.1, 4: 55.0, 5: 63.2, 6: 69.9, 7: 75.3, 10: 86.5}


def test_averages_of_a_full_stall_are_the_kernels():
    pressure = Pressure(cpus=2, hz=250)
    pressure.stalled = 1
    for periods, avg10 in TABLE.items():
        read = pressure.read(periods * 2_004_000)
        assert read.some.avg10_pct == pytest.approx(avg10, abs=0.1)
        assert read.full.total_us == read.some.total_us == periods * 2_004_000


def test_a_long_calm_forgets():
    pressure = Pressure(cpus=2, hz=250)
    pressure.stalled = 1
    pressure.advance(10 * 2_004_000)
    pressure.stalled = 0
    assert pressure.read(11 * 2_004_000).some.avg10_pct == pytest.approx(86.5 * 1677 / 2048, abs=0.1)
    assert pressure.read(2_000 * 2_004_000).some.avg10_pct == 0.0
    assert pressure.read(2_000 * 2_004_000).some.total_us == 10 * 2_004_000


@pytest.mark.parametrize(
    ("cpus", "stalled", "running", "some", "full"),
    [
        (2, 1, 0.0, 1.0, 1.0),
        (2, 1, 1.0, 0.5, 0.5),  # each on a processor of its own: half of what was not idle
        (4, 1, 3.0, 0.25, 0.25),
        (1, 1, 1.0, 1.0, 0.0),  # both on the one processor
        (1, 1, 0.25, 1.0, 0.75),  # the other runs for a quarter of the time
        (1, 2, 0.0, 1.0, 1.0),
        (2, 3, 1.0, 0.9375, 0.5625),  # two on each: 1 - 1/4**2 and 3/4**2
    ],
)
def test_some_and_full_are_shares_of_busy_processors(cpus, stalled, running, some, full):
    pressure = Pressure(cpus=cpus, hz=250)
    pressure.stalled, pressure.running = stalled, running
    pressure.advance(1_000_000)
    assert (pressure.some_us, pressure.full_us) == (some * 1e6, full * 1e6)


def test_sleep_at_memory_high_is_a_stall_of_the_cgroup_and_all_above():
    groups = (Group("/s"), Group("/s/a", high_bytes=50 * MIB))
    program = Program("p", "/s/a", (Grow(None),))
    machine = Machine(ram_bytes=GIB, thp=False)
    _, result = run(Scenario("psi", machine, groups, (program,), duration_us=30_000_000))
    last = result.samples[-1]
    slept = result.work[0].throttled_us
    assert last.groups["/s/a"].some_us == last.groups["/s"].some_us == last.some_us
    # the last sleep goes on beyond the end
    assert slept - 2_000_000 <= last.some_us <= result.work[0].stalled_us
    assert last.full_us == last.some_us
    assert last.some_avg10 > 80


def test_tasks_that_want_more_processors_than_there_are_take_turns():
    def gc_moved(instances):
        program = Program("p", "/a", (Sawtooth(1e12, 64 * MIB, 0),), instances=instances)
        machine = Machine(ram_bytes=2 * GIB, cpus=2)
        _, result = run(Scenario("cpu", machine, (), (program,), duration_us=300_000), limit=200_000)
        return result.work[0].moved_bytes

    one, two, four = gc_moved(1), gc_moved(2), gc_moved(4)
    assert two == pytest.approx(2 * one, rel=0.1)
    assert four == pytest.approx(2 * one, rel=0.1)


def test_who_ran_before_on_the_other_processors_counts_against_the_one_that_stalls():
    """collect_percpu_times: a processor's weight is its busy time of the period, whenever that was.

    In each period somebody stalls for a tenth of it, alone, and another runs for four tenths: of five tenths
    of busy time one is the stalling processor's own and half of four is on it, which is 0.6 of all.
    """
    pressure, period, stalled = Pressure(cpus=2, hz=250), 2_004_000, []
    for number in range(3):
        before = pressure.full_us
        pressure.stalled, pressure.own_us = 1, period * 0.1
        pressure.advance(number * period + period // 10)
        pressure.stalled, pressure.own_us, pressure.running = 0, 0.0, 1.0
        stalled.append(pressure.full_us - before)
        assert pressure.watched
        pressure.advance(number * period + period // 2)
        pressure.running = 0.0
        pressure.advance((number + 1) * period)
    # Of the first period nobody knows yet.
    assert stalled == pytest.approx([period * 0.1, period * 0.06, period * 0.06])
    assert pressure.some_us == pressure.full_us
    pressure.advance(5 * period)
    assert not pressure.watched


def test_processors_that_all_stall_are_all_there_is():
    pressure = Pressure(cpus=2, hz=250)
    pressure.stalled = 2
    pressure.advance(10_020_000)
    assert (pressure.some_us, pressure.full_us) == (10_020_000, 10_020_000)
