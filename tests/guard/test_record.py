"""Everybody considered, where the chosen one is known before the others."""

from __future__ import annotations

from memwarden.guard.record import Candidate, Considered
from memwarden.state.intents import CgroupId

FIRST = Candidate(CgroupId("/a", 1), 3.0)
NEXT = Candidate(CgroupId("/b", 2), 2.0, why_not="lower: size 2 B")
REST = Candidate(CgroupId("/a", 1), 1.0, why_not="pruned: size at most 1 B in each of 7", stands_for=7)


def considered(asked=None):
    def rest():
        if asked is not None:
            asked.append(1)
        return FIRST, NEXT, REST

    return Considered(FIRST, rest)


def test_nobody_is_asked_before_it_matters_and_then_once():
    asked = []
    found = considered(asked)
    assert found.chosen == FIRST
    assert asked == []
    assert [*found] == [FIRST, NEXT, REST]
    assert (len(found), found[1], found[1:]) == (3, NEXT, (NEXT, REST))
    assert asked == [1]


def test_it_is_like_the_tuple_in_whose_place_it_stands():
    found, plain = considered(), (FIRST, NEXT, REST)
    assert found == plain
    assert plain == found
    assert found == considered()
    assert found != (FIRST,)
    assert (hash(found), repr(found)) == (hash(plain), repr(plain))


def test_nobody_is_asked_for_what_is_told_without():
    asked = []
    found = considered(asked)
    assert found == found  # noqa: PLR0124 - that is the question
    assert found != [FIRST, NEXT, REST]
    assert found != "all"
    assert asked == []
