"""Who dies, and what follows."""

import pytest

from memwarden.present.simulate_compare import text as compared
from memwarden.present.simulate_text import text
from memwarden.present.simulate_words import headline
from memwarden.sim.result import Kind
from memwarden.sim.scenario import Change, Forks, Group, Grow, Machine, Program, Scenario
from memwarden.sim.summary import summary
from memwarden.sim.sweep import point
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MIB
from tests.sim.conserved import run

MACHINE = Machine(ram_bytes=GIB, thp=False)


def outcome(*programs, groups, seconds=10, changes=(), machine=MACHINE):
    return run(Scenario("oom", machine, groups, programs, changes, duration_us=seconds * 1_000_000))[1]


def killed(result):
    return [event.program for event in result.events if event.kind is Kind.OOM_KILL]


@pytest.mark.parametrize(("adj", "victim"), [(300, "big"), (330, "small")])
def test_badness_of_a_64_mib_limit(adj, victim):
    # kernel.md 1.1: T = 16384 pages, so that a point of adj is 16 pages. 30 MiB are 7680 pages; 10 MiB with
    # adj 300 are 2560 + 4800 = 7360, with adj 330 they are 7840.
    big = Program("big", "/a", (Grow(None, 30 * MIB),))
    small = Program("small", "/a", (Grow(None, 10 * MIB),), oom_score_adj=adj)
    spare = Program("spare", "/a", (Grow(1 * MIB),), oom_score_adj=-500, start_us=1_000_000)
    result = outcome(big, small, spare, groups=(Group("/a", max_bytes=64 * MIB),), seconds=60)
    assert killed(result)[0] == victim


def test_the_peak_is_the_most_there_was_whatever_samples_saw():
    # As memory.peak says it: the limit, though the victim's memory is back before the next sample.
    big = Program("big", "/a", (Grow(None, 40 * MIB),))
    late = Program("late", "/a", (Grow(None, 30 * MIB),), start_us=2_050_000, oom_score_adj=-1000)
    result = outcome(big, late, groups=(Group("/a", max_bytes=64 * MIB),))
    assert killed(result) == ["big"]
    assert max(sample.groups["/a"].usage.total for sample in result.samples) == 40 * MIB
    assert result.peaks["/a"] == 64 * MIB
    assert next(one.peak_bytes for one in summary(result).groups if one.path == "/a") == 64 * MIB
    assert result.peaks["/"] == MACHINE.kernel_bytes + 64 * MIB


def test_a_group_dies_as_a_whole_and_is_counted_once_too_often():
    programs = (Program("p", "/a", (Grow(50 * MIB),)), Program("q", "/a", (Grow(None, 5 * MIB),)))
    result = outcome(*programs, groups=(Group("/a", max_bytes=60 * MIB, oom_group=True),))
    assert sorted(killed(result)) == ["p", "q"]
    # kernel.md 1.5: killing two processes gives oom_kill 3
    assert result.counters["/a"]["oom_kill"] == 3
    assert result.counters["/a"]["oom_group_kill"] == 1


def test_a_flag_above_the_limit_has_no_effect():
    programs = (Program("p", "/s/a", (Grow(50 * MIB),)), Program("q", "/s/b", (Grow(None, 5 * MIB),)))
    groups = (Group("/s", oom_group=True), Group("/s/a", max_bytes=60 * MIB))
    assert killed(outcome(*programs, groups=groups)) == ["p"]


def test_nobody_to_kill_spins_and_counts():
    program = Program("p", "/a", (Grow(50 * MIB),), oom_score_adj=-1000)
    result = outcome(program, groups=(Group("/a", max_bytes=20 * MIB),), seconds=5)
    counts = result.counters["/a"]
    # kernel.md 1.6: 140 to 300 oom events a second, 18 passes for each, nobody dies; full after 0.4 s
    assert 140 * 4.6 <= counts["oom"] <= 300 * 4.6
    assert counts["max"] == 18 * counts["oom"]
    assert counts["oom_kill"] == 0
    assert result.work[0].stalled_us == pytest.approx(4_600_000, rel=0.01)


def test_a_machine_on_which_nobody_may_be_killed_panics_and_that_is_the_end():
    program = Program("p", "/a", (Grow(100 * MIB),), oom_score_adj=-1000)
    result = outcome(program, groups=(), seconds=20)
    panic = result.events[-1]
    assert panic.kind is Kind.PANIC
    assert 9_000_000 < panic.time_us < 9_500_000
    assert result.samples[-1].time_us == panic.time_us
    assert result.work[0].deaths == 1
    found = summary(result)
    assert (found.deaths, found.kills, found.panic_us) == ((), 0, panic.time_us)
    assert headline(found) == "The kernel panics at 9.2 s: there the simulation ends."
    assert point(1, "1", found)[-2:] == (1, ("the machine",))
    assert '("System is deadlocked on memory"): nobody may be killed' in text(result, width=100)
    (row,) = compared([("the kernel alone", result)], width=100).splitlines()[1:]
    assert row.split("  ")[1] == "the machine"


def test_a_machine_may_panic_after_others_died():
    stays = Program("p", "/a", (Grow(100 * MIB),), oom_score_adj=-1000)
    found = summary(outcome(Program("q", "/a", (Grow(None, 50 * MIB),)), stays, groups=(), seconds=20))
    said = headline(found)
    assert said.startswith("1 process dies: q at ")
    assert said.endswith("s by the kernel. The kernel panics at 9.2 s: there the simulation ends.")


def test_of_equals_the_youngest_dies():
    result = outcome(
        Program("first", "/a", (Grow(None, 20 * MIB),)),
        Program("second", "/a", (Grow(None, 20 * MIB),), start_us=100_000),
        Program("third", "/a", (Grow(1 * MIB),), start_us=200_000),
        groups=(Group("/a", max_bytes=45 * MIB),),
    )
    assert killed(result)[0] == "second"


def test_one_victim_at_a_time():
    forks = Program("storm", "/a", (Forks(50, 10, 5 * MIB),))
    result = outcome(forks, groups=(Group("/a", max_bytes=100 * MIB),))
    deaths = [e for e in result.events if e.kind in {Kind.OOM_KILL, Kind.GONE}]
    # nobody is chosen before the memory of the one before came back
    assert [e.kind for e in deaths] == [Kind.OOM_KILL, Kind.GONE] * (len(deaths) // 2)
    # Of 50 that hold 5 MiB, and 28 pages for their own sake, 19 fit.
    assert len(deaths) == 2 * 31


def test_memory_max_below_usage_kills_and_memory_high_does_not():
    program = Program("p", "/a", (Grow(None, 50 * MIB),))
    lowered = Change(2_000_000, "/a", "memory.max", 20 * MIB)
    result = outcome(program, groups=(), changes=(lowered,))
    assert killed(result) == ["p"]
    assert result.counters["/a"]["oom"] >= 1
    high = Change(2_000_000, "/a", "memory.high", 20 * MIB)
    result = outcome(program, groups=(), changes=(high,))
    assert killed(result) == []
    assert result.samples[-1].groups["/a"].usage.anon == 50 * MIB


def test_lowering_below_what_only_the_unkillable_hold_ends():
    program = Program("p", "/a", (Grow(None, 50 * MIB),), oom_score_adj=-1000)
    lowered = Change(2_000_000, "/a", "memory.max", 20 * MIB)
    result = outcome(program, groups=(), changes=(lowered,))
    assert killed(result) == []
    assert result.counters["/a"]["oom"] == 1


def test_a_supervisor_starts_it_again_and_an_impatient_one_kills_it():
    again = Program("p", "/a", (Grow(50 * MIB),), restart_us=1_000_000)
    result = outcome(again, groups=(Group("/a", max_bytes=50 * MIB),), seconds=20)
    # a second to fill, a second to restart: ten deaths in 20 s
    assert result.work[0].deaths == 10
    assert result.work[0].restarts in {9, 10}
    hurried = Program("p", "/a", (Grow(50 * MIB),), patience_us=2_000_000)
    result = outcome(hurried, groups=(Group("/a", high_bytes=100 * MIB),), seconds=20)
    assert [e.detail for e in result.events if e.kind is Kind.KILL] == ["it stalled for too long"]
    assert killed(result) == []


def test_what_is_stopped_is_not_started_again():
    program = Program("p", "/a", (Grow(None, 50 * MIB),), stop_us=3_000_000, restart_us=100_000)
    result = outcome(program, groups=())
    assert [e.kind for e in result.events] == [Kind.STARTED, Kind.STOPPED, Kind.GONE]
    assert result.samples[-1].groups["/a"].usage.total == 0


def over_killed(free_us, *, over_kill=True, limit=True, cpus=2):
    """Who dies: a leak of 5 MiB fills 8 MiB together with another, which goes on to want more."""
    traits = KernelTraits(hz=250, over_kill=over_kill)
    machine = MACHINE._replace(traits=traits, cpus=cpus, free_us=free_us, exit_us=1000.0, pass_us=100.0)
    leak = Program("leak", "/a", (Grow(None, 5 * MIB),), oom_score_adj=500)
    other = Program("other", "/a", (Grow(None, 1 * MIB), Grow(4 * MIB)), start_us=1_000_000)
    groups = (Group("/a", max_bytes=8 * MIB),)
    if not limit:
        machine = machine._replace(ram_bytes=108 * MIB, kernel_bytes=100 * MIB, min_free_bytes=0)
        groups = (Group("/a"),)
    return killed(outcome(leak, other, groups=groups, seconds=2, machine=machine))


@pytest.mark.parametrize(
    ("free_us", "killed_too"),
    [
        # The exit begins after 1 ms. Its 1280 pages are unmapped in half of the time that they take, and
        # nothing comes back before. The other tries again after 0.2 ms, and after 17 passes of 0.1 ms that
        # were in vain, and one more, it would have somebody killed: at 1.9 ms, and every 1.8 ms from then on.
        # 1 + 0.64 and 1 + 0.83 ms are over by then, 1 + 1.28 and 1 + 12.8 ms are not.
        (1.0, []),
        (1.3, []),
        (2.0, ["other"]),
        (20.0, ["other"]),
    ],
)
def test_a_victim_that_exits_is_not_seen_and_another_dies(free_us, killed_too):
    assert over_killed(free_us) == ["leak", *killed_too]
    assert over_killed(free_us, over_kill=False) == ["leak"]


def test_the_machines_oom_killer_sees_who_exits():
    assert over_killed(20.0, limit=False) == ["leak"]


def test_where_no_processor_is_free_nobody_is_there_to_see_it_before_the_next_tick():
    # 1280 pages of 6 us: unmapped 3.84 ms after the exit began, before the tick, 4 ms, is over.
    assert over_killed(6.0, cpus=1) == ["leak"]
    assert over_killed(6.0) == ["leak", "other"]


def test_who_waits_for_a_victim_looks_again_after_each_pass():
    # 18 passes of 0.5 ms in vain, 0.2 ms to choose, and then a look after each pass. The victim's exit takes
    # 1 ms, and its 1280 pages 1.28 ms: back 2.28 ms after the kill, found by the look after the fifth pass,
    # at 0.2 + 5 * 0.5 ms. All 18 passes would have been 9.2 ms.
    machine = MACHINE._replace(free_us=1.0, exit_us=1000.0, pass_us=500.0)
    leak = Program("leak", "/a", (Grow(None, 5 * MIB),), oom_score_adj=500)
    other = Program("other", "/a", (Grow(None, 4 * MIB),), start_us=1_000_000)
    result = outcome(leak, other, groups=(Group("/a", max_bytes=8 * MIB),), seconds=2, machine=machine)
    assert killed(result) == ["leak"]
    stalled = next(work.stalled_us for work in result.work if work.program == "other")
    assert stalled == pytest.approx(18 * 500 + 200 + 5 * 500, abs=2)
