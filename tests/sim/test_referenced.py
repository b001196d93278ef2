"""Anonymous pages are looked at twice before they go."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from memwarden.sim.memory.referenced import age, look
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.run import Run
from memwarden.sim.scenario import Group, Machine, Scenario, SwapDevice
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import Memcg
from memwarden.state.traits import KernelTraits
from memwarden.units import MIB


def held(pages, kind="anon"):
    memcg = Memcg(Group("/a"), None, 1, None)
    one = Holding(memcg, kind)
    one.resident = pages
    return memcg, one


def test_what_was_mapped_since_stays_once():
    memcg, one = held(100)
    assert look(memcg, 60, 100) == (0, 60)
    # 40 are left of the first round; in the second all were seen.
    assert look(memcg, 100, 100) == (60, 40)
    assert one.seen == 100


def test_no_more_are_looked_at_than_are_needed():
    memcg, one = held(100)
    look(memcg, 100, 100)
    assert look(memcg, 100, 30) == (30, 0)
    one.drop(30, seen=30)
    # The rest of the round, and then the same 70 again.
    assert look(memcg, 70, 70) == (70, 0)


def test_new_pages_come_behind_those_that_were_seen():
    memcg, one = held(100)
    look(memcg, 110, 10)
    one.drop(10, seen=10)
    one.resident += 50
    # 90 of the round that began are seen, 50 are new in the next.
    assert look(memcg, 90, 90) == (90, 0)
    one.drop(90, seen=90)
    assert look(memcg, 50, 50) == (0, 50)


def test_where_old_and_new_are_on_the_list_each_look_finds_them_in_proportion():
    memcg, one = held(60)
    look(memcg, 60, 60)
    one.resident += 40
    # 60 of 100 were seen.
    assert look(memcg, 50, 50) == (30, 20)


@pytest.mark.parametrize(("kind", "found"), [("shmem", (80, 0)), ("locked", (0, 0))])
def test_what_no_page_table_knows_goes_at_once_and_what_is_locked_never(kind, found):
    assert look(held(100, kind)[0], 80, 100) == found


def test_what_its_owner_gives_back_was_seen_in_proportion():
    memcg, one = held(100)
    look(memcg, 50, 50)
    assert (one.seen, one.ahead) == (50, 50)
    one.drop(80, seen=40)
    assert (one.resident, one.seen, one.ahead, one.seen_ahead) == (20, 10, 20, 0)


def test_two_holdings_are_looked_at_by_their_sizes():
    memcg, one = held(90)
    other = Holding(memcg)
    other.resident = 30
    assert look(memcg, 40, 40) == (0, 40)
    assert (one.seen, other.seen) == (30, 10)


@pytest.mark.parametrize(("seen", "walked"), [(0, 100), (24, 100), (25, 0), (100, 0)])
def test_what_has_less_than_a_quarter_that_is_old_is_aged(seen, walked):
    # should_run_aging: "old * (MIN_NR_GENS + 2) < total"
    memcg, one = held(100)
    one.seen = seen
    assert age(memcg) == walked
    assert one.seen == (100 if walked else seen)


def test_what_was_aged_may_go_and_what_came_after_it_may_not():
    memcg, one = held(100)
    age(memcg)
    one.resident += 20
    assert look(memcg, 100, 100) == (100, 0)
    one.drop(100, seen=100)
    assert look(memcg, 20, 20) == (0, 20)


@pytest.mark.parametrize("kind", ["shmem", "locked"])
def test_nobody_walks_what_no_page_table_tells_of(kind):
    assert age(held(100, kind)[0]) == 0


@pytest.mark.parametrize(("age_us", "free_swap"), [(2.0, True), (None, True), (2.0, False)])
def test_kswapd_walks_page_tables_once_and_then_takes_what_is_old(age_us, free_swap):
    swap = SwapDevice(256 * MIB, synchronous=True) if free_swap else None
    machine = Machine(ram_bytes=200 * MIB, swap=swap, age_us=age_us, traits=KernelTraits(mglru=True))
    simulation = Run(Scenario("s", machine, (Group("/a"),), ()))
    world, payer = simulation.world, SimpleNamespace(reclaim=0.0, wait=0.0)
    memcg = world.groups["/a"]
    one = Holding(memcg)
    one.resident = memcg.anon = 1000
    world.charge(memcg, 1000)
    assert shrink(world, world.root, 64, payer, done=0) == (64 if free_swap else 0)
    walked = 1000 * 2.0 if age_us and free_swap else 0.0
    costs = 64 * (machine.reclaim_us + machine.swap_us) + machine.pass_us if free_swap else machine.pass_us
    assert payer.reclaim == pytest.approx(walked + costs, abs=machine.pass_us)
    before = payer.reclaim
    shrink(world, world.root, 64, payer, done=64)
    assert payer.reclaim - before <= costs + machine.pass_us
