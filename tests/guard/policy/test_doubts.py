"""What a policy may say and hardly means."""

from __future__ import annotations

import pytest

from memwarden.guard import ir
from memwarden.guard.policy.doubts import Doubt, doubts
from memwarden.units import MIB, SECOND_US

KILL = ir.DoKill(ir.Choice())
NO_FULL_CPU = 'the kernel counts no full cpu pressure of the machine; say kind = "some", or a cgroup'
SEEN = ir.Group("seen", (ir.Reclaiming(SECOND_US),))


def about(groups=(SEEN,), actions=(KILL,), **more):
    policy = ir.Policy("p", (ir.Rule("r", tuple(groups), tuple(actions), **more),), protect=("x.service",))
    return [doubt.text for doubt in doubts(policy) if doubt.spot == ("rule", "r")]


def when(*detectors):
    return about([ir.Group("g", detectors)])


def test_a_policy_that_is_meant():
    assert about() == []


@pytest.mark.parametrize(
    ("detector", "why"),
    [
        (ir.Pressure(10_000), "pressure is never above 100%"),
        (ir.PressureRising(10_001), "pressure_rising is never above 100%"),
        (
            ir.Stall(SECOND_US),
            "a stall is never longer than the time looked at; make above shorter, or in longer",
        ),
        (
            ir.Stuck(SECOND_US),
            "a stall is never longer than the time looked at; make above shorter, or in longer",
        ),
        (ir.Available(ir.Amount(ppm=0)), "available is never below nothing"),
        (ir.SwapFree(ir.Amount(bytes=0)), "swap_free is never below nothing"),
        (ir.Headroom(ir.Amount(bytes=0)), "headroom is never below nothing"),
        (ir.Usage(ir.Amount(ppm=1_000_000)), "usage is never above all of it"),
        (ir.Exhaustion(0), "memory never ends within no time; give a time that an action takes"),
        (ir.Constant(fires=False), "it says so"),
        (ir.Pressure(6000, "cpu"), NO_FULL_CPU),
        (ir.PressureRising(6000, "cpu"), NO_FULL_CPU),
        (ir.Stall(1000, resource="cpu"), NO_FULL_CPU),
    ],
)
def test_what_never_fires(detector, why):
    assert when(SEEN.detectors[0], detector) == [f'never fires by "g": {why}']


def test_what_is_always_so():
    # A share of a whole is at most all of it; at 100 % it is not so where nothing is used.
    above, whole = ir.Amount(ppm=1_500_000), ir.Amount(ppm=1_000_000)
    for kind, name in ((ir.Available, "available"), (ir.SwapFree, "swap_free"), (ir.Headroom, "headroom")):
        assert when(kind(above)) == [f"{name} is always below 150%; write a share of 100% or less"]
        assert when(kind(whole)) == []
        assert when(kind(ir.Amount(bytes=1 << 62))) == []


@pytest.mark.parametrize(
    "detector",
    [
        ir.Pressure(9_999),
        ir.Stall(SECOND_US - 1),
        ir.Available(ir.Amount(bytes=0), inclusive=True),
        ir.SwapFree(ir.Amount(bytes=0), inclusive=True),
        ir.SwapFree(ir.Amount(bytes=0), without_swap=True),
        ir.Pressure(6000, "cpu", "some"),
        ir.Pressure(6000, "cpu", cgroups=("/a.slice",)),
        ir.Stall(1000, resource="cpu", kind="some"),
        ir.Headroom(ir.Amount(bytes=1)),
        ir.Usage(ir.Amount(bytes=MIB)),
        ir.Usage(ir.Amount(ppm=999_999)),
        ir.Exhaustion(1),
        ir.Constant(fires=True),
    ],
)
def test_what_may_fire(detector):
    assert when(detector) == []


def test_rules_that_do_nothing():
    assert about(groups=()) == ["looks for nothing and never fires; add a [[rule.when]]"]
    assert about(actions=()) == ["does nothing; add a [[rule.do]]"]
    assert about(actions=[ir.DoNothing()]) == ["does nothing when it fires"]
    assert about(actions=[KILL, ir.DoNothing()]) == []


def test_a_window_shorter_than_a_tick():
    short = ir.Stall(1000, window_us=99_999)
    assert when(short) == ['"g" looks back for less than a tick (100ms), and misses what is between']


def test_relative_cgroups_need_a_cgroup_to_be_relative_to():
    here = ir.Group("g", (ir.Stall(1, cgroups=(".",)),))
    assert about([here]) == ['"." means nothing here; add per_cgroup, or write the whole path']
    assert about([here], per_cgroup=("/**",)) == []
    assert about(actions=[ir.DoKill(ir.Choice(cgroups=("./x",)))], per_cgroup=("/**",)) == []
    assert about(per_cgroup=("/**",)) == [
        'runs once for each cgroup, and nothing in it asks which; write cgroup = "." where it is meant'
    ]


def test_actions():
    choice = ir.Choice()
    assert about(actions=[KILL._replace(even_without_need=True)]) == [
        "kills without need: a threshold alone is no shortage; leave even_without_need away"
    ]
    assert about(actions=[KILL._replace(escalate=False)]) == [
        "kill: escalate = false has no meaning where term is 0s, since SIGKILL comes at once"
    ]
    assert about(actions=[KILL._replace(escalate=False, term_us=1)]) == []
    assert about(actions=[ir.DoThrottle(choice, at_ppm=0)]) == [
        "throttle: at 0% the cgroup stands still; say 100% to let it keep what it has"
    ]
    assert about(actions=[ir.DoReclaim(choice, ir.Amount(ppm=0)), KILL]) == [
        'reclaim: nothing is asked for; give an amount as "10%"'
    ]
    assert about(actions=[ir.DoFreeze(choice, within_us=0), KILL]) == [
        'freeze: it is thawed at once; give within a time as "1s"'
    ]
    for last in (ir.DoNothing(stop=True), ir.DoPanic()):
        assert about(actions=[last, KILL]) == ["has actions behind one that ends it; they never run"]
        assert about(actions=[KILL, last]) == []


def test_weights_that_say_nothing():
    def ranked(*weights):
        ranking = ir.Ranking(tuple(ir.Weight("size", weight) for weight in weights))
        return about(actions=[ir.DoKill(ir.Choice(ranking=ranking))])

    assert ranked(0.0, 0.0) == ["ranks by nothing, since all weights are 0; give one a number as 1.0"]
    assert ranked(0.0, -1.0) == []


def test_a_policy_without_rules_and_one_that_protects_nobody():
    empty = Doubt(("guard", "name"), "has no rule, so that the guard does nothing; write a [[rule]]")
    assert doubts(ir.Policy("p", ())) == (empty,)
    kills = ir.Policy("p", (ir.Rule("r", (SEEN,), (KILL,)),))
    unprotected = Doubt(
        ("guard", "name"), "protects nobody; name who is to be kept alive in a [protect.NAME]"
    )
    assert doubts(kills) == (unprotected,)
    assert doubts(ir.Policy("p", (ir.Rule("r", (SEEN,), (ir.DoNotify(),)),))) == ()


@pytest.mark.parametrize("mark", ["/**", "**", "comm:*"])
def test_marks_that_name_everybody(mark):
    text = f'"{mark}" names everybody, so that nobody is ever killed'
    marks = ir.Preferences(omit=(mark,), prefer=(mark,))
    kill = ir.DoKill(ir.Choice(preferences=marks))
    policy = ir.Policy("p", (ir.Rule("r", (SEEN,), (kill, kill)),), never=(mark,), protect=(mark,))
    assert doubts(policy) == (
        Doubt(("guard", "never"), text),
        Doubt(("guard", "protect"), text),
        Doubt(("preferences", "omit"), text),
    )


def test_a_name_longer_than_the_kernel_keeps():
    policy = ir.Policy(
        "p", (ir.Rule("r", (SEEN,), ()),), never=("comm:clickhouse-server", "comm:clickhouse-serv*")
    )
    assert doubts(policy)[0] == Doubt(
        ("guard", "never"),
        '"comm:clickhouse-server" names nobody: a comm has 15 characters; write "comm:clickhouse-serv"',
    )
    assert len(doubts(policy)) == 2
