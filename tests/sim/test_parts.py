"""What programs do: figures by arithmetic."""

from math import ceil

import pytest

from memwarden.errors import InputError
from memwarden.sim.result import Kind
from memwarden.sim.run import simulate
from memwarden.sim.scenario import (
    Change,
    Disk,
    Forks,
    Group,
    Grow,
    KernelMemory,
    Machine,
    Mlock,
    Program,
    ReadFile,
    Sawtooth,
    Scenario,
    Spike,
    Steps,
    SwapDevice,
    Tmpfs,
    WorkingSet,
    WriteFile,
    Zswap,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, KIB, MIB
from tests.sim.conserved import run

MACHINE = Machine(ram_bytes=2 * GIB)
SWAP = MACHINE._replace(swap=SwapDevice(512 * MIB))


def play(*parts, groups=(), machine=MACHINE, seconds=10, **keys):
    program = Program("p", "/a", parts, **keys)
    return run(Scenario("part", machine, groups, (program,), duration_us=seconds * 1_000_000))[1]


def hog(mib):
    return (Program("p", "/a", (Grow(None, mib * MIB),)),)


def curve(result, kind="anon"):
    return {sample.time_us: getattr(sample.groups["/a"].usage, kind) / MIB for sample in result.samples}


def test_growth_is_a_line():
    seen = curve(play(Grow(20 * MIB, 100 * MIB)))
    assert seen[2_000_000] == pytest.approx(40, abs=4)
    assert seen[10_000_000] == 100


def test_steps_are_steps():
    seen = curve(play(Steps(10 * MIB, 2_000_000, 30 * MIB)))
    assert [seen[at] for at in (1_000_000, 3_000_000, 5_000_000, 9_000_000)] == [10, 20, 30, 30]


def test_a_sawtooth_falls_to_its_bottom():
    seen = curve(play(Sawtooth(50 * MIB, 150 * MIB, 50 * MIB))).values()
    assert max(seen) == pytest.approx(150, abs=6)
    assert min(list(seen)[40:]) == pytest.approx(50, abs=6)


def test_a_collector_has_to_bring_back_what_was_swapped():
    result = play(
        Sawtooth(50 * MIB, 200 * MIB, 150 * MIB), groups=(Group("/a", high_bytes=120 * MIB),), machine=SWAP
    )
    assert result.work[0].swapped_in_bytes > 20 * MIB
    assert result.counters["/a"]["oom_kill"] == 0


def test_a_spike_is_over_after_its_time():
    seen = curve(play(Spike(200 * MIB, 3_000_000)))
    assert seen[1_000_000] == 200
    assert seen[4_000_000] == 0


def test_the_kernel_s_memory_is_charged_and_given_back_but_for_dentries():
    parts = (
        KernelMemory("sock", None, 10 * MIB),
        KernelMemory("dentries", None, 20 * MIB),
        KernelMemory("other", None, 30 * MIB),
    )
    result = play(*parts, stop_us=5_000_000)
    usage = next(one.groups["/a"].usage for one in result.samples if one.time_us == 4_000_000)
    assert (usage.sock, usage.kernel, usage.total) == (10 * MIB, 50 * MIB, 60 * MIB)
    assert result.samples[-1].groups["/a"].usage.total == 20 * MIB  # dentries are nobody's


def test_unknown_kernel_memory_is_refused():
    with pytest.raises(InputError, match="sock, dentries, other"):
        play(KernelMemory("pipes", None, MIB))


def test_forks_are_processes_of_their_own():
    result = play(Forks(5, 2.0, 10 * MIB))
    assert sum(event.kind is Kind.STARTED for event in result.events) >= 2
    assert result.samples[-1].groups["/a"].usage.anon == 50 * MIB


def test_a_fork_takes_memory_of_the_kernels_and_nobody_forks_without():
    result = play(Forks(5, 2.0, 10 * MIB))
    assert result.samples[-1].groups["/a"].usage.kernel == 5 * 28 * 4096
    # 28 pages do not fit under a limit of 20, and a parent that must not be killed waits for ever
    small = play(Forks(5, 2.0, MIB), groups=(Group("/a", max_bytes=20 * 4096),), oom_score_adj=-1000)
    assert small.samples[-1].groups["/a"].usage.anon == 0
    assert sum(event.kind is Kind.STARTED for event in small.events) == 1


def test_forks_that_came_late_are_made_up_for():
    # 20 a second, of which a frozen second brings none: a hundred after five all the same
    kwargs = {"duration_us": 5_100_000, "sample_us": 100_000}
    changes = (Change(1_000_000, "/a", "cgroup.freeze", 1), Change(2_000_000, "/a", "cgroup.freeze", 0))
    storm = (Program("p", "/a", (Forks(400, 20.0, 64 * KIB),)),)
    _, result = run(Scenario("late", MACHINE, (), storm, changes, **kwargs))
    assert result.samples[-1].groups["/a"].usage.anon / (64 * KIB) == pytest.approx(102, abs=2)


@pytest.mark.parametrize(("times", "moved"), [(1, 100), (3, 300)])
def test_a_file_that_fits_is_read_from_the_disk_once(times, moved):
    disk = Disk(read_bps=100 * MIB, latency_us=0)
    result = play(ReadFile("f", 100 * MIB, None, times), machine=MACHINE._replace(disk=disk))
    assert result.work[0].moved_bytes == moved * MIB
    assert result.work[0].refaulted_bytes == 0
    full = next(time for time, mib in curve(result, "file").items() if mib == 100)
    assert full == pytest.approx(
        1_000_000, rel=0.25
    )  # 100 MiB at 100 MiB/s, and the samples are 100 ms apart


def test_a_file_larger_than_its_limit_is_read_again_and_again():
    result = play(ReadFile("f", 150 * MIB, None), groups=(Group("/a", max_bytes=100 * MIB),))
    work = result.work[0]
    # 200 MiB/s for 10 s; a cycle over more than fits finds nothing
    assert work.moved_bytes == pytest.approx(2000 * MIB, rel=0.12)
    assert work.refaulted_bytes > 0.9 * (work.moved_bytes - 150 * MIB)
    assert result.counters["/a"]["oom_kill"] == 0


def test_two_readers_share_a_file():
    programs = tuple(Program(n, f"/{n}", (ReadFile("f", 100 * MIB, 50 * MIB),)) for n in ("a", "b"))
    _, result = run(Scenario("two", MACHINE, (), programs, duration_us=10_000_000))
    usage = result.samples[-1].groups["/"].usage
    assert usage.file == 100 * MIB + 2 * 128 * KIB  # and the code of both programs


def test_of_two_readers_side_by_side_only_the_first_waits_for_the_disk():
    # 30 s at 100 MiB/s each, of 2500 MiB that do not fit: what one brings the other finds; 3000 MiB are read
    programs = tuple(Program(n, f"/{n}", (ReadFile("f", 2500 * MIB, 100 * MIB),)) for n in ("a", "b"))
    _, result = run(Scenario("two", MACHINE, (), programs, duration_us=30_000_000))
    assert sum(work.moved_bytes for work in result.work) == pytest.approx(6000 * MIB, rel=0.02)
    assert sum(work.refaulted_bytes for work in result.work) == pytest.approx(500 * MIB, rel=0.1)


def test_a_writer_goes_as_fast_as_the_disk_once_too_much_is_dirty():
    disk = Disk(write_bps=50 * MIB)
    result = play(WriteFile("f", 4 * GIB, None), machine=MACHINE._replace(disk=disk), seconds=40)
    # a fifth of about 1.9 GiB may be dirty; beyond that the disk's speed
    most = max(sample.groups["/a"].usage.dirty for sample in result.samples)
    assert most < 0.2 * 2 * GIB
    assert result.work[0].moved_bytes == pytest.approx(40 * 50 * MIB + most, rel=0.1)
    assert result.samples[-1].groups["/a"].some_us == 0  # balance_dirty_pages is no memory stall


def test_a_writer_under_a_limit_is_held_back_by_its_own_share():
    disk = Disk(write_bps=50 * MIB)
    result = play(
        WriteFile("f", GIB, None),
        groups=(Group("/a", max_bytes=100 * MIB),),
        machine=MACHINE._replace(disk=disk),
    )
    assert max(sample.groups["/a"].usage.dirty for sample in result.samples) <= 25 * MIB
    assert result.counters["/a"]["oom_kill"] == 0


@pytest.mark.parametrize(("stale", "written_mib"), [(False, 48), (True, 27.75)])
def test_a_writer_is_held_back_by_a_count_of_two_seconds_ago(stale, written_mib):
    """On v6.9 and later: 8 MiB in the first 2 s, 128 KiB each 0.2 s in the next 2, free again, and so on.

    Of 16 MiB a fifth may be unclean, 3.2 MiB. The disk writes it back at once when it is counted, but the
    count stays: every 4 s 2 s x 4 MiB + 2 s x 640 KiB = 9.25 MiB are written instead of 16 MiB.
    """
    traits = KernelTraits(stale_dirty_counts=stale)
    result = play(
        WriteFile("f", 32 * MIB, 4 * MIB),
        groups=(Group("/a", max_bytes=16 * MIB),),
        machine=MACHINE._replace(disk=Disk(write_bps=500 * MIB), traits=traits),
        seconds=12,
    )
    assert result.work[0].moved_bytes == pytest.approx(written_mib * MIB, rel=0.05)
    assert result.counters["/a"]["oom_kill"] == 0


def test_what_was_written_is_clean_after_half_a_minute():
    result = play(WriteFile("f", 20 * MIB, None, 1), seconds=45)
    dirty = {sample.time_us // 1_000_000: sample.groups["/a"].usage.dirty for sample in result.samples}
    assert dirty[20] == 20 * MIB
    assert dirty[40] == 0


def test_a_working_set_that_fits_is_served_in_time():
    work = play(WorkingSet(200 * MIB, 50 * MIB, 0.8, 100 * MIB, requests_per_s=100)).work[0]
    assert work.requests_due == 1000
    assert work.requests >= 0.93 * work.requests_due  # it takes half a second to load 100 MiB
    assert work.max_us < 1000


def test_a_working_set_that_does_not_waits_for_its_pages():
    groups = (Group("/a", high_bytes=150 * MIB),)
    work = play(WorkingSet(200 * MIB, 50 * MIB, 0.8), groups=groups, machine=SWAP).work[0]
    assert work.swapped_in_bytes > MIB
    assert work.stalled_us > 100_000
    assert work.p50_us < work.p99_us <= work.max_us


def test_hot_pages_stay_and_cold_ones_go():
    groups = (Group("/a", high_bytes=150 * MIB),)
    program = Program("p", "/a", (WorkingSet(200 * MIB, 50 * MIB, 0.95),))
    simulation, _ = run(Scenario("hot", SWAP, groups, (program,), duration_us=10_000_000))
    hot, cold = simulation.world.groups["/a"].holdings
    assert hot.swapped / hot.total < 0.2 * cold.swapped / cold.total


def test_a_file_of_a_working_set_is_read_again_where_it_does_not_fit():
    groups = (Group("/a", max_bytes=250 * MIB),)
    work = play(WorkingSet(200 * MIB, 50 * MIB, 0.8, 100 * MIB), groups=groups).work[0]
    assert work.refaulted_bytes > MIB
    assert work.deaths == 0


def test_zram_takes_memory_for_what_it_keeps():
    swap = SwapDevice(512 * MIB, ram_ratio=4.0)
    machine = MACHINE._replace(swap=swap)
    groups = (Group("/a", max_bytes=100 * MIB),)
    simulation, _ = run(Scenario("z", machine, groups, hog(300)))
    swapped = simulation.world.swap_used
    # For a huge page a reclaim takes 6 + 12 + 25 + 50 + 100 + 200 of 25,600 pages, and 128 in steps of 32.
    assert 200 * 256 <= swapped <= 200 * 256 + 521
    assert simulation.world.zram == ceil(swapped / 4)


def test_zswap_is_charged_to_whom_it_keeps_pages_for():
    machine = SWAP._replace(zswap=Zswap(0.5, 4.0))
    groups = (Group("/a", max_bytes=100 * MIB),)
    simulation, result = run(Scenario("z", machine, groups, hog(200)))
    group = simulation.world.groups["/a"]
    assert group.zswapped == group.swap_own
    # x pages in memory and (200 MiB - x) / 4 compressed are 100 MiB: x = 66.7
    assert result.samples[-1].groups["/a"].usage.kernel == pytest.approx(133.3 / 4 * MIB, rel=0.02)


def test_zswap_max_sends_the_rest_to_the_disk():
    machine = SWAP._replace(zswap=Zswap(0.5, 4.0))
    groups = (Group("/a", max_bytes=100 * MIB, zswap_max_bytes=10 * MIB),)
    simulation, _ = run(Scenario("z", machine, groups, hog(200)))
    group = simulation.world.groups["/a"]
    assert group.zswap_pool <= 10 * 256 + 1
    assert group.swap_own > group.zswapped


def test_huge_pages_sleep_longer_per_return_up_to_the_ceiling():
    groups = (Group("/a", high_bytes=100 * MIB),)
    result = play(Grow(None, 110 * MIB), groups=groups, seconds=60)
    # each huge page is 512 pages, 8 times the delay of a batch: at 102 MiB 192 ms, 104: 0.8 s, 106: 1.8 s
    assert result.work[0].throttled_us == pytest.approx((192 + 800 + 1820 + 2000 + 2000) * 1000, rel=0.02)


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (Grow(None), 0),
        (Grow(10 * MIB), 100),
        (Grow(10 * MIB, 30 * MIB), 30),
        (Steps(5 * MIB, 1_000_000), 50),
        (Spike(7 * MIB, 1), 7),
        (Mlock(9 * MIB), 9),
        (Forks(3, 1.0, MIB), 3),
        (ReadFile("f", 8 * MIB, None, 2), 16),
        (ReadFile("f", 8 * MIB, 2 * MIB), 20),
        (Tmpfs(None, 6 * MIB), 6),
        (Sawtooth(4 * MIB, 9 * MIB, 1 * MIB), 40),
    ],
)
def test_what_a_program_would_have_moved(part, wanted):
    program = Program("p", "/a", (part,))
    result = simulate(Scenario("wanted", MACHINE, (), (program,), duration_us=10_000_000))
    assert result.work[0].wanted_bytes == wanted * MIB


@pytest.mark.parametrize("limit", [None, 24 * MIB])
def test_where_a_machine_says_so_page_tables_are_charged_a_page_for_512(limit):
    # mm/memory.c:__pte_alloc: the first page needs one, too. What is in swap goes on needing them.
    groups = (Group("/a", max_bytes=limit),) if limit else ()
    machine = MACHINE._replace(page_tables=True, swap=SwapDevice(512 * MIB, synchronous=True))
    program = Program("p", "/a", (Grow(64 * MIB, 40 * MIB + 4 * KIB),))
    simulation, result = run(Scenario("part", machine, groups, (program,), duration_us=3_000_000))
    memcg = simulation.world.groups["/a"]
    assert memcg.kernel == 40 * MIB // (2 * MIB) + 1
    assert result.work[0].moved_bytes == 40 * MIB + 4 * KIB
    assert memcg.usage + memcg.swap == 40 * 256 + 1 + memcg.kernel


def test_page_tables_go_with_their_process():
    machine, group = MACHINE._replace(page_tables=True), Group("/a", max_bytes=16 * MIB)
    program = Program("p", "/a", (Grow(64 * MIB),))
    simulation, _ = run(Scenario("part", machine, (group,), (program,), duration_us=2_000_000))
    memcg = simulation.world.groups["/a"]
    assert memcg.events["oom_kill"] == 1
    assert (memcg.kernel, memcg.usage) == (0, 0)
