"""Actions one by one on the small world of the engine's tests, and what becomes of them."""

from __future__ import annotations

import pytest

from memwarden.guard import ir
from memwarden.guard.engine import REMEMBERED, Engine
from memwarden.guard.sight import _sees
from memwarden.guard.victims import Victims
from memwarden.guard.watched import anywhere, heeded, more_files, watched
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Outcome,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.units import MAX, MIB
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
)

NOBODY = ir.Choice(cgroups=("/nowhere/*",))
LEAK_ID = CgroupId(LEAK, 11)


def decided(*actions, ticks=1, high=None, **more):
    """What a stall brings forth on a world that was calm."""
    world, engine = World(), Engine(policy(*actions, **more), GUARDED)
    if high is not None:
        world.high[LEAK] = high
    calm(engine, world)
    return stall(engine, world, ticks), world, engine


@pytest.mark.parametrize(
    ("action", "intent"),
    [
        # The leak holds 120 MiB when it is decided.
        (ir.DoReclaim(EVERYBODY, ir.Amount(ppm=500_000), 10), Reclaim(LEAK_ID, 60 * MIB, 10)),
        (ir.DoFreeze(EVERYBODY), Freeze(LEAK_ID)),
        (ir.DoRestart("a.service"), Restart("a.service")),
        (ir.DoPanic(), Panic()),
    ],
)
def test_each_action_is_one_intent(action, intent):
    decisions, _, _ = decided(action)
    assert [one.intents for one in decisions] == [(intent,)]


@pytest.mark.parametrize(
    ("action", "withheld"),
    [
        (ir.DoReclaim(NOBODY), "there is nobody to reclaim from"),
        (ir.DoFreeze(NOBODY), "there is nobody who can be frozen"),
        (ir.DoThrottle(NOBODY), "there is nobody who can be throttled"),
        (KILL._replace(choice=NOBODY), "there is nobody who may be killed"),
    ],
)
def test_an_action_without_anybody_is_withheld_and_the_next_one_runs(action, withheld):
    decisions, _, _ = decided(action, ir.DoFreeze(EVERYBODY))
    assert [one.withheld for one in decisions] == [withheld, ""]


def test_who_is_throttled_already_is_not_throttled_less():
    decisions, _, _ = decided(ir.DoThrottle(EVERYBODY), high=50 * MIB)
    assert [one.withheld for one in decisions] == ["it is throttled already"]


def test_nothing_is_no_decision_and_may_end_the_chain():
    assert decided(ir.DoNothing(stop=True), KILL, ticks=3)[0] == []
    assert [one.action for one in decided(ir.DoNothing(), KILL)[0]] == ["kill"]


def test_a_hook_then_sigterm_then_sigkill():
    hooked = KILL._replace(hook=("/bin/x",), hook_limit_us=2 * TICK, term_us=2 * TICK)
    decisions, _, _ = decided(hooked, ticks=6)
    assert [one.action for one in decisions] == ["hook", "term", "kill"]


def test_a_kill_that_goes_on_runs_what_follows():
    decisions, _, _ = decided(KILL._replace(go_on=True), ir.DoRestart("a.service"))
    assert [one.action for one in decisions] == ["kill", "restart"]


def test_what_was_frozen_is_thawed_and_what_could_not_be_done_is_not_undone():
    decisions, world, engine = decided(ir.DoFreeze(EVERYBODY))
    (undo,) = engine.restore(world.snapshot())
    assert undo.intents == (Thaw(LEAK_ID),)
    decisions, world, engine = decided(ir.DoFreeze(EVERYBODY))
    engine.report(decisions[0].id, Outcome(decisions[0].intents[0], done=False, error="gone"))
    assert list(engine.restore(world.snapshot())) == []


def test_changed_names_who_is_held():
    victims = Victims()
    view = Engine(policy(), GUARDED)
    world = World()
    view.step(world.snapshot())
    assert victims.changed == ()


def test_an_outcome_of_nobodys_decision_is_taken_quietly():
    _, _, engine = decided(KILL)
    engine.report("unknown", Outcome(Kill(LEAK_ID), done=True))


def test_decisions_are_remembered_up_to_a_bound():
    notify = ir.Rule("r", (ir.Group("g", (STALL,)),), (ir.DoRestart("a.service", pause_us=0),), pause_us=0)
    engine, world = Engine(ir.Policy("p", (notify,)), GUARDED), World()
    calm(engine, world)
    stall(engine, world, REMEMBERED + 5, grow=0)
    assert len(engine._owners) == REMEMBERED


def test_after_a_kill_its_effect_is_waited_for():
    _, world, engine = decided(KILL, pause_us=0, kill_pause_us=S)
    held = world.held.pop(LEAK)
    world.held[LEAK + "2"] = held
    more = stall_others(engine, world, 5)
    assert [one.withheld.partition(" s ago")[0] for one in more][:1] == ["a kill ended less than 1"]


def stall_others(engine, world, ticks):
    decisions = []
    for _ in range(ticks):
        world.held[LEAK + "2"] += 5
        world.full_us += 60_000
        world.go()
        decisions.extend(engine.step(world.snapshot()).decisions)
    return decisions


def test_what_was_withheld_waiting_is_dropped_when_the_reason_goes():
    decisions, world, engine = decided(KILL, pause_us=0, ticks=3)
    assert len(decisions) == 2
    for _ in range(30):
        world.go()
        assert engine.step(world.snapshot()).decisions == ()


def test_a_process_may_be_the_victim():
    choice = ir.Choice(units="process", ranking=ir.Ranking((ir.Weight("culprit"),)))
    decisions, world, engine = decided(KILL._replace(choice=choice))
    (kill,) = decisions[0].intents
    assert kill.target == ProcessId(1011, 5, "a")
    world.held.pop(LEAK)
    world.go()
    results = engine.step(world.snapshot()).results
    assert [one.gone for one in results] == [True]


def test_reclaim_alone_is_a_need():
    available = ir.Available(ir.Amount(ppm=900_000))
    world, engine = World(), Engine(policy(KILL, when=available), GUARDED)
    calm(engine, world, 1)
    world.held[LEAK] += 20
    world.scanned = 50
    world.go(20 * S)
    decisions = list(engine.step(world.snapshot()).decisions)
    world.scanned = 90
    world.held[LEAK] += 5
    world.go()
    decisions += engine.step(world.snapshot()).decisions
    assert "the kernel is reclaiming" in [one.need for one in decisions]


def test_who_is_watched():
    rules = (
        ir.Rule("a", (ir.Group("g", (ir.Stall(1, cgroups=("db.service", "**", ".")),)),), ()),
        ir.Rule("b", (), (), per_cgroup=("/user.slice/*",)),
    )
    sees = watched(ir.Policy("p", rules))
    assert [sees(path) for path in (DB, "/x/db.service", "/user.slice/a", "/")] == [False, True, True, False]


def test_the_cpu_pressure_of_cgroups_is_read_for_who_asks():
    def asked(detector):
        return more_files(ir.Policy("p", (ir.Rule("a", (ir.Group("g", (ir.Dying(3), detector)),), ()),)))

    for made in (ir.Stall, ir.Pressure, ir.PressureRising):
        assert asked(made(1, resource="cpu", cgroups=("db.service",))) == {"cpu.pressure"}
        assert asked(made(1, resource="cpu", cgroups=("/",))) == frozenset()  # the machine's is read anyway
        assert asked(made(1, resource="io", cgroups=("**",))) == frozenset()


def test_what_a_policy_watches_in_whichever_cgroup_it_is():
    def found(detector):
        return anywhere(ir.Policy("p", (ir.Rule("a", (ir.Group("g", (ir.Dying(3), detector)),), ()),)))

    for made in (ir.Stall, ir.Pressure, ir.PressureRising):
        for glob in ("**", "/**", "./**"):
            assert found(made(1, resource="cpu", cgroups=("db.service", glob))) == {"cpu.pressure"}
        assert found(made(1, resource="io", cgroups=("**",))) == {"io.pressure"}
        assert found(made(1, cgroups=("**",))) == frozenset()  # it shows where memory moves
        for glob in ("/", ".", "/a/**", "db.service"):  # the machine's is read anyway, and who has a name
            assert found(made(1, resource="io", cgroups=(glob,))) == frozenset()
        assert found(made(1, resource="io")) == frozenset()


def test_what_can_wake_the_guard():
    detectors = (
        ir.Stall(50, 70, cgroups=("db.service", "."), kind="some"),
        ir.Stall(1),
        ir.Events("max", cgroups=("/a",)),
        ir.Events("high"),
        ir.Dying(3),
    )
    found = heeded(ir.Policy("p", (ir.Rule("a", (ir.Group("g", detectors),), ()),)))
    [stall] = found.stalls
    assert stall[1:] == ("memory", "some", 50, 70)
    assert [stall.fits(path) for path in (DB, "/x/db.service")] == [False, True]
    [events] = found.events
    assert (events.counter, events.fits("/a"), events.fits("/b")) == ("max", True, False)
    assert found.everywhere == {"high"}
    assert heeded(ir.Policy("p", ())) == ((), (), frozenset())


def test_signals_of_the_machine_name_no_cgroup():
    assert not _sees(ir.Exists(("/a",), negate=True))
    assert not _sees(ir.Exists(("/a",)))
    assert not _sees(ir.Stall(1, resource="io"))
    assert not _sees(ir.Dying(3))


def test_throttles_restore_what_was_there_first():
    victims, world = Victims(), World()
    engine = Engine(policy(), GUARDED)
    engine.step(world.snapshot())
    from memwarden.guard.view import View  # noqa: PLC0415 - only here

    view = View(world.snapshot(), engine.history)
    victims.strike("1", (SetHigh(LEAK_ID, 5, MAX),), view, S)
    victims.strike("2", (SetHigh(LEAK_ID, 3, 5), Terminate(CgroupId("/x", 1))), view, S)
    assert victims.changed == (LEAK_ID,)
    ((decision, intent),) = victims.undo(world.snapshot())
    assert (decision, intent) == ("1", SetHigh(LEAK_ID, MAX))


def test_outcomes_that_concern_no_victim_change_nothing():
    _, _, engine = decided(ir.DoRestart("a.service"))
    engine.report("x", Outcome(Restart("a.service"), done=False, error="no systemctl"))
    decisions, _, engine = decided(KILL)
    # An outcome of a hook that nobody waits for any more.
    engine.report(decisions[0].id, Outcome(RunHook(("/bin/x",), LEAK_ID, S), done=True))


def test_a_rule_that_rests_decides_nothing_and_says_nothing():
    decisions, world, engine = decided(ir.DoRestart("a.service", pause_us=60 * S), ticks=5)
    assert len(decisions) == 1
    world.go(S)
    assert engine.step(world.snapshot()).decisions == ()


def test_what_is_freed_is_unknown_where_the_machine_does_not_say():
    decisions, world, engine = decided(KILL)
    world.held.pop(LEAK)
    world.go()
    (result,) = engine.step(world.snapshot()._replace(meminfo=None)).results
    assert (result.gone, result.freed_bytes) == (True, None)
    assert decisions[0].id == result.decision


def test_a_victim_that_takes_longer_than_was_thought_is_learnt_from():
    _, world, engine = decided(KILL)
    world.go(4 * S)
    world.held.pop(LEAK)
    (result,) = engine.step(world.snapshot()).results
    assert engine._act_us == result.took_us == 4 * S  # more than the 3.25 s that were thought


def test_who_was_not_late_has_no_gap():
    _, world, engine = decided(KILL)
    assert engine.history.gap_us(S) == 0
    world.go()
    engine.step(world.snapshot(), late_us=70_000)
    assert engine.history.gap_us(S) == 70_000


def test_a_cgroup_that_has_not_moved_still_counts_as_seen():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    last = world.snapshot()
    engine.step(last)
    # The same records again, later: a figure of a second's window is known and 0, not unknown.
    for _ in range(20):
        world.go()
        engine.step(last._replace(instant=world.snapshot().instant))
    assert engine.history.stalled_us(LEAK, "memory", "full", S) == 0
    assert engine.history.taken_bytes(LEAK) == 0


def test_the_engine_names_whom_it_waits_for_and_whom_it_holds():
    _, _, engine = decided(KILL)
    assert engine.pending == (LEAK_ID,)
    _, _, engine = decided(ir.DoFreeze(EVERYBODY))
    assert engine.changed == (LEAK_ID,)
