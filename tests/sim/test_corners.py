"""Where two mechanisms meet."""

import pytest

from memwarden.present.simulate_words import event
from memwarden.sim import summary
from memwarden.sim.result import Kind
from memwarden.sim.scenario import (
    Change,
    Disk,
    Group,
    Grow,
    Machine,
    Program,
    ReadFile,
    Scenario,
    Steps,
    SwapDevice,
    WorkingSet,
    WriteFile,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MAX, MIB
from tests.sim.conserved import run

MACHINE = Machine(ram_bytes=GIB, thp=False)
SWAP = MACHINE._replace(swap=SwapDevice(512 * MIB))


def play(*programs, groups=(), machine=MACHINE, seconds=10, changes=()):
    return run(Scenario("corner", machine, groups, programs, changes, duration_us=int(seconds * 1_000_000)))


def killed(result):
    return [event.program for event in result.events if event.kind is Kind.OOM_KILL]


def test_swap_above_swap_high_throttles_like_memory_does():
    groups = (Group("/a", max_bytes=100 * MIB, swap_high_bytes=50 * MIB),)
    _, result = play(Program("p", "/a", (Grow(None),)), groups=groups, machine=SWAP, seconds=60)
    assert result.work[0].throttled_us > 30_000_000
    # At memory.max there is no room for a batch: try_charge_memcg charges and owes one page at a time. Its
    # sleep is r**2 s (64 s * r**2 / 64), in whole jiffies of 4 ms, and none below three of them.
    swap, slept = 50 * 256, 0.0
    while slept < 60:
        swap += 1
        jiffies = int(((swap - 50 * 256) / (50 * 256)) ** 2 * 250)
        slept += jiffies / 250 if jiffies >= 3 else 0.0
    assert result.samples[-1].groups["/a"].usage.swap == pytest.approx(swap * 4096, rel=0.01)
    assert not killed(result)
    [told] = [one for one in summary.told(result.events) if one.event.kind is Kind.THROTTLED]
    assert event(told, result) == "/a is above memory.swap.high: its allocations are slowed down"


def test_above_swap_high_only_a_batch_that_finds_room_is_owed_whole():
    # try_charge (v5.10): a batch of 32 that has no room becomes a page, for which reclaim gives 61
    # (get_scan_count: 1 + 4 + 8 + 16 + 32); so that page is owed by itself, then 32, and then 28 by
    # themselves. Each is 64 s * r**2 / 32, and no sleep below three jiffies.
    groups = (Group("/a", max_bytes=24 * MIB, swap_high_bytes=20 * MIB),)
    machine = SWAP._replace(traits=KernelTraits(hz=250, charge_batch_pages=32, mglru=False))
    _, result = play(Program("p", "/a", (Grow(16 * MIB),)), groups=groups, machine=machine, seconds=6)
    swap, clock = 20 * 256, 44 / 16
    while clock < 6:
        over = ((swap - 20 * 256) / (20 * 256)) ** 2 * 250 * 64
        slept = [jiffies for jiffies in (int(over), *[int(over / 32)] * 29) if jiffies >= 3]
        # A timer ends at a tick, and the next sleep begins there.
        clock += max(sum(slept) + len(slept), 61 / 4096 * 250) / 250
        swap += 61
    over = result.samples[-1].groups["/a"].usage.swap / 4096 - 20 * 256
    assert over == pytest.approx(swap - 20 * 256, abs=61)


def test_who_is_above_both_is_told_once_of_each():
    # Swap is full at 32 MiB, above its high of 30 by a fifteenth; then memory goes above its own high, too.
    machine = MACHINE._replace(swap=SwapDevice(32 * MIB))
    groups = (Group("/a", high_bytes=100 * MIB, swap_high_bytes=30 * MIB),)
    _, result = play(Program("p", "/a", (Grow(None),)), groups=groups, machine=machine, seconds=60)
    told = [one.event.detail for one in summary.told(result.events) if one.event.kind is Kind.THROTTLED]
    assert told == ["memory.swap.high", "memory.high"]


def test_a_limit_that_is_written_is_told_as_a_size():
    changes = (Change(100_000, "/a", "memory.high", 300 * MIB), Change(200_000, "/a", "memory.max", MAX))
    _, result = play(Program("p", "/a", (Grow(MIB),)), groups=(Group("/a"),), seconds=1, changes=changes)
    assert [event(one, result) for one in summary.told(result.events)] == [
        "memory.high=300M of /a is written",
        "memory.max=max of /a is written",
    ]


def test_dirty_pages_under_a_limit_are_waited_for_before_anybody_dies():
    slow = MACHINE._replace(disk=Disk(write_bps=20 * MIB))
    program = Program("p", "/a", (WriteFile("f", 10 * MIB, None, 1), Grow(None, 57 * MIB)))
    _, result = play(program, groups=(Group("/a", max_bytes=60 * MIB),), machine=slow)
    assert not killed(result)
    assert result.samples[-1].groups["/a"].usage.anon == 57 * MIB


def test_dirty_pages_of_the_machine_are_waited_for_too():
    slow = MACHINE._replace(disk=Disk(write_bps=20 * MIB))
    programs = (
        Program("w", "/w", (WriteFile("f", 60 * MIB, None, 1),)),
        Program("g", "/g", (Grow(400 * MIB, 900 * MIB),), start_us=1_000_000),
    )
    _, result = play(*programs, machine=slow)
    assert not killed(result)
    assert result.samples[-1].groups["/g"].usage.anon == 900 * MIB


@pytest.mark.parametrize(("write_bps", "dead"), [(50 * MIB, []), (1024, ["db", "w"])])
def test_a_limit_below_what_is_dirty_waits_for_the_disk_and_kills_who_is_left(write_bps, dead):
    disk = MACHINE._replace(disk=Disk(write_bps=write_bps))
    programs = (
        Program("w", "/w", (WriteFile("f", 100 * MIB, None, 1),)),
        Program("db", "/w", (WorkingSet(20 * MIB, requests_per_s=10.0),)),
    )
    changes = (Change(1_000_000, "/w", "memory.max", 64 * MIB),)
    _, result = play(*programs, groups=(Group("/w"),), machine=disk, changes=changes)
    assert killed(result) == dead
    # 17 rounds of 13 ticks
    times = [event.time_us for event in result.events if event.kind is Kind.OOM]
    assert times == pytest.approx([1_000_000 + 17 * 13 * 4_000] if dead else [], abs=5_000)


def test_a_fast_hog_reclaims_itself_what_kswapd_cannot_free_in_time():
    slow = MACHINE._replace(reclaim_us=3.0)
    programs = (
        Program("r", "/r", (ReadFile("f", 300 * MIB, None, 1),)),
        Program("g", "/g", (Grow(None, 800 * MIB),), start_us=3_000_000),
    )
    _, result = play(*programs, machine=slow)
    assert [event for event in result.events if event.kind is Kind.DIRECT]
    assert result.work[1].stalled_us > 0
    assert not killed(result)


def test_where_the_cache_is_tiny_the_machine_swaps_at_every_swappiness():
    # file + free below the high watermark: anonymous pages only, though swappiness is 0
    machine = SWAP._replace(swappiness=0)
    programs = (
        Program("r", "/r", (ReadFile("f", MIB, None, 2),)),
        Program("g", "/g", (Grow(200 * MIB, 1000 * MIB),), start_us=1_000_000),
    )
    _, result = play(*programs, machine=machine)
    assert result.samples[-1].groups["/g"].usage.swap > 60 * MIB
    assert result.samples[-1].groups["/r"].usage.file > 0.8 * MIB


def test_pages_that_are_all_hot_are_swapped_when_there_is_nothing_else():
    program = Program(
        "p", "/a", (WorkingSet(40 * MIB, 40 * MIB, 1.0, requests_per_s=20_000, anon_touches=512),)
    )
    simulation, result = play(program, groups=(Group("/a", max_bytes=30 * MIB),), machine=SWAP, seconds=0.5)
    assert simulation.world.groups["/a"].swap >= 10 * 256 - 64
    assert result.work[0].stalled_us > 100_000


def test_a_program_of_big_steps_takes_several_chunks_for_each():
    _, result = play(Program("p", "/a", (Steps(100 * MIB, 2_000_000, 250 * MIB),)))
    seen = {sample.time_us: sample.groups["/a"].usage.anon // MIB for sample in result.samples}
    assert [seen[at] for at in (1_000_000, 3_000_000, 9_000_000)] == [100, 200, 250]


def test_requests_that_waited_while_it_was_frozen_are_served_late():
    changes = (Change(3_000_000, "/a", "cgroup.freeze", 1), Change(5_000_000, "/a", "cgroup.freeze", 0))
    _, result = play(Program("p", "/a", (WorkingSet(20 * MIB, requests_per_s=100),)), changes=changes)
    work = result.work[0]
    # 200 requests came in these 2 s; the first of them waited for all of it, no other for longer
    assert work.max_us == pytest.approx(2_000_000, rel=0.1)
    assert work.requests == pytest.approx(1000, abs=15)
    assert work.p50_us < 100


def test_now_and_then_a_page_of_the_file_is_missing():
    program = Program("p", "/a", (WorkingSet(20 * MIB, file_bytes=100 * MIB, requests_per_s=200),))
    groups = (Group("/a", max_bytes=115 * MIB),)
    _, result = play(program, groups=groups)
    work = result.work[0]
    assert 0 < work.refaulted_bytes < 20 * MIB
    assert work.p50_us < work.max_us


def test_a_slow_writer_is_written_back_from_the_background_threshold_on():
    program = Program("p", "/a", (WriteFile("f", 200 * MIB, 10 * MIB),))
    _, result = play(program, groups=(Group("/a", max_bytes=100 * MIB),), seconds=20)
    # a tenth of what it may have is the threshold; the flusher looks every 5 s, in which 50 MiB come
    dirty = [sample.groups["/a"].usage.dirty for sample in result.samples]
    assert max(dirty) <= 62 * MIB
    assert min(dirty[60:]) < 20 * MIB


def test_who_would_be_started_again_after_its_end_is_not():
    died = Program("p", "/a", (Grow(50 * MIB),), restart_us=1_000_000, stop_us=1_500_000)
    other = Program("q", "/b", (Grow(None, MIB),))
    _, result = play(died, other, groups=(Group("/a", max_bytes=50 * MIB),))
    assert killed(result) == ["p"]
    assert result.work[0].restarts == 0
    assert result.samples[-1].groups["/b"].usage.anon == MIB


def test_who_was_stopped_is_not_given_up_by_its_supervisor_as_well():
    program = Program("p", "/a", (Grow(None),), patience_us=1_900_000, stop_us=6_000_000)
    _, result = play(program, groups=(Group("/a", high_bytes=50 * MIB),))
    ends = [event.kind for event in result.events if event.kind in {Kind.KILL, Kind.STOPPED}]
    assert len(ends) == 1


def test_min_free_kbytes_can_be_said():
    machine = MACHINE._replace(min_free_bytes=64 * MIB)
    _, result = play(Program("p", "/a", (Grow(None),)), machine=machine, seconds=2)
    kill = next(event for event in result.events if event.kind is Kind.OOM_KILL)
    assert kill.amount_bytes == pytest.approx(GIB - 100 * MIB - 64 * MIB, abs=64 * 4096)


STUCK = Machine(ram_bytes=GIB, thp=False, disk=Disk(write_bps=1024))


def test_a_disk_that_hangs_saves_nobody_at_memory_max():
    programs = (
        Program("w", "/a", (WriteFile("f", MIB, None, 1),)),
        Program("leak", "/a", (Grow(100 * MIB),), start_us=1_000_000),
    )
    _, result = play(*programs, groups=(Group("/a", max_bytes=200 * MIB),), machine=STUCK)
    assert killed(result) == ["leak"]
    # 18 passes, 13 priorities each, and a tick of 4 ms at each of those: 0.94 s after 199 MiB are there.
    (oom,) = [event.time_us for event in result.events if event.kind is Kind.OOM]
    assert oom == pytest.approx(2_990_000 + 18 * 13 * 4_000, rel=0.01)
    assert result.counters["/a"]["max"] == 18
    assert result.counters["/a"]["oom"] == 1


def test_a_disk_that_hangs_saves_nobody_on_a_full_machine():
    programs = (
        Program("w", "/w", (WriteFile("f", MIB, None, 1),)),
        Program("leak", "/a", (Grow(400 * MIB),), start_us=1_000_000),
    )
    _, result = play(*programs, machine=STUCK)
    assert killed(result) == ["leak"]
    assert [sample.groups["/w"].usage.dirty for sample in result.samples][-1] > 0
    full = next(event.time_us for event in result.events if event.kind is Kind.DIRECT)
    oom = next(event.time_us for event in result.events if event.kind is Kind.OOM)
    # 16 loops, and the one after them
    assert oom - full == pytest.approx(16 * 13 * 4_000, abs=20_000)


def test_who_waits_for_its_own_pages_does_not_wait_for_those_of_others_first():
    slow = MACHINE._replace(disk=Disk(write_bps=4 * MIB))
    programs = (
        Program("other", "/b", (WriteFile("g", 80 * MIB, None, 1),)),
        Program("w", "/a", (WriteFile("f", 10 * MIB, None, 1), Grow(None, 57 * MIB)), start_us=1_000_000),
    )
    _, result = play(*programs, groups=(Group("/a", max_bytes=60 * MIB), Group("/b")), machine=slow)
    assert not killed(result)
    assert result.samples[-1].groups["/a"].usage.anon == 57 * MIB
