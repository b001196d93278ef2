"""Pages that came back from a swap disk and are only looked at: they keep their slots (the swap cache)."""

import pytest

from memwarden.sim.run import Run
from memwarden.sim.scenario import (
    Disk,
    Group,
    Grow,
    Machine,
    Program,
    Sawtooth,
    Scenario,
    SwapDevice,
    Zswap,
)
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.process import release
from memwarden.sim.world.swapping import swap_out, unswap
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MIB
from tests.sim.conserved import run

PAGES = 256
"""Of one MiB."""
SWAP = Machine(ram_bytes=GIB, thp=False, swap=SwapDevice(128 * MIB))


def heap(machine, seconds=5.9, **knobs):
    """A heap between 8 and 28 MiB, 8 MiB/s, of which 24 fit."""
    program = Program("p", "/a", (Sawtooth(8 * MIB, 28 * MIB, 8 * MIB),))
    group = Group("/a", max_bytes=24 * MIB, **knobs)
    return Scenario("heap", machine, (group,), (program,), duration_us=int(seconds * 1e6))


def swapped(machine, seconds=5.9, **knobs):
    simulation = Run(heap(machine, seconds, **knobs), None)
    simulation.run(None)
    memcg = simulation.world.groups["/a"]
    return memcg.counts["pswpout"], memcg.counts["pswpin"], memcg.swap_own


def test_what_lives_is_written_once():
    # The first top, after 28 / 8 s: 4 MiB are out, the first of what lives. Each that comes back pushes out
    # the next, so that all 8 MiB of it go, and at last 4 MiB of what was written after it: 4 + 4 + 4 MiB.
    out, back, slots = swapped(SWAP, 3.8)
    assert out == pytest.approx(12 * PAGES, rel=0.05)
    assert back == 8 * PAGES
    # The second, 20 / 8 s later: what lives goes again in the same order, with its slots. Only the last 4 MiB
    # are written.
    out, back, slots = swapped(SWAP, 6.6)
    assert out == pytest.approx(16 * PAGES, rel=0.05)
    assert back == 16 * PAGES
    assert slots == 8 * PAGES


@pytest.mark.parametrize(
    ("machine", "knobs"),
    [
        # do_swap_page: no swap cache for a device that is as fast as memory; zswap gives up what it loads.
        (SWAP._replace(swap=SwapDevice(128 * MIB, ram_ratio=3.0)), {}),
        (SWAP._replace(zswap=Zswap(pool_share=0.5)), {}),
        # mem_cgroup_swap_full: more than half of what there is, or of what the cgroup may have.
        (SWAP._replace(swap=SwapDevice(9 * MIB)), {}),
        (SWAP, {"swap_max_bytes": 9 * MIB}),
    ],
)
def test_slots_are_not_kept_everywhere(machine, knobs):
    out, back, slots = swapped(machine, 6.6, **knobs)
    assert back == pytest.approx(16 * PAGES, rel=0.05)
    assert out > 22 * PAGES  # 12 MiB a time
    assert slots < PAGES


def test_the_oldest_go_first():
    held = Holding.__new__(Holding)
    held.resident, held.backed, held.fresh = 100, 40, 10
    # Thirty that were looked at long ago, sixty without slots, ten that were looked at last.
    assert [held.clean(pages) for pages in (20, 30, 80, 90, 95, 100)] == [20, 30, 30, 30, 35, 40]


def test_slots_are_conserved():
    run(heap(SWAP, 6.6))


@pytest.mark.parametrize(("mglru", "least", "most"), [(True, 11.8 * PAGES, 12 * PAGES), (False, 32, 64)])
def test_mglru_sends_on_while_nothing_is_written(mglru, least, most):
    # A device that is through with nothing before the end: evict_folios goes through all priorities, and
    # takes all of the list at the last; others wait for what they sent, a charge's worth.
    slow = SwapDevice(128 * MIB, Disk(10**12, 10**12, latency_us=60_000_000))
    machine = SWAP._replace(swap=slow, traits=KernelTraits(mglru=mglru, charge_batch_pages=64))
    program = Program("p", "/a", (Grow(8 * MIB, 20 * MIB),))
    group = Group("/a", max_bytes=12 * MIB)
    simulation, _ = run(Scenario("s", machine, (group,), (program,), duration_us=10_000_000))
    assert least <= simulation.world.groups["/a"].counts["pswpout"] <= most


def test_what_is_written_meanwhile_ends_it():
    # 24 MiB are scanned. At the priorities 12 to 6 a batch of 64 goes each time (6144 >> 7 = 48), 20 us each.
    # The device is through with the first 5 ms after the 1.28 ms that it took, and the fifth ends at 6.4 ms.
    disk = SwapDevice(128 * MIB, Disk(10**12, 10**12, latency_us=5_000))
    traits = KernelTraits(mglru=True, charge_batch_pages=64)
    machine = SWAP._replace(swap=disk, swap_us=20.0, reclaim_us=0.0, pass_us=0.0, traits=traits)
    program = Program("p", "/a", (Grow(8 * MIB, 24 * MIB + 4096),))
    simulation, _ = run(
        Scenario("s", machine, (Group("/a", max_bytes=24 * MIB),), (program,), duration_us=10_000_000)
    )
    assert simulation.world.groups["/a"].counts["pswpout"] == 64 * 5


@pytest.mark.parametrize(
    ("mglru", "exact", "taken"),
    [
        # 12 MiB are 3072 pages. evict_folios: MIN_LRU_BATCH, 64, are freed, more than the 32 that are wanted.
        (True, False, 64),
        # All are young: they are aged at the priorities 11 and 10. scan_batch: 3072 >> 9 and 3066 >> 8 are
        # less than 32; then come 3055 >> 7.
        (True, True, 6 + 11 + 23),
        # All are young: of 3072 >> 9 and so on 60 / 200, 1 + 3 + 7 + 14 + 28 + 57 + 115 + 230 + 460 = 915,
        # stay at the priorities 9 to 1. At the last come 67 times 32 that stay, too, 13 of them and 19 that
        # were seen, which is less than 32, and then SWAP_CLUSTER_MAX.
        (False, False, 19 + 32),
    ],
)
def test_a_disk_that_is_memory_frees_what_is_sent_at_once(mglru, exact, taken):
    # shrink_folio_list: "A synchronous write - probably a ramdisk", so that no more is sent.
    disk = SwapDevice(128 * MIB, Disk(10**12, 10**12, latency_us=60_000_000), synchronous=True)
    traits = KernelTraits(mglru=mglru, charge_batch_pages=64, mglru_exact=exact)
    machine = SWAP._replace(swap=disk, traits=traits)
    program = Program("p", "/a", (Grow(8 * MIB, 12 * MIB + 4096),))
    group = Group("/a", max_bytes=12 * MIB)
    simulation, _ = run(Scenario("s", machine, (group,), (program,), duration_us=10_000_000))
    memcg = simulation.world.groups["/a"]
    assert (memcg.counts["pswpout"], memcg.leaving) == (taken, 0)
    assert memcg.usage == 12 * PAGES + 1 - taken


def test_what_is_on_its_way_is_found_in_the_swap_cache():
    world = Run(heap(SWAP), None).world
    memcg = world.groups["/a"]
    held = Holding(memcg)
    world.charge(memcg, 300)
    memcg.anon = held.resident = 300
    swap_out(world, held, 100, 0.0)
    swap_out(world, held, 50, 0.0)
    # 80 come back, charged anew: nothing was written yet, so that the last 80 that were sent are found.
    world.charge(memcg, 80)
    assert unswap(world, held, 80) == 0
    held.resident += 80
    memcg.anon += 80
    assert (held.swapped, held.leaving, memcg.leaving, sum(n for _, n in held.writes)) == (70, 70, 70, 70)
    assert memcg.usage == 300
    assert memcg.own == memcg.usage
    # All are freed with their process.
    release(world, held, held.resident, held.swapped)
    assert (memcg.usage, memcg.leaving, memcg.swap_own, len(held.writes)) == (0, 0, 0, 0)


def test_who_dies_while_mglru_sends_leaves_nothing():
    slow = SwapDevice(128 * MIB, Disk(10**12, 10**12, latency_us=60_000_000))
    machine = SWAP._replace(swap=slow, traits=KernelTraits(mglru=True, charge_batch_pages=64))
    program = Program("p", "/a", (Grow(8 * MIB, 20 * MIB),), stop_us=3_000_000)
    group = Group("/a", max_bytes=12 * MIB)
    simulation, _ = run(Scenario("s", machine, (group,), (program,), duration_us=4_000_000))
    memcg = simulation.world.groups["/a"]
    assert (memcg.usage, memcg.swap, memcg.leaving) == (0, 0, 0)
