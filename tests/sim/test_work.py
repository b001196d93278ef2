"""What a program is said to have done lies within its life and within the run."""

from hypothesis import given

from memwarden.sim.result import Kind
from memwarden.sim.run import simulate
from memwarden.sim.scenario import Group, Grow, Machine, Program, Scenario
from memwarden.sim.summary import summary
from memwarden.units import GIB, MIB
from tests.sim.test_properties import FEW, scenarios


def test_a_sleep_that_goes_on_beyond_the_end_counts_up_to_the_end():
    groups = (Group("/a", high_bytes=50 * MIB),)
    program = Program("p", "/a", (Grow(None), Grow(None)))
    machine = Machine(ram_bytes=GIB, thp=False)
    for duration in (5_000_000, 5_900_000, 7_777_777):
        work = simulate(Scenario("end", machine, groups, (program,), duration_us=duration)).work[0]
        # two threads that sleep at the same time are one process that stalls
        assert 0.9 * duration - 1_000_000 < work.throttled_us <= work.stalled_us <= duration


def test_a_sleep_ends_with_the_process():
    groups = (Group("/a", high_bytes=50 * MIB),)
    program = Program("p", "/a", (Grow(None),), stop_us=30_100_000)
    machine = Machine(ram_bytes=GIB, thp=False)
    result = simulate(Scenario("end", machine, groups, (program,), duration_us=60_000_000))
    assert result.work[0].throttled_us <= result.work[0].stalled_us <= 30_100_000
    assert result.samples[-1].groups["/a"].some_us <= 30_100_000
    assert [event.kind for event in result.events][-2:] == [Kind.STOPPED, Kind.GONE]


def test_who_is_killed_just_before_the_end_has_died_in_both_tables():
    groups = (Group("/a", max_bytes=60 * MIB),)
    program = Program("p", "/a", (Grow(2 * MIB),))
    result = simulate(Scenario("end", Machine(ram_bytes=GIB), groups, (program,), duration_us=30_000_000))
    assert result.events[-1].kind is Kind.OOM_KILL  # its exit takes longer than there is time
    assert (summary(result).kills, result.work[0].deaths) == (1, 1)


@FEW
@given(scenarios)
def test_nobody_stalls_for_longer_than_there_is_time(scenario):
    result = simulate(scenario)
    for work, program in zip(result.work, scenario.programs, strict=True):
        alive = 1 + sum(part.children for part in program.parts if hasattr(part, "children"))
        most = scenario.duration_us * alive * (1 + work.restarts * (alive > 1))
        assert 0 <= work.throttled_us <= work.stalled_us <= most
    for sample in result.samples:
        for group in sample.groups.values():
            assert 0 <= group.full_us <= group.some_us <= sample.time_us
