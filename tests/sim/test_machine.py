"""The machine's own shortage: kswapd, direct reclaim, what vmstat counts, and a tmpfs that is full."""

import pytest

from memwarden.rules.watermarks import watermarks
from memwarden.sim.memory.machine import allocate
from memwarden.sim.result import Kind
from memwarden.sim.run import Run, simulate
from memwarden.sim.scenario import (
    LEFT_OUT,
    Forks,
    Group,
    Grow,
    Machine,
    Program,
    ReadFile,
    Scenario,
    SwapDevice,
    Tmpfs,
    WorkingSet,
    WriteFile,
)
from memwarden.sim.view import snapshot
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, KIB, MIB
from tests.sim.conserved import run

MACHINE = Machine(ram_bytes=GIB, kernel_bytes=100 * MIB, min_free_bytes=40 * MIB, thp=False)
SWAP = MACHINE._replace(swap=SwapDevice(256 * MIB))


def scenario(*programs, groups=(), machine=MACHINE, seconds=10):
    return Scenario("machine", machine, groups, programs, duration_us=seconds * 1_000_000)


def first(result, kind):
    return next(event for event in result.events if event.kind is kind)


def test_traits_that_are_left_out_are_those_that_the_reference_says():
    assert None not in LEFT_OUT
    programs = (
        Program("w", "/a", (WriteFile("f", 40 * MIB), ReadFile("g", 80 * MIB)), instances=2),
        Program("p", "/a/b", (Grow(40 * MIB),), instances=3, restart_us=1_000_000),
        Program("q", "/a/c", (Forks(20, 10.0, 6 * MIB),)),
        Program("r", "/r", (ReadFile("h", 300 * MIB), Grow(20 * MIB, 150 * MIB))),
        Program("twin1", "/d", (Grow(None, 20 * MIB),)),
        Program("twin2", "/d", (Grow(None, 20 * MIB),)),
        Program("last", "/d", (Grow(1 * MIB),), start_us=100_000),
    )
    groups = (
        Group("/a", max_bytes=220 * MIB, min_bytes=100 * MIB),
        Group("/a/b", high_bytes=180 * MIB, low_bytes=20 * MIB),
        Group("/a/c"),
        Group("/d", max_bytes=45 * MIB, swap_max_bytes=0),
    )
    machine = Machine(ram_bytes=512 * MIB, swap=SwapDevice(64 * MIB))
    left_out, said = (
        simulate(Scenario("s", machine._replace(traits=traits), groups, programs, duration_us=8_000_000))
        for traits in (KernelTraits(), LEFT_OUT)
    )
    assert [event for event in said.events if event.kind is Kind.OOM_KILL]
    assert left_out[1:] == said[1:]


def test_of_what_is_free_the_high_watermark_is_not_available():
    done, _ = run(scenario(Program("p", "/a", (Grow(None, 100 * MIB),))))
    # 1024 less 100 of the kernel's and 100 of the program's; low is 40 + 10, high 40 + 2 * 10
    assert watermarks(GIB // 4096, 10240, 10).high_pages * 4096 == 60 * MIB
    # Of the kernel's 100 the program's code, 128 KiB, is page cache, half of which counts (si_mem_available).
    assert snapshot(done.world).meminfo["MemAvailable"] == (1024 - 100 - 100 - 60) * MIB + 64 * KIB


def test_what_kswapd_does_is_a_stall_of_the_machine_and_of_no_cgroup():
    reader = Program("p", "/a", (ReadFile("f", 2 * GIB, 100 * MIB),))
    _, result = run(scenario(reader, machine=MACHINE._replace(cpus=1), seconds=20))
    last = result.samples[-1]
    assert not any(event.kind is Kind.DIRECT for event in result.events)
    assert last.groups["/a"].some_us == 0
    # twenty seconds at 100 MiB/s, less what was free above the low watermark: so many pages cost 0.3 us each
    pages = (20 * 100 - (1024 - 100 - 50)) * 256
    assert last.some_us == pytest.approx(pages * 0.3, rel=0.1)


def test_vmstat_counts_no_pages_that_a_cgroup_reclaims_for_its_own_limit():
    reader = Program("p", "/a", (ReadFile("f", 400 * MIB, 100 * MIB),))
    done, _ = run(scenario(reader, groups=(Group("/a", max_bytes=100 * MIB),)))
    seen = snapshot(done.world)
    assert seen.cgroups["/a"].stat["pgscan"] > 0
    assert {name: seen.vmstat[name] for name in seen.vmstat if name.startswith(("pgscan", "pgsteal"))} == {
        "pgscan_kswapd": 0, "pgscan_direct": 0, "pgsteal_kswapd": 0, "pgsteal_direct": 0,
    }  # fmt: skip


def test_vmstat_tells_kswapd_from_who_allocates():
    reader = Program("p", "/a", (ReadFile("f", 2 * GIB, 200 * MIB),))
    done, _ = run(scenario(reader))
    seen = snapshot(done.world)
    assert seen.vmstat["pgscan_kswapd"] == seen.cgroups["/"].stat["pgscan"] > 0
    assert seen.vmstat["pgscan_direct"] == 0


def test_pages_in_use_stay_and_those_of_others_are_swapped():
    # The busy one touches each of its pages every second; the leak never comes back to its own.
    busy = Program("busy", "/busy", (WorkingSet(200 * MIB, requests_per_s=1600.0, anon_touches=32),))
    leak = Program("leak", "/leak", (Grow(20 * MIB),), start_us=1_000_000)
    _, result = run(scenario(busy, leak, machine=SWAP, seconds=45))
    last = result.samples[-1]
    assert last.groups["/leak"].usage.swap > 100 * MIB
    assert last.groups["/busy"].usage.swap <= MIB


def kills(pass_us):
    reader = Program("reader", "/r", (WorkingSet(MIB, 0, 0.0, 60 * MIB, 200.0, 1, 16),), oom_score_adj=-1000)
    leak = Program("leak", "/leak", (Grow(41 * MIB),), start_us=2_000_000)
    machine = MACHINE._replace(pass_us=pass_us, fault_us=10.0)
    _, result = run(scenario(reader, leak, machine=machine, seconds=40))
    return first(result, Kind.OOM_KILL), result


def test_a_pass_in_vain_takes_time_in_which_others_read_back_what_they_need():
    quick, before = kills(5.0)
    slow, after = kills(1000.0)
    assert (quick.program, slow.program) == ("leak", "leak")
    assert slow.time_us > quick.time_us
    # 17 passes of 5 us are over before the reader comes again; of 1 ms they are not
    assert after.work[0].refaulted_bytes > before.work[0].refaulted_bytes


def test_who_writes_to_a_full_tmpfs_gets_an_error_and_ends_and_the_files_stay():
    writer = Program("p", "/a", (Tmpfs(20 * MIB, 200 * MIB, 50 * MIB),))
    _, result = run(scenario(writer))
    ended = first(result, Kind.STOPPED)
    assert ended.time_us == pytest.approx(2_500_000, rel=0.02)  # 50 MiB at 20 MiB/s
    assert ended.detail == "no space left on device"
    assert (result.work[0].deaths, result.work[0].restarts) == (0, 0)  # nobody killed it
    usage = result.samples[-1].groups["/a"].usage
    assert (usage.shmem, usage.total) == (50 * MIB, 50 * MIB)


@pytest.mark.parametrize("size", [None, 100 * MIB])
def test_a_tmpfs_that_is_large_enough_does_not_end_its_writer(size):
    writer = Program("p", "/a", (Tmpfs(20 * MIB, 50 * MIB, size),))
    _, result = run(scenario(writer))
    assert not any(event.kind is Kind.STOPPED for event in result.events)
    usage = result.samples[-1].groups["/a"].usage
    assert (usage.shmem, usage.anon) == (50 * MIB, 64 * KIB)  # and the buffer it writes from


def test_a_death_takes_as_long_as_its_pages_take():
    leak = Program("p", "/a", (Grow(None, 100 * MIB),), stop_us=5_000_000)
    _, result = run(scenario(leak, machine=MACHINE._replace(free_us=4.0)))
    gone = first(result, Kind.GONE)
    assert gone.time_us - 5_000_000 == pytest.approx(25600 * 4, rel=0.01)  # of 100 MiB, and 300 us besides


def test_who_waits_for_a_victim_is_in_direct_reclaim_until_the_first_of_its_pages_are_back():
    leak = Program("leak", "/leak", (Grow(400 * MIB),))
    other = Program("other", "/other", (Grow(20 * MIB),))
    _, result = run(scenario(leak, other, machine=MACHINE._replace(free_us=100.0), seconds=30))
    killed, gone = first(result, Kind.OOM_KILL), first(result, Kind.GONE)
    assert killed.program == "leak"
    assert gone.amount_bytes == pytest.approx(killed.amount_bytes, rel=0.01)
    all_us = killed.amount_bytes / 4096 * 100
    assert gone.time_us - killed.time_us >= all_us
    # It comes for its next 64 pages within 12.5 ms of the kill: 20 MiB/s are 5120 pages a second. The exit
    # gives back 32 MiB or a little less at a time, in 0.8 s, and so more than it takes.
    assert all_us / 28 - 12_500 <= result.work[1].stalled_us <= all_us / 20


def test_pages_are_allocated_one_by_one_so_that_fewer_than_wanted_are_taken():
    done, _ = run(scenario(Program("p", "/a", (Grow(None, MIB),))))
    world = done.world
    task = world.groups["/a"].procs[0].tasks[0]
    assert allocate(task, 64) == 64
    # All but forty of what is free above min becomes the kernel's.
    world.kernel += world.free - world.marks.min_pages - 40
    assert allocate(task, 64) == 40
    assert not any(event.kind is Kind.DIRECT for event in world.events)


def test_a_cgroup_larger_than_the_room_in_swap_gives_in_proportion_to_its_size():
    # get_scan_count asks how large a list is (lruvec_lru_size), and of swap only whether there is any room.
    large = Program("large", "/l", (Grow(None, 600 * MIB),))
    small = Program("small", "/s", (Grow(None, 200 * MIB),))
    late = Program("late", "/n", (Grow(200 * MIB, 110 * MIB),), start_us=5_000_000)
    machine = MACHINE._replace(swap=SwapDevice(100 * MIB, synchronous=True))
    _, result = run(scenario(large, small, late, machine=machine, seconds=7))
    last = result.samples[-1].groups
    assert last["/l"].usage.swap + last["/s"].usage.swap > 30 * MIB
    assert last["/l"].usage.swap / last["/s"].usage.swap == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(("stays", "kswapd"), [(False, True), (True, False)])
def test_kswapd_that_gave_up_is_woken_by_progress_or_only_by_a_machine_that_is_well(stays, kswapd):
    # shrink_node: kswapd_failures = 0, or kswapd_try_clear_hopeless, which asks for pgdat_balanced. The first
    # is killed when swap is full, which leaves room there; the other takes what that held, is short again.
    first_one = Program("first", "/a", (Grow(None, 600 * MIB),), oom_score_adj=500)
    other = Program("other", "/b", (Grow(100 * MIB, 1000 * MIB),), start_us=2_000_000)
    traits = MACHINE.traits._replace(kswapd_stays_down=stays)
    machine = MACHINE._replace(swap=SwapDevice(100 * MIB, synchronous=True), traits=traits)
    simulation, result = run(scenario(first_one, other, machine=machine, seconds=14))
    killed = first(result, Kind.OOM_KILL)
    assert killed.program == "first"
    woken = [event.time_us for event in result.events if event.kind is Kind.KSWAPD]
    assert (max(woken) > killed.time_us + 1_000_000) is kswapd
    assert simulation.world.groups["/b"].counts["pswpout"] > 0


def test_a_pace_is_kept_by_the_clock():
    simulation = Run(scenario(Program("p", "/a", (Grow(8 * MIB),))), None)
    simulation.run(None)
    (task,) = next(iter(simulation.world.procs.values())).tasks
    world, task.paced_us, task.cpu, task.reclaim = simulation.world, None, 0.0, 0.0
    rests = []
    # Chunks of 8 ms; the second stalls for 20 ms, the fifth for 50 ms.
    for wait in (0, 20_000, 0, 0, 50_000, 0, 0, 0):
        task.wait = float(wait)
        rests.append(task.rest_us(8_000.0))
        world.now += wait + int(rests[-1])
    # 12 ms late after the second, 4 ms after the third; 42 after the fifth, of which 20 are made up for.
    assert rests == [8_000, 0, 0, 4_000, 0, 0, 0, 4_000]
