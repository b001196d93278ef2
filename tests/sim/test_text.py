"""What programs execute from: what it costs to get it back, and that a shortage takes it."""

from __future__ import annotations

from memwarden.sim.memory.machine import Kswapd
from memwarden.sim.memory.shrink import drop_file
from memwarden.sim.result import Kind
from memwarden.sim.run import Run
from memwarden.sim.scenario import Disk, Group, Grow, Machine, Program, ReadFile, Scenario, WorkingSet
from memwarden.sim.view import snapshot
from memwarden.units import GIB, KIB, MIB
from tests.sim.conserved import run

MACHINE = Machine(
    ram_bytes=GIB,
    kernel_bytes=100 * MIB,
    min_free_bytes=40 * MIB,
    thp=False,
    disk=Disk(64 * MIB, 64 * MIB, 100),
)


def begun(*programs, machine=MACHINE):
    return Run(Scenario("text", machine, (), programs, duration_us=4_000_000))


def lose(simulation, pages):
    """Reclaim takes so many pages of code."""
    drop_file(simulation.world, simulation.world.root, pages, Kswapd(simulation.world))


def test_code_is_of_what_the_machine_has_in_use_by_itself():
    simulation = begun(Program("a", "/a", (Grow(MIB),)), Program("b", "/b", (Grow(MIB),)))
    world = simulation.world
    assert world.free == (1024 - 100) * MIB // 4096
    assert world.root.file == 2 * 128 * KIB // 4096
    small = begun(Program("a", "/a", (Grow(MIB),)), machine=MACHINE._replace(kernel_bytes=0)).world
    assert small.free == (1024 * MIB - 128 * KIB) // 4096


def test_a_task_whose_code_is_gone_waits_until_it_is_read_and_that_is_a_memory_stall():
    simulation = begun(Program("p", "/a", (Grow(MIB),)))
    lose(simulation, 32)
    assert simulation.world.root.file == 0
    result = simulation.run(None)
    # 128 KiB at 64 MiB/s are 1953.1 us, and 100 of latency; of those it works for 32 * 0.5, which is no stall
    assert result.work[0].stalled_us == 2037
    assert result.samples[-1].groups["/a"].some_us == 2037
    assert simulation.world.root.counts["refault_file"] == 32
    assert simulation.world.root.file == 32


def test_who_comes_while_it_is_read_waits_for_the_same_read():
    simulation = begun(Program("p", "/a", (Grow(MIB), Grow(MIB))))
    lose(simulation, 4)
    result = simulation.run(None)
    # Four pages: 244 us and the latency, less 4 * 0.5 of work. Both wait at once, and it is read once.
    assert result.work[0].stalled_us == 342
    assert simulation.world.root.counts["refault_file"] == 4


def test_code_that_is_being_read_is_on_the_lists_already():
    # zone_reclaimable_pages counts it, and nobody is killed for want of it
    simulation = begun(Program("p", "/a", (Grow(MIB),)))
    world = simulation.world
    lose(simulation, 32)
    while not world.arriving:
        assert world.advance(100_000)
    assert (world.arriving, world.root.file) == (32, 0)
    while not world.root.file:
        assert world.advance(100_000)
    assert world.arriving == 0


def test_who_waited_for_its_code_goes_on_though_it_was_taken_again_meanwhile():
    # The page is mapped before anybody else may look at it (filemap_fault returns it locked).
    simulation = begun(Program("p", "/a", (Grow(MIB),)))
    world = simulation.world
    lose(simulation, 32)
    while not world.root.file:
        assert world.advance(100_000)
    lose(simulation, 32)
    while not world.groups["/a"].anon:
        assert world.advance(100_000)
    assert world.root.counts["refault_file"] == 32
    # At 1 MiB/s it takes no more than a page before it needs its code again, 5 ms later.
    assert world.groups["/a"].anon == 1


def test_a_limit_of_a_cgroup_does_not_take_the_code():
    group = Group("/a", max_bytes=20 * MIB)
    done, result = run(
        Scenario("text", MACHINE, (group,), (Program("p", "/a", (Grow(20 * MIB),)),), duration_us=2_000_000)
    )
    assert [one.kind for one in result.events].count(Kind.OOM_KILL) == 1
    assert done.world.root.counts["refault_file"] == 0


def test_code_in_use_stays_while_there_is_other_cache():
    reader = Program("p", "/a", (ReadFile("f", 2 * GIB, 200 * MIB),))
    machine = MACHINE._replace(disk=Disk())
    done, result = run(Scenario("text", machine, (), (reader,), duration_us=10_000_000))
    # 1024 less 100 of the kernel's, and kswapd keeps 50 to 60 free
    assert result.samples[-1].groups["/a"].usage.file >= (1024 - 100 - 60) * MIB
    assert done.world.root.counts["pgsteal"] == 0
    assert snapshot(done.world).vmstat["pgsteal_kswapd"] > 0


def test_near_an_oom_tasks_take_the_code_from_each_other_and_stall():
    served = Program("db", "/db", (WorkingSet(MIB, requests_per_s=200.0),), oom_score_adj=-1000)
    leak = Program("leak", "/leak", (Grow(200 * MIB),))
    machine = MACHINE._replace(fault_us=5.0)
    done, result = run(Scenario("text", machine, (), (served, leak), duration_us=6_000_000), limit=200_000)
    assert [one.program for one in result.events if one.kind is Kind.OOM_KILL] == ["leak"]
    # Nothing but code is in files, and swap there is none: whatever was read back is code.
    assert done.world.root.counts["refault_file"] >= 16
    assert result.samples[-1].groups["/db"].some_us > 0
    # What was read back had been reclaimed, of which 32 pages at most have not been asked for yet.
    assert 0 <= done.world.root.counts["pgsteal"] - done.world.root.counts["refault_file"] <= 32


def test_a_fault_on_a_mapped_file_brings_what_is_around_it():
    for mapped, pages in ((False, 1), (True, 32)):
        part = WorkingSet(
            0, file_bytes=32 * MIB, requests_per_s=1.0, anon_touches=0, file_touches=1, mapped=mapped
        )
        simulation = begun(Program("p", "/a", (part,)))
        world = simulation.world
        while world.groups["/a"].file < 8192:
            assert world.advance(4_000_000)
        lost, memcg = drop_file(world, world.groups["/a"], 8192, Kswapd(world)), world.groups["/a"]
        assert (lost, memcg.file) == (8192, 0)
        while not memcg.file:
            assert world.advance(4_000_000)
        assert memcg.file == pages
