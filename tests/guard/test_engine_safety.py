"""What came between a decision and its end: who must not die then, and what must not stay changed."""

from __future__ import annotations

import json

import pytest

from memwarden.guard import ir, written
from memwarden.guard.acts import HOLD, Act
from memwarden.guard.chain import AGAIN_US, SAID, Chain
from memwarden.guard.engine import NONE, REMEMBERED, RESTORE_US, Engine
from memwarden.guard.never import Guarded
from memwarden.guard.record import Candidate, Decision
from memwarden.guard.sight import unseen
from memwarden.guard.victims import Result, Victims, is_gone
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Outcome,
    Panic,
    ProcessId,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.state.snapshot import HostFacts, Instant, Snapshot
from memwarden.units import MAX, MIB
from tests.guard.policy.test_default import LOADED
from tests.guard.test_engine import (
    DB,
    EVERYBODY,
    GUARDED,
    KILL,
    LEAK,
    STALL,
    TICK,
    S,
    World,
    calm,
    policy,
    stall,
    targets,
)

HOOKED = KILL._replace(hook=("/usr/bin/dump",), hook_limit_us=2 * S)
ALWAYS = ir.Constant(fires=True)


def hooked(
    *more: ir.Rule, guarded: Guarded = GUARDED, action: ir.DoKill = HOOKED, when=STALL, pause_us: int = S
):
    """A world in which a hook for the leak has just started; its decision."""
    own = policy(action, when=when, pause_us=pause_us)
    world, engine = World(), Engine(own._replace(rules=(*own.rules, *more)), guarded)
    calm(engine, world)
    (decision, *_) = stall(engine, world, 1)
    assert isinstance(decision.intents[0], RunHook)
    return world, engine, decision


def ended(engine: Engine, decision) -> None:
    engine.report(decision.id, Outcome(decision.intents[0], done=True))


def killed(decisions) -> list[str]:
    return [type(one.intents[0]).__name__ for one in decisions if one.intents]


def test_who_came_in_while_the_hook_ran_is_spared():
    world, engine, decision = hooked(guarded=Guarded(protect=("comm:postgres",)))
    ended(engine, decision)
    world.go()
    snapshot = world.snapshot()
    pid = snapshot.cgroups[LEAK].procs[0]
    processes = {**snapshot.processes, pid: snapshot.processes[pid]._replace(comm="postgres")}
    (withheld,) = engine.step(snapshot._replace(processes=processes)).decisions
    assert withheld.intents == ()
    assert withheld.withheld.startswith("it may not be killed any more: protected")


def test_who_went_or_came_back_as_another_while_the_hook_ran_is_not_killed():
    for again in (False, True):
        world, engine, decision = hooked(pause_us=60 * S)
        ended(engine, decision)
        held = world.held.pop(LEAK)
        if again:  # the inode of a World is its place among those held
            world.held.update({DB + "x": 1, LEAK: held})
        assert killed(stall_without_leak(engine, world)) == []


def stall_without_leak(engine: Engine, world: World):
    decisions = []
    for _ in range(30):
        world.full_us += 60_000
        world.go()
        decisions += engine.step(world.snapshot()).decisions
    return decisions


def test_no_kill_at_the_end_of_a_hook_when_the_need_is_over():
    world, engine, decision = hooked(when=ALWAYS)
    for _ in range(4):
        world.go(S)
        decisions = engine.step(world.snapshot()).decisions
        assert killed(decisions) in ([], ["RunHook"])
        ended(engine, decision)


def test_a_hook_that_ends_waits_for_the_victim_of_another_rule():
    other = ir.Rule(
        "b", (ir.Group("g", (ir.Stall(above_us=100_000),)),), (KILL._replace(choice=ir.Choice((DB,))),), S
    )
    world, engine, decision = hooked(other)
    assert targets(stall(engine, world, 2, grow=2)) == [DB]
    ended(engine, decision)
    decisions = stall(engine, world, 2, grow=2)
    assert targets(decisions) == []
    assert f"waiting for {DB} to be gone" in [one.withheld for one in decisions]
    world.held[DB + "x"] = world.held.pop(DB)
    world.held = {DB: 1, **world.held}
    world.held.pop(DB)
    world.full_us += 60_000
    world.go()
    snapshot = world.snapshot()
    gone = {path: one for path, one in snapshot.cgroups.items() if path != DB}
    leak = gone[LEAK]._replace(inode=decision.intents[0].target.inode)
    assert targets(engine.step(snapshot._replace(cgroups={**gone, LEAK: leak})).decisions) == [LEAK]


def test_processes_are_asked_for_at_the_end_of_a_hook():
    world, engine, decision = hooked()
    ended(engine, decision)
    world.full_us += 60_000
    world.go()
    bare = engine.step(world.snapshot()._replace(processes={}), processes_of=NONE)
    assert (bare.decisions, bare.wants_processes) == ((), {LEAK})
    world.go(1000)
    assert targets(engine.step(world.snapshot()).decisions) == [LEAK]


def test_a_victim_of_a_hook_that_went_while_processes_were_read():
    world, engine, decision = hooked()
    ended(engine, decision)
    world.go()
    assert engine.step(world.snapshot()._replace(processes={}), processes_of=NONE).wants_processes
    world.held.pop(LEAK)
    world.go(1000)
    assert engine.step(world.snapshot()).decisions == ()


def test_a_victim_that_cannot_be_read_is_not_killed():
    world, engine, decision = hooked()
    ended(engine, decision)
    world.go()
    snapshot = world.snapshot()
    unread = {path: one for path, one in snapshot.cgroups.items() if path != LEAK}
    (withheld,) = engine.step(snapshot._replace(cgroups=unread)).decisions
    assert withheld.withheld == "it may not be killed any more: gone: it was not to be read"


def test_a_process_that_was_asked_to_end_is_judged_again():
    choice = ir.Choice(units="process", ranking=ir.Ranking((ir.Weight("rss"),)))
    term = ir.DoKill(choice, term_us=S)
    world, engine = World(), Engine(policy(term), Guarded(protect=("comm:postgres",)))
    decisions = []
    for tick in range(13):
        world.full_us += 60_000
        world.go()
        snapshot = world.snapshot()
        comm = "a" if tick < 5 else "postgres"
        processes = {
            pid: one._replace(rss_bytes=100 * MIB, comm=comm) for pid, one in snapshot.processes.items()
        }
        decisions += engine.step(snapshot._replace(processes=processes)).decisions
    assert killed(decisions) == ["Terminate"]
    assert decisions[-1].withheld.startswith("it may not be killed any more: protected")


def test_a_late_end_of_an_earlier_hook_is_not_that_of_this_one():
    world, engine, decision = hooked(pause_us=0)
    more = stall(engine, world, 20, grow=2)  # the hook's time is over, and the leak is killed
    assert targets(more) == [LEAK]
    world.held.pop(LEAK)
    world.held["/app.slice/other.service"] = 300
    again = stall_without_leak(engine, world)
    assert killed(again)[0] == "RunHook"
    # The first hook ends now: nothing is due.
    ended(engine, decision)
    engine.report("unknown", Outcome(decision.intents[0], done=True))


def test_a_throttle_that_fails_leaves_the_one_before_to_be_undone():
    victims, view = Victims(), type("View", (), {"now_us": S, "snapshot": World().snapshot()})()
    cgroup = CgroupId(LEAK, 11)
    first, second = SetHigh(cgroup, 2 * MIB, MAX), SetHigh(cgroup, MIB, 2 * MIB)
    victims.strike("1", (first,), view, S)
    victims.strike("2", (second,), view, S)
    victims.outcome("2", Outcome(second, done=False))
    assert victims.changed == (cgroup,)
    assert victims.undo(view.snapshot) == (("1", SetHigh(cgroup, MAX)),)
    victims.strike("3", (first,), view, S)
    victims.strike("4", (second,), view, S)
    victims.outcome("3", Outcome(first, done=False))
    assert victims.undo(view.snapshot) == (("4", SetHigh(cgroup, MAX)),)
    victims.outcome("5", Outcome(first, done=False))
    assert victims.changed == ()


def test_what_could_not_be_undone_is_tried_again():
    world, engine = World(), Engine(policy(ir.DoThrottle(EVERYBODY)), GUARDED)
    calm(engine, world)
    stall(engine, world, 1)
    undone = []
    for _ in range(3 * RESTORE_US // S + 3):
        world.go(S)
        for decision in engine.step(world.snapshot(), calm=True).decisions:
            undone.append((world.now_us, decision.intents))
            engine.report(decision.id, Outcome(decision.intents[0], done=len(undone) > 1, error="it is busy"))
    assert [intents for _, intents in undone] == 2 * [(SetHigh(CgroupId(LEAK, 11), MAX),)]
    assert undone[1][0] - undone[0][0] == RESTORE_US


def test_what_is_gone_or_another_one_is_not_undone():
    for change in ("gone", "another", "unread"):
        world, engine = World(), Engine(policy(ir.DoThrottle(EVERYBODY)), GUARDED)
        calm(engine, world)
        stall(engine, world, 1)
        snapshot = world.snapshot()
        if change == "gone":
            world.held.pop(LEAK)
            snapshot = world.snapshot()
        elif change == "another":
            cgroups = {**snapshot.cgroups, LEAK: snapshot.cgroups[LEAK]._replace(inode=99)}
            snapshot = snapshot._replace(cgroups=cgroups)
        else:
            snapshot = snapshot._replace(cgroups={})
        assert len(list(engine.restore(snapshot))) == (change == "unread")


def test_a_frozen_cgroup_is_thawed_when_its_time_is_over_though_all_is_not_calm():
    world, engine = World(), Engine(policy(ir.DoFreeze(EVERYBODY, within_us=S), pause_us=60 * S), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 15, grow=2)
    leak = CgroupId(LEAK, 11)
    assert [one.intents for one in decisions] == [(Freeze(leak),), (Thaw(leak),)]
    assert decisions[1].at.monotonic_us - decisions[0].at.monotonic_us == S
    assert decisions[1].need == f"what {decisions[0].id} froze has been so for its time"


def test_a_frozen_victim_is_killed_as_it_is():
    world, engine = (
        World(),
        Engine(policy(ir.DoFreeze(EVERYBODY, within_us=S), KILL, pause_us=60 * S), GUARDED),
    )
    calm(engine, world)
    assert killed(stall(engine, world, 15, grow=2)) == ["Freeze", "Kill"]


def test_throttled_and_frozen_are_undone_each_for_itself():
    both = policy(
        ir.DoThrottle(EVERYBODY, at_ppm=900_000, within_us=S), ir.DoFreeze(EVERYBODY, within_us=9 * S)
    )
    world, engine = World(), Engine(both, GUARDED)
    calm(engine, world)
    stall(engine, world, 12, grow=2)
    undone = [one.intents[0] for one in engine.restore(world.snapshot())]
    assert [type(one) for one in undone] == [Thaw, SetHigh]


def test_a_clock_that_goes_back_takes_all_times_with_it():
    world, engine = World(), Engine(policy(KILL, pause_us=5 * S, kill_pause_us=3 * S), GUARDED)
    calm(engine, world)
    assert targets(stall(engine, world, 1)) == [LEAK]
    world.now_us -= 50 * S
    # The victim is waited for until 2 s are over, as before; then the rule rests until 5 s are.
    assert targets(stall(engine, world, 48, grow=1)) == []
    assert targets(stall(engine, world, 4, grow=1)) == [DB]


def test_a_clock_that_goes_back_while_something_is_waited_for():
    slow = policy(
        ir.DoThrottle(EVERYBODY, within_us=S), ir.DoFreeze(EVERYBODY, within_us=S), KILL, pause_us=60 * S
    )
    world, engine = World(), Engine(slow, GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 15, grow=2)
    world.now_us -= 50 * S
    # What was seen begins anew, as if it had helped; what was changed is undone at its time.
    decisions += stall(engine, world, 30, grow=2)
    assert [one.action for one in decisions] == ["throttle", "freeze", "restore"]
    assert decisions[2].at.monotonic_us - decisions[1].at.monotonic_us == S - 50 * S + TICK


def test_a_kill_that_is_over_is_as_long_ago_after_the_clock_went_back():
    world, engine = World(), Engine(policy(KILL, pause_us=0, kill_pause_us=3 * S), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    engine.bury(decision.intents[0].target)
    world.now_us -= 50 * S
    assert targets(stall(engine, world, 29, grow=1)) == []
    assert targets(stall(engine, world, 3, grow=1)) == [DB]


def test_another_boot_begins_anew():
    world, engine = World(), Engine(policy(KILL, pause_us=900 * S), GUARDED)
    first, second = HostFacts(boot_id="a"), HostFacts(boot_id="b")
    for host in (first, second):
        decisions = []
        for _ in range(5):
            world.full_us += 60_000
            world.go()
            decisions += engine.step(world.snapshot()._replace(host=host)).decisions
        assert targets(decisions) == [DB]  # nobody has taken more
        world.now_us = S


def test_rules_that_rest_together_do_so_in_the_middle_of_their_actions():
    slow = ir.Rule(
        "a", (ir.Group("g", (STALL,)),), (ir.DoThrottle(EVERYBODY, within_us=S), KILL), 60 * S, rests_with="x"
    )
    quick = ir.Rule("b", (ir.Group("g", (ir.Stall(above_us=300_000),)),), (KILL,), 60 * S, rests_with="x")
    world, engine = World(), Engine(ir.Policy("t", (slow, quick), wait_for_death=False), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 30, grow=2)
    assert [(one.rule, one.action) for one in decisions] == [("a", "throttle"), ("b", "kill")]


def test_a_kill_that_failed_late_does_not_end_the_rest_of_another():
    flag = "/app.slice/flag.service"
    rules = tuple(
        ir.Rule(name, (ir.Group("g", (STALL, when)),), (KILL,), pause, rests_with="x")
        for name, when, pause in (("a", ir.Exists((flag,)), S), ("b", ALWAYS, 60 * S))
    )
    world, engine = World(**{flag: 1}), Engine(ir.Policy("t", rules, wait_for_death=False), GUARDED)
    calm(engine, world)
    first = stall(engine, world, 1)
    assert [one.rule for one in first] == ["a"]
    world.held.pop(flag)
    second = stall(engine, world, 12, grow=2)
    assert [one.rule for one in second] == ["b"]
    engine.report(first[0].id, Outcome(first[0].intents[0], done=False))
    assert stall(engine, world, 30, grow=2) == []


def test_rests_that_are_shared_go_back_with_the_clock_once():
    rules = tuple(ir.Rule(name, (ir.Group("g", (STALL,)),), (KILL,), 5 * S, rests_with="x") for name in "ab")
    world, engine = World(), Engine(ir.Policy("t", rules, wait_for_death=False), GUARDED)
    calm(engine, world)
    assert len(targets(stall(engine, world, 1))) == 1
    world.now_us -= 50 * S
    assert targets(stall(engine, world, 50, grow=1)) == []
    assert len(targets(stall(engine, world, 3, grow=1))) == 1


def test_outcomes_of_what_was_decided_long_ago_are_taken_for_what_they_are():
    world, engine = World(), Engine(policy(ir.DoThrottle(EVERYBODY), pause_us=0), GUARDED)
    calm(engine, world)
    (first,) = stall(engine, world, 1)
    kill = Kill(CgroupId(LEAK, 11))
    # Not the latest decision of its rule any more, and no rest of its own to be ended.
    for number in range(300):
        engine._own(f"later {number}", engine._chains[0])
    assert len(engine._owners) == REMEMBERED
    for decision in ("later 299", "later 1", first.id):
        engine.report(decision, Outcome(kill, done=False, error="it is gone"))
    assert engine._victims.failed == {kill.target: "it is gone"}


def test_restarts_and_panics_rest_afterwards():
    for action, intent in ((ir.DoRestart("a.service"), Restart("a.service")), (ir.DoPanic(), Panic())):
        world, engine = World(), Engine(policy(action, pause_us=60 * S), GUARDED)
        calm(engine, world)
        assert [one.intents for one in stall(engine, world, 20, grow=1)] == [(intent,)]


def test_a_rule_per_cgroup_with_a_mark_runs_only_for_those_that_have_it():
    kill = ir.DoKill(ir.Choice((".",), "matched", ir.Ranking((ir.Weight("size"),))), even_without_need=True)
    rule = ir.Rule("each", (ir.Group("g", (ALWAYS,)),), (kill,), per_cgroup=("/*/*",), xattr_filter="user.x")
    world, engine = World(), Engine(ir.Policy("each", (rule,)), GUARDED)
    snapshot = world.snapshot()
    assert engine.step(snapshot).decisions == ()
    world.go()
    cgroups = {**snapshot.cgroups, LEAK: snapshot.cgroups[LEAK]._replace(marks=("user.x",))}
    snapshot = world.snapshot()._replace(cgroups=cgroups)
    assert targets(engine.step(snapshot).decisions) == [LEAK]


def test_what_came_of_a_decision_in_words():
    result = Result("1", CgroupId(LEAK, 11), gone=True, freed_bytes=3 * MIB, took_us=250_000)
    assert result.text == "gone after 0.25 s, 3.00 MiB more are free"
    assert result._replace(freed_bytes=None).text == "gone after 0.25 s"
    assert result._replace(gone=False).text == "still there after 0.25 s"
    assert written.result(result) == {
        "decision": "1", "target": {"kind": "cgroup", "path": LEAK, "inode": 11}, "gone": True,
        "freed_bytes": 3 * MIB, "took_us": 250_000, "text": "gone after 0.25 s, 3.00 MiB more are free",
    }  # fmt: skip


def test_a_decision_as_plain_data():
    hook = RunHook(("/bin/x",), CgroupId("/a", 1), 5, environment=(("A", "1"),))
    decision = Decision(
        "7", Instant(3, 4), "p", "r", "g", 0, "hook", (), "stall",
        (Candidate(ProcessId(5, 6, "c"), 1.5, (("size", 2.0),)),), (hook, SetHigh(CgroupId("/a", 1), MAX)),
    )  # fmt: skip
    plain = written.decision(decision, [Outcome(hook, done=True)])
    assert json.loads(json.dumps(plain)) == plain
    assert plain["at"] == {"monotonic_us": 3, "wall_us": 4}
    assert plain["candidates"][0]["target"] == {
        "kind": "process",
        "pid": 5,
        "start_time_ticks": 6,
        "comm": "c",
    }
    assert plain["candidates"][0]["numbers"] == {"size": 2.0}
    assert plain["intents"][0]["environment"] == {"A": "1"}
    assert plain["intents"][1]["kind"] == "set-high"
    assert plain["intents"][1]["high_bytes"] == "max"
    assert plain["outcomes"][0]["done"]


def test_what_a_policy_cannot_see_in_signals():
    rules = {
        "pressure": (ir.Pressure(1),),
        "of disks": (ir.Pressure(1, resource="io"),),
        "of a slice": (ir.Stall(1, cgroups=("/a.slice",)),),
        "of all": (ir.Stall(1, cgroups=("/", "/**")),),
        "refaults": (ir.Refault(1), ALWAYS),
        "there": (ir.Exists(("/a",)),),
        "not there": (ir.Exists(("/a",), negate=True),),
    }
    made = [ir.Rule(name, (ir.Group("g", when),), ()) for name, when in rules.items()]
    each = ir.Rule("each", (ir.Group("g", (ALWAYS,)),), (), per_cgroup=("/*",))
    either = ir.Rule("either", (ir.Group("g", rules["refaults"]), ir.Group("h", (ALWAYS,))), ())
    assert unseen(ir.Policy("p", (*made, each, either))) == (
        "of disks",
        "of a slice",
        "refaults",
        "there",
        "not there",
        "each",
    )


def test_a_rule_per_cgroup_goes_on_resting_when_nothing_could_be_read():
    rule = ir.Rule(
        "each",
        (ir.Group("g", (ALWAYS,)),),
        (ir.DoKill(ir.Choice((".",), "matched", ir.Ranking((ir.Weight("size"),))), even_without_need=True),),
        60 * S,
        per_cgroup=("/app.slice/*",),
    )
    world, engine = World(), Engine(ir.Policy("each", (rule,), wait_for_death=False), GUARDED)
    assert targets(engine.step(world.snapshot()).decisions) == [LEAK]
    for cgroups in ({}, {"/": world.snapshot().cgroups["/"]}, None):
        world.go()
        snapshot = world.snapshot()
        snapshot = snapshot if cgroups is None else snapshot._replace(cgroups=cgroups)
        engine._victims.failed.clear()
        assert engine.step(snapshot).decisions == ()


def test_a_rule_per_cgroup_rests_when_its_cgroup_was_made_anew():
    """As a service that is started again comes back under its name."""
    kill = ir.DoKill(ir.Choice((".",), "matched", ir.Ranking((ir.Weight("size"),))), even_without_need=True)
    rule = ir.Rule("each", (ir.Group("g", (ALWAYS,)),), (kill,), 10 * S, per_cgroup=("/app.slice/*",))
    world, engine = World(), Engine(ir.Policy("each", (rule,), wait_for_death=False), GUARDED)
    killed = []
    for second in range(21):
        snapshot = world.snapshot()
        anew = snapshot.cgroups[LEAK]._replace(inode=1000 + second)
        step = engine.step(snapshot._replace(cgroups={**snapshot.cgroups, LEAK: anew}))
        killed += [second for one in targets(step.decisions) if one == LEAK]
        world.go(S)
    assert killed == [0, 10, 20]


def test_who_could_not_be_killed_and_is_gone_since_is_forgotten():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    engine.report(decision.id, Outcome(decision.intents[0], done=False, error="no"))
    assert set(engine._victims.failed) == {CgroupId(LEAK, 11)}
    world.held.pop(LEAK)
    world.go()
    engine.step(world.snapshot())
    assert engine._victims.failed == {}


def test_that_a_kill_was_just_now_is_said_once():
    world, engine = World(), Engine(policy(KILL, pause_us=0, kill_pause_us=3 * S), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    engine.bury(decision.intents[0].target)
    decisions = stall(engine, world, 20, grow=1)
    assert [one.withheld for one in decisions] == ["a kill ended less than 3 s ago; its effect is waited for"]


def test_what_was_said_of_many_is_forgotten_the_oldest_first():
    chain = Chain(ir.Rule("a", (), (), pause_us=0))

    def says(number, now):
        return chain._worth_saying(Act("kill", HOLD, withheld=f"waiting for /{number} to be gone"), now)

    assert all(says(number, number) for number in range(SAID))
    assert says(0, AGAIN_US)  # said anew, and so not the oldest
    assert all(says(number, AGAIN_US + number) for number in range(SAID, 2 * SAID - 1))
    assert len(chain._said) == SAID
    assert not says(0, AGAIN_US + 2 * SAID)
    assert says(SAID - 1, AGAIN_US + 2 * SAID)


def test_sigterm_after_a_hook_and_sigkill_after_that():
    action = HOOKED._replace(term_us=S)
    world, engine, decision = hooked(action=action, pause_us=60 * S)
    ended(engine, decision)
    assert killed(stall(engine, world, 15, grow=2)) == ["Terminate", "Kill"]


def test_a_term_without_escalation_is_left_to_others():
    term = KILL._replace(term_us=S, escalate=False)
    world, engine = World(), Engine(policy(term, pause_us=60 * S), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 15, grow=2)
    assert [type(one) for each in decisions for one in each.intents] == [Terminate]
    assert decisions[-1].withheld.startswith("it did not go within its time")


def test_who_is_gone():
    leak, process = CgroupId(LEAK, 11), ProcessId(1011, 5)
    snapshot = World().snapshot()
    empty = Snapshot(Instant(0))
    assert not is_gone(snapshot, leak)
    assert not is_gone(empty, leak)
    assert not is_gone(empty, process)
    assert is_gone(snapshot, ProcessId(1011, 6))
    left = snapshot.cgroups[LEAK]._replace(populated=False)
    assert is_gone(snapshot._replace(cgroups={**snapshot.cgroups, LEAK: left}), leak)
    # What its parent lists may only not be read yet.
    above = {path: one for path, one in snapshot.cgroups.items() if path != LEAK}
    assert not is_gone(snapshot._replace(cgroups=above), leak)
    assert is_gone(snapshot._replace(cgroups=above), CgroupId("/app.slice/x/y", 11))
    assert not is_gone(snapshot._replace(cgroups={"/other": left}), leak)


def test_signals_of_the_machine_slow_down_and_kill_somebody():
    slow = (
        ir.DoThrottle(EVERYBODY, within_us=S),
        ir.DoFreeze(EVERYBODY, within_us=S),
        ir.DoReclaim(EVERYBODY),
    )
    world, engine = World(), Engine(policy(*slow, KILL, pause_us=60 * S), GUARDED)
    said = []
    for _ in range(40):
        world.full_us += 60_000
        world.go()
        step = engine.step(world.snapshot()._replace(cgroups={}, processes={}))
        said += [(one.action, one.withheld.partition(";")[0]) for one in step.decisions]
    slower = "somebody would be slowed down"
    assert said == [
        ("throttle", slower), ("freeze", slower), ("reclaim", slower), ("kill", "somebody would be killed"),
    ]  # fmt: skip


@pytest.mark.parametrize("stalled_s", [0, 10, 30, 55])
def test_a_guard_that_was_stopped_for_a_minute_kills_nobody_for_what_is_over(stalled_s):
    world, engine = World(), Engine(LOADED.policy, GUARDED)
    calm(engine, world, 50)
    world.go(60 * S)
    world.held[LEAK] += 200
    world.full_us += stalled_s * S
    world.scanned += 10_000
    decisions = []
    for turn in range(30):
        step = engine.step(world.snapshot(), calm=False, late_us=0 if turn else 60 * S)
        decisions += step.decisions
        world.go()
    assert decisions == []
