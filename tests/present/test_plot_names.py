"""Names beside the lines of a picture: who died often is named once, and no name stands on another."""

from __future__ import annotations

from memwarden.present.plot_names import LETTER, LINES, Name, names
from memwarden.sim.result import Event, Kind

SECOND = 1_000_000
MINUTE = 60 * SECOND
INCHES = 60 * LETTER
"""So that a letter is a second wide."""


def death(at, program, pid=0, kind=Kind.OOM_KILL):
    return Event(int(at * SECOND), kind, "/a", program, pid)


def told(*died):
    return names(died, MINUTE, INCHES)


def test_one_name_that_dies_again_and_again_stands_once():
    found = told(*(death(10 + at, "storm", pid=at) for at in range(4)))
    assert found == [Name(10 * SECOND, "storm x4", 1)]


def test_a_chain_of_deaths_is_one_though_it_is_longer_than_the_name():
    found = told(*(death(at, "storm", pid=at) for at in range(0, 50, 5)))
    assert found == [Name(0, "storm x10", 1)]


def test_the_same_name_again_where_there_is_room():
    # "storm" and the gap behind it are six letters.
    assert told(death(10, "storm", 1), death(16, "storm", 2)) == [Name(10 * SECOND, "storm x2", 1)]
    found = told(death(10, "storm", 1), death(16.1, "storm", 2))
    assert [(one.text, one.line) for one in found] == [("storm", 1), ("storm", 1)]


def test_a_process_that_is_asked_and_then_killed_is_one():
    assert told(death(1, "slow", 7, Kind.TERM), death(3, "slow", 7, Kind.KILL))[0].text == "slow"


def test_other_names_stand_below_each_other_where_they_would_touch():
    found = told(death(10, "leaky"), death(10, "helper"), death(15, "third"), death(16, "fourth"))
    assert [(one.text, one.line) for one in found] == [
        ("leaky", 1),
        ("helper", 2),
        ("third", 3),
        ("fourth", 1),
    ]


def test_who_finds_no_line_is_left_out():
    found = told(*(death(10, f"name{at}") for at in range(LINES + 1)), death(20, "later"))
    assert [one.text for one in found] == [*(f"name{at}" for at in range(LINES)), "later"]


def test_what_cannot_be_printed_is_escaped_and_a_long_name_cut():
    first, second = told(death(1, "a\x1bb"), death(50, "x" * 40))
    assert "\x1b" not in first.text
    assert len(second.text) == 24
