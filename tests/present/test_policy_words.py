"""Policies in words: each detector and each action as a person would say it."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.words import RANK_KEYS
from memwarden.present.colour import PLAIN
from memwarden.present.policy_json import plain
from memwarden.present.policy_seen import seen
from memwarden.present.policy_text import checked
from memwarden.present.policy_words import KEPT, RANKS, paragraphs, text
from memwarden.units import MIB, SECOND_US
from tests.guard.policy import records

CHOICE = ir.Choice()
CULPRIT = "the culprit (who took most memory since all was calm)"

SEEN = [
    (
        ir.Stall(200_000),
        "all tasks of the machine waited for memory at once for more than 200 ms of the last 1 s",
    ),
    (
        ir.Stall(50_000, kind="some", resource="io", cgroups=("a.service", "/b/**"), for_us=2 * SECOND_US),
        (
            "some task of any of a.service, /b/** waited for disks for more than 50 ms of the last 1 s "
            "for 2 s on end"
        ),
    ),
    (
        ir.Pressure(6000, average_s=60, resource="cpu", cgroups=(".",)),
        "all tasks of it waited for a processor at once for more than 60% of the time (average over 60 s)",
    ),
    (
        ir.PressureRising(6050),
        (
            "all tasks of the machine waited for memory at once for more than 60.5% of the last minute, "
            "and it does not get better fast"
        ),
    ),
    (ir.Exhaustion(SECOND_US), "memory of the machine ends within 1 s, the error of the forecast taken off"),
    (ir.Reclaiming(SECOND_US), "the kernel scanned memory of the machine in the last 1 s"),
    (
        ir.Refault(1000, what="file", cgroups=("**",)),
        (
            "more than 1000 file pages a second of any cgroup were needed again soon after they had been "
            "taken away "
            "(over 2 s)"
        ),
    ),
    (ir.Growth(10 * MIB, cgroups=("/a",)), "/a grew faster than 10 MiB/s over 5 s"),
    (
        ir.Events("high", at_least=10, local=True, cgroups=(".",)),
        "high in memory.events.local of it rose by at least 10 in the last 10 s",
    ),
    (ir.Events("oom"), "oom in memory.events of any cgroup rose by at least 1 in the last 10 s"),
    (
        ir.Spinning(),
        "any cgroup was out of memory at least 3 times in the last 10 s and nothing in it could be killed",
    ),
    (
        ir.Stuck(900_000),
        (
            "any cgroup is held at its memory.high with nothing to give back, and all in it waited "
            "for more than 900 ms of the last 1 s"
        ),
    ),
    (ir.Blackout(500_000), "the guard itself was not run for more than 500 ms in the last 10 s"),
    (ir.Available(ir.Amount(ppm=50_000)), "less than 5% of memory is available"),
    (
        ir.Available(ir.Amount(bytes=MIB), whole="user", inclusive=True),
        "no more than 1 MiB of what programs can have of memory is available",
    ),
    (ir.SwapFree(ir.Amount(ppm=100_000)), "less than 10% of swap is free"),
    (
        ir.SwapFree(ir.Amount(ppm=100_000), swap_out_bps=MIB, without_swap=True, inclusive=True),
        "no more than 10% of swap is free (or there is none), and at least 1 MiB/s is written to it",
    ),
    (ir.SwapOut(MIB), "more than 1 MiB/s is written to swap (over 2 s)"),
    (
        ir.Headroom(ir.Amount(ppm=100_000), cgroups=("/a",)),
        "/a has less than 10% left below its limit, with what the kernel could take back",
    ),
    (
        ir.Headroom(ir.Amount(bytes=MIB), effective=False),
        "the machine has less than 1 MiB left below its limit",
    ),
    (ir.Usage(ir.Amount(ppm=800_000)), "the machine uses more than 80% of memory"),
    (
        ir.Usage(ir.Amount(ppm=100_000), anon=True, cgroups=("/a",)),
        "/a has more than 10% of memory as anonymous memory",
    ),
    (ir.Reclaiming(11 * SECOND_US - 1), "the kernel scanned memory of the machine in the last 11.0 s"),
    (ir.Usage(ir.Amount(bytes=MIB), anon=True), "the machine uses more than 1 MiB of anonymous memory"),
    (ir.Dying(5), "the machine has more than 5 removed cgroups that still hold memory"),
    (ir.Dying(5, lte=True), "the machine has at most 5 removed cgroups that still hold memory"),
    (ir.Exists(("/a", "/b")), "there is a cgroup /a or /b"),
    (ir.Exists(("/a",), negate=True), "there is no cgroup /a"),
    (ir.Constant(fires=True), "anything happens at all"),
    (ir.Constant(fires=False), "never"),
]

DONE = [
    (ir.DoNotify(), "says so"),
    (ir.DoNotify("look"), 'says so ("look")'),
    (
        ir.DoReclaim(CHOICE),
        f"has the kernel take back 10% of its memory from {CULPRIT}, and waits up to 1 s for relief",
    ),
    (
        ir.DoReclaim(CHOICE, ir.Amount(bytes=MIB), swappiness=10),
        f"has the kernel take back 1 MiB with swappiness 10 from {CULPRIT}, and waits up to 1 s for relief",
    ),
    (
        ir.DoThrottle(CHOICE, at_ppm=900_000),
        f"holds {CULPRIT} down by memory.high at 90% of its usage, and waits up to 1 s for relief",
    ),
    (ir.DoFreeze(CHOICE), f"freezes {CULPRIT} for up to 1 s"),
    (ir.DoKill(CHOICE), f"kills {CULPRIT}"),
    (
        ir.DoKill(CHOICE, term_us=2 * SECOND_US, dry=True, pause_us=SECOND_US, go_on=True),
        f"kills {CULPRIT} (only in words), by SIGTERM, SIGKILL 2 s later, then rests for 1 s, and goes on",
    ),
    (
        ir.DoKill(CHOICE, term_us=SECOND_US, escalate=False, even_without_need=True),
        f"kills {CULPRIT}, by SIGTERM only, and waits 1 s, even where nothing is short",
    ),
    (
        ir.DoKill(CHOICE, hook=("/bin/dump", "-q"), hook_meanwhile="throttle"),
        f"kills {CULPRIT}, after running /bin/dump -q for at most 5 s, the victim throttled",
    ),
    (ir.DoRestart("a.service"), "restarts a.service and rests for 15 s"),
    (ir.DoPanic(), "crashes the kernel, if it was started with leave to"),
    (ir.DoNothing(), "goes on"),
    (ir.DoNothing(stop=True), "stops there"),
]


@pytest.mark.parametrize(("detector", "words"), SEEN)
def test_what_is_seen(detector, words):
    assert seen(detector) == words


def test_every_detector_and_action_is_among_them():
    assert {type(one) for one, _ in SEEN} == set(get_args(ir.Detector))
    assert {type(one) for one, _ in DONE} == set(get_args(ir.Action))
    assert set(RANKS) == set(RANK_KEYS)


def said(rule):
    return dict(paragraphs(ir.Policy("p", (rule,)), {}))[f"Rule {rule.name}"]


@pytest.mark.parametrize(("action", "words"), DONE)
def test_what_is_done(action, words):
    group = ir.Group("g", (ir.Exists(("/a",)),))
    assert said(ir.Rule("r", (group,), (action,))) == (
        f"When there is a cgroup /a: the guard {words}. Afterwards it rests for 15 s."
    )


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            ir.Choice(ranking=ir.Ranking((ir.Weight("growth"),), ir.Amount(bytes=MIB))),
            "the fastest to grow (more than 1 MiB)",
        ),
        (ir.Choice(ranking=ir.Ranking((ir.Weight("growth"),))), "the fastest to grow"),
        (
            ir.Choice(ranking=ir.Ranking((ir.Weight("culprit"), ir.Weight("size", 0.2)))),
            "the first (by culprit (weight 1), size (weight 0.2))",
        ),
        (
            ir.Choice((".", "./**"), "process", ir.Ranking((ir.Weight("rss"),), ties=("size",))),
            (
                "the one with most resident memory (among equals by size, a single process, among that "
                "cgroup and "
                "all in it)"
            ),
        ),
        (
            ir.Choice(
                ("/a", "/b"), "recursive", ir.Ranking((ir.Weight("rss"),), adjust=(("comm:x", -300.0),))
            ),
            "the one with most resident memory (comm:x counts -300, searched level by level, among /a, /b)",
        ),
        (
            ir.Choice(
                (), "matched", ir.Ranking((ir.Weight("rss"),)), ir.Preferences(("a", "b"), ("c",), ("d",))
            ),
            (
                "the one with most resident memory (with all below it, among nobody, rather a or b, "
                "rather not c, "
                "never d)"
            ),
        ),
    ],
)
def test_whom_it_concerns(choice, words):
    rule = ir.Rule("r", (), (ir.DoKill(choice),))
    assert said(rule) == (
        f"It looks for nothing and so never fires: the guard kills {words}. Afterwards it rests for 15 s."
    )


def test_rules_with_more_about_them():
    group = ir.Group("g", (ir.Exists(("/a",)), ir.Exists(("/b",))))
    rule = ir.Rule("r", (group, group), (), SECOND_US, ("/**",), "user.x", "others")
    assert said(rule) == (
        "For each cgroup of /** by itself: when there is a cgroup /a, and there is a cgroup /b; or "
        "when there is "
        "a cgroup /a, and there is a cgroup /b: nothing is done. Only cgroups that have the extended "
        "attribute "
        "user.x. Afterwards it rests for 1 s, and so do the others that rest with others."
    )


def test_what_holds_for_all_rules():
    policy = ir.Policy(
        "p",
        (ir.Rule("r", (), ()),),
        steady=True,
        kill_pause_us=SECOND_US,
        dry_run=True,
        notes=("no x", "no y"),
        wait_for_death=False,
    )
    assert paragraphs(policy, {})[:1] == [
        (
            "Policy p",
            (
                "1 rule, looked at every 100 ms always. It is a dry run: everything is decided and "
                "nothing done. "
                "After a kill nobody else is killed for 1 s. "
                "It does not wait until who was killed is gone."
            ),
        )
    ]
    assert paragraphs(policy, {})[-1] == ("Notes", "no x\nno y")


def test_a_policy_without_rules_does_nothing():
    found = dict(paragraphs(ir.Policy("p", (), BUILT_IN), {}))
    assert found["Policy p"].startswith("It has no rule: the guard does nothing.")
    kept = f"Never killed at all: all {len(BUILT_IN)} entries of the built-in list, which is of init, "
    assert found["Spared"].startswith(kept)


def test_no_rest_and_no_least_are_not_said_as_figures():
    # What earlyoom's arguments become: whoever has nothing may be chosen, and nothing is waited for.
    ranking = ir.Ranking((ir.Weight("oom-score"),), ir.Amount(bytes=-1))
    kill = ir.DoKill(ir.Choice(ranking=ranking))
    rule = ir.Rule("r", (ir.Group("g", (ir.Stall(above_us=1000),)),), (kill,), pause_us=0)
    [_, (_, said)] = paragraphs(ir.Policy("p", (rule,)), {})
    assert said.endswith("the guard kills the one with the highest oom_score. Afterwards it does not rest.")


def test_who_is_spared():
    never = (*BUILT_IN[2:], "x.service")
    found = dict(paragraphs(ir.Policy("p", (), never), {"db": ("db.service", "comm:db")}))["Spared"]
    count = len(BUILT_IN)
    assert found.splitlines() == [
        "Never killed by these rules, as services to be kept alive:",
        "- db: db.service, comm:db",
        f"Never killed at all: {count - 2} of the {count} entries of the built-in list, which is of {KEPT}.",
        "Nor, by this policy: x.service.",
        f"May be killed although on the built-in list: {BUILT_IN[0]}, {BUILT_IN[1]}.",
    ]
    own = dict(paragraphs(ir.Policy("p", (), ("x.service",)), {}))["Spared"]
    assert own.startswith("Nor, by this policy: x.service.\nMay be killed although")


@given(records.POLICIES)
def test_any_policy_has_words_that_do_no_harm(policy):
    for title, body in paragraphs(policy, {"a": policy.protect}):
        assert title.isprintable()
        assert all(line.isprintable() for line in body.split("\n"))
        assert body.endswith(".") or title in {"Spared", "Notes"}
    assert plain(policy)["type"] == "Policy"


def test_the_built_in_policy(cli, golden):
    golden("policy/default-explain.txt", cli("policy", "explain", "default").out)
    golden("policy/default-show.txt", cli("policy", "show", "default").out)


def test_paragraphs_are_wrapped_below_their_titles():
    out = text(ir.Policy("p", ()), {}, width=30, paint=PLAIN)
    assert out == "Policy p\n  It has no rule: the guard\n  does nothing.\n"
    listed = text(ir.Policy("p", ()), {"db": ("db.service", "comm:postgres")}, width=30, paint=PLAIN)
    assert "alive:\n    db: db.service,\n      comm:postgres\n" in listed


def test_what_is_asked_for_twice_is_said_once():
    same = ir.Group("g", (ir.Constant(fires=True), ir.Constant(fires=True)))
    rule = ir.Rule("r", (same,), (ir.DoNotify(),), pause_us=0)
    said = dict(paragraphs(ir.Policy("p", (rule,)), {}))["Rule r"]
    assert said == "When anything happens at all: the guard says so. Afterwards it does not rest."


def test_no_mark_is_said_as_it_is_written_where_words_do_better():
    choice = ir.Choice(preferences=ir.Preferences(omit=("adj<=-900", "a.service")))
    rule = ir.Rule("r", (), (ir.DoKill(choice),))
    said = dict(paragraphs(ir.Policy("p", (rule,)), {}))["Rule r"]
    assert "never a process with an oom_score_adj of -900 or less or a.service" in said


def test_nothing_that_is_checked_reaches_the_terminal_raw():
    assert checked("a\x1b", (), "fine") == "a\\x1b: all right; fine\n"
