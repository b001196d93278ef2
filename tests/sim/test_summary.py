"""The few figures that a result comes down to, from records made by hand."""

from __future__ import annotations

import pytest

from memwarden.sim.result import Event, GroupSample, Kind, Result, Sample, Usage, Work
from memwarden.sim.scenario import Scenario
from memwarden.sim.summary import GUARD, KERNEL, SUPERVISOR, Death, GroupSum, deaths, lost, summary, told
from memwarden.units import MAX

WORK = Work("p", "/a", 0, 0, 0, 0, None, None, None, 5, 3, 0, 0, 0, 0)


def group(anon, *, high=MAX, maximum=MAX, some=0, full=0):
    return GroupSample(Usage(anon=anon), 0, 0, high, maximum, some, full)


def sample(at, groups, some=0, full=0):
    return Sample(at, 0, 0, 0, some, full, 0.0, 0.0, groups)


def test_deaths_of_one_program_by_one_killer_stand_together():
    events = (
        Event(1, Kind.OOM, "/a"),
        Event(2, Kind.OOM_KILL, "/a", "storm", 10, 100),
        Event(3, Kind.OOM_KILL, "/a", "storm", 11, 50),
        Event(4, Kind.KILL, "/a", "storm", 12, 7),
    )
    found = summary(Result(Scenario("s"), (), events, (WORK, WORK), {}, {}))
    assert found.deaths == (
        Death("storm", "/a", KERNEL, 2, 3, 2, 150),
        Death("storm", "/a", GUARD, 4, 4, 1, 7),
    )
    assert (found.kills, found.stalled_us, found.throttled_us, found.lost) == (3, 10, 6, None)
    assert (found.groups, found.full_us) == ((), 0)


def test_who_ends_on_sigterm_dies_of_it_and_who_does_not_is_killed_by_somebody_else():
    events = (
        Event(1, Kind.TERM, "/a", "meek", 10),
        Event(2, Kind.TERM, "/a", "meek", 10),
        Event(3, Kind.TERM, "/a", "deaf", 11),
        Event(4, Kind.TERM, "/a", "slow", 12),
        Event(5, Kind.GONE, "/a", "meek", 10, 70),
        Event(6, Kind.KILL, "/a", "deaf", 11, 8),
        Event(7, Kind.GONE, "/a", "deaf", 11, 8),
        Event(8, Kind.TERM, "/a", "done", 13),
        Event(9, Kind.STOPPED, "/a", "done", 13),
        Event(10, Kind.GONE, "/a", "done", 13, 9),
        Event(11, Kind.KILL, "/a", "stuck", 14, 6, "it stalled for too long"),
    )
    assert deaths(events) == (
        Death("meek", "/a", GUARD, 1, 1, 1, 70),
        Death("deaf", "/a", GUARD, 6, 6, 1, 8),
        Death("stuck", "/a", SUPERVISOR, 11, 11, 1, 6),
    )


def test_a_group_has_its_peak_and_the_limit_that_was_tighter_at_the_end():
    samples = (
        sample(0, {"/a": group(5, maximum=100), "/b": group(1)}),
        sample(1, {"/a": group(9, maximum=100)}),
        sample(2, {"/a": group(3, high=50, maximum=100, some=8, full=2)}, 9, 4),
    )
    found = summary(Result(Scenario("s"), samples, (), (), {}, {"/a": 11, "/b": 1}))
    assert found.groups == (GroupSum("/a", 11, 50, 8, 2), GroupSum("/b", 1, MAX, 0, 0))
    assert found.full_us == 4


@pytest.mark.parametrize(
    ("work", "share"),
    [
        (WORK, None),
        (WORK._replace(moved_bytes=75, wanted_bytes=100), 0.25),
        (WORK._replace(moved_bytes=75, wanted_bytes=100, requests=1, requests_due=2), 0.5),
        (WORK._replace(moved_bytes=101, wanted_bytes=100), 0.0),
        # Killed: what it did not do is lost, and of who had done all nothing is known, but that it died.
        (WORK._replace(moved_bytes=75, wanted_bytes=100, deaths=1), 0.25),
        (WORK._replace(moved_bytes=100, wanted_bytes=100, deaths=1), None),
        (WORK._replace(moved_bytes=101, wanted_bytes=100, deaths=1), None),
        (WORK._replace(requests=2, requests_due=2, deaths=1), 0.0),
    ],
)
def test_what_was_lost(work, share):
    assert lost(work) == share


def test_of_what_happens_again_and_again_the_first_is_told():
    events = (
        Event(0, Kind.STARTED, "/a", "p"),
        Event(1, Kind.RECLAIM, "/a", detail="/a"),
        Event(2, Kind.RECLAIM, "/a", detail="/b"),
        Event(3, Kind.RECLAIM, "/b"),
        Event(4, Kind.CHANGED, "/a", detail="memory.high"),
        Event(5, Kind.CHANGED, "/a", detail="memory.high"),
    )
    assert [(one.event.time_us, one.again) for one in told(events)] == [(1, 1), (3, 0), (4, 0), (5, 0)]


def test_ends_of_one_program_are_told_once_as_its_deaths_are():
    events = (
        Event(1, Kind.STOPPED, "/a", "p", 10),
        Event(1, Kind.STOPPED, "/a", "p", 11),
        Event(2, Kind.STOPPED, "/a", "q", 12),
        Event(3, Kind.OOM_KILL, "/a", "p", 13),
        Event(4, Kind.OOM_KILL, "/a", "p", 14),
    )
    assert [(one.event.time_us, one.again) for one in told(events)] == [(1, 1), (2, 0), (3, 1)]
