"""One turn, said in lines."""

from __future__ import annotations

import pytest

from memwarden.daemon.ledger import Ledger
from memwarden.daemon.once import Aloud
from memwarden.guard.pulse import Beat, Reply
from memwarden.guard.record import Decision
from memwarden.state.cgroup import Cgroup
from memwarden.state.intents import CgroupId, Kill, Outcome
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.testing.clock import ManualClock
from tests.daemon.at_once import AtOnce

GIB = 1 << 30
DOING = "guarding by the policy default, 8 rules"


@pytest.fixture
def told():
    return Aloud(clock=ManualClock(0, 0), writer=AtOnce(), ledger=Ledger(boot="b", writer=AtOnce()))


def turn(told, alarm=""):
    told.beat(Beat(0, 4 * GIB, GIB, 0), Reply(alarm, True, 1))
    told.seen(Snapshot(Instant(0), cgroups={path: Cgroup(path, 1) for path in ("/", "/a")}))


def test_nothing_to_be_done_says_what_was_looked_at(told):
    turn(told)
    first, *rest = told.lines(DOING, observe=False)
    assert first == "2 cgroups, 1.00 GiB of 4.00 GiB available: nothing is to be done"
    assert rest == [DOING]


def test_an_alarm_on_which_nothing_was_decided_is_named(told):
    turn(told, "a trigger fired")
    assert told.lines(DOING, observe=False)[0] == (
        "2 cgroups, 1.00 GiB of 4.00 GiB available, a trigger fired: nothing is to be done"
    )


def test_who_only_observes_does_not_say_that_nothing_is_to_be_done(told):
    turn(told, "a trigger fired")
    assert told.lines(DOING, observe=True)[0].endswith(", a trigger fired: nothing is decided")


def test_a_machine_that_does_not_say_how_much_is_available(told):
    assert told.lines(DOING, observe=False)[0] == (
        "the machine does not say how much memory is available: nothing was looked at"
    )


@pytest.mark.parametrize(("dry", "done"), [(False, "killed /a"), (True, "dry run: would have killed /a")])
def test_what_was_decided_is_said_as_the_ledger_says_it(told, dry, done):
    kill = Kill(CgroupId("/a", 1))
    told.pretend(dry)
    turn(told, "a trigger fired")
    told.decided(
        Decision("1-1", Instant(0), "p", "r", "g", 0, "kill", (), "stall", intents=(kill,)),
        [Outcome(kill, done=True)],
    )
    assert told.lines(DOING, observe=False) == [f"{done} (r: stall)", DOING]
