"""A list that is reclaimed alone is gone round: young pages stay once, and then go as they came.

The figures are steps of swap in the fidelity row swap-high, as they were in the guests: a leaker's pages
under memory.max 24 MiB (lab/fidelity/results/further-6.1.json and so on).
"""

from __future__ import annotations

import pytest

from memwarden.sim.memory.rounds import Found, Order, alone, classic, generations
from memwarden.sim.scenario import Group
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import Memcg

NEVER = (60, 200)
"""``get_scan_count`` with a swappiness of 60, where reclaim cost nothing yet."""
OFTEN = (60, 340)
"""The same where anonymous pages were swapped."""


def heap(pages, seen=0, **more):
    memcg = Memcg(Group("/a"), None, 1, None)
    held = Holding(memcg, **more)
    held.resident, held.seen = pages, seen
    return memcg, held


def took(memcg, held, found):
    held.drop(found.go, seen=found.go)
    return found


def test_the_first_reclaim_of_a_list_goes_round_all_of_it():
    # 6.1, three runs of five: 63 pages after the first reclaim of 6116, and 61 more each time after that.
    memcg, held = heap(6116)
    first = took(memcg, held, classic(memcg, 32, NEVER))
    assert (first.go, first.rounds) == (31 + 32, 13)
    # Up to the last priority 1827 stay; then all others, and those of them in the batch before the last.
    assert first.stay == 6116
    assert classic(memcg, 32, OFTEN) == Found(1 + 4 + 8 + 16 + 32, 0, 8)


def test_a_step_that_meets_young_pages_goes_round_all_of_them():
    # 6.1, three runs: 14 pages are left at 6102, 41 follow 20 ms later, and swap is at 6157. 6144 pages of
    # memory.max are the kernel's 15, 24 of page tables, and 6105, of which some are in use.
    memcg, held = heap(14 + 6103, 14)
    found = took(memcg, held, classic(memcg, 32, OFTEN))
    assert (found.go, found.stay) == (14 + 41, 6103)
    assert held.seen == 6103 - 41


def test_what_is_left_may_be_enough_and_young_pages_behind_it_wait_among_others():
    # 6.1: 52 at 18230. 1 + 4 + 8 + 16, and of 33 pages at the next priority 23 that go and 10 that stay.
    memcg, held = heap(52 + 6084, 52)
    assert took(memcg, held, classic(memcg, 32, OFTEN)) == Found(52, 10, 8)
    held.resident += 52
    assert list(Order(memcg).runs) == [(6074, False), (10, True), (52, False)]


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        (37, (37, 64)),  # 6.12: from 6080 to 6117, and then 56 to 64
        (16, (16 + 64, 64)),  # from 12189 to 12269
        (100, (64, 36)),
    ],
)
def test_generations_give_what_is_old_and_are_aged_when_that_is_less_than_asked_for(left, steps):
    memcg, held = heap(left + 6080, left)
    assert tuple(took(memcg, held, generations(memcg, 32, exact=False)).go for _ in steps) == steps


def test_aging_takes_two_priorities_and_none_at_the_default_one():
    memcg, _ = heap(6080)
    assert generations(memcg, 32, exact=False) == Found(64, 0, 4)


def test_where_shares_are_exact_the_two_agings_are_priorities_that_give_nothing():
    # 7.2: 1 + 2 + 5 + 11 + 23 of some 6100 is its step; behind an aging 11 + 23 come first.
    memcg, held = heap(6118)
    assert took(memcg, held, generations(memcg, 32, exact=True)) == Found(11 + 23, 0, 5)
    assert generations(memcg, 32, exact=True) == Found(1 + 2 + 5 + 11 + 23, 0, 5)


def test_a_small_list_gives_nothing_the_first_time():
    # Each page of it is looked at once in a pass: who charges tries again (nr_retries).
    memcg, _ = heap(10)
    assert classic(memcg, 32, OFTEN).go < 10
    assert classic(memcg, 32, OFTEN).go > 0


def test_what_was_given_back_or_taken_otherwise_is_known_by_what_was_seen():
    memcg, held = heap(100)
    order = Order(memcg)
    assert order.look(40) == (0, 40)
    held.drop(30, seen=10)
    assert list(Order(memcg).runs) == [(30, True), (40, False)]
    held.drop(15, seen=0)
    assert list(Order(memcg).runs) == [(30, True), (25, False)]
    held.resident = 0
    held.seen = 0
    assert not list(Order(memcg).runs)
    assert generations(memcg, 32, exact=False).go == 0


@pytest.mark.parametrize(("more", "is_alone"), [({}, True), ({"touch_us": 1e6}, False)])
def test_pages_that_somebody_comes_back_to_have_no_order(more, is_alone):
    memcg, _ = heap(10, **more)
    assert alone(memcg) is is_alone
    memcg.shmem = 1
    assert not alone(memcg)
