"""Anonymous pages are looked at twice before they go."""

from __future__ import annotations

import pytest

from memwarden.sim.memory.referenced import look
from memwarden.sim.scenario import Group
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import Memcg


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
