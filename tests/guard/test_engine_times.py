"""When the engine acts: before it would be too late at the next look, and when it has seen who is gone."""

from __future__ import annotations

import pytest

from memwarden.guard import ir
from memwarden.guard.engine import NONE, Engine
from memwarden.state.intents import ProcessId
from memwarden.units import MIB
from tests.guard.test_engine import DB, GUARDED, KILL, LEAK, TICK, S, World, calm, policy, targets


@pytest.mark.parametrize(
    ("apart_us", "ahead_us"), [(S // 10, 3_350_000), (S // 5, 3_450_000), (S // 2, 3_750_000), (S, 4_062_500)]
)
def test_what_would_come_too_late_at_the_next_look_is_done_now(apart_us, ahead_us):
    """Exhaustion within 3.25 s, as a kill is taken to need, and a fourth of it for the way to a look."""
    world = World()
    engine = Engine(policy(KILL, when=ir.Available(ir.Amount(ppm=900_000))), GUARDED)
    calm(engine, world)
    decisions, lasts_us = (), []
    while not targets(decisions):
        world.held[LEAK] += 50 * apart_us // S  # 50 MiB a second
        world.go(apart_us)
        decisions = engine.step(world.snapshot()).decisions
        lasts_us.append((1000 - sum(world.held.values())) * S / 50)
    assert lasts_us[-1] <= ahead_us < lasts_us[-2]


def test_a_tick_at_which_somebody_is_to_be_chosen_is_no_calm_moment():
    """The first one, which its processes are asked of: what all held until then is what they took."""
    world = World()
    kill = ir.DoKill(ir.Choice(), even_without_need=True)
    engine = Engine(policy(kill, when=ir.Usage(ir.Amount(MIB), cgroups=(LEAK,))), GUARDED)
    snapshot = world.snapshot()
    asked = engine.step(snapshot._replace(processes={}), calm=True, processes_of=NONE)
    assert asked.wants_processes
    assert targets(engine.step(snapshot, calm=True, processes_of=asked.wants_processes).decisions)


def test_whether_a_process_is_gone_is_asked_of_the_processes():
    """As the loop steps: without processes first, then with those that are wanted."""
    world, engine = World(), Engine(policy(ir.DoKill(ir.Choice(units="process"))), GUARDED)
    dead: set[int] = set()

    def turn():
        snapshot = world.snapshot()
        there = {pid: one for pid, one in snapshot.processes.items() if pid not in dead}
        steps = [engine.step(snapshot._replace(processes={}), processes_of=NONE)]
        if steps[0].wants_processes:
            assert steps[0].decisions == ()
            wanted = steps[0].wants_processes
            steps.append(engine.step(snapshot._replace(processes=there), processes_of=wanted))
        return [one for step in steps for one in (*step.results, *step.decisions)]

    def go():
        world.full_us += 60_000
        world.held[DB] += 1
        world.go()

    found = []
    while not found:
        go()
        found = [one for one in turn() if one.intents]
    (target,) = (intent.target for intent in found[0].intents)
    assert isinstance(target, ProcessId)
    go()
    assert turn() == []
    assert engine.pending == (target,)
    dead.add(target.pid)
    go()
    (result,) = turn()
    assert (result.target, result.gone, result.took_us) == (target, True, 2 * TICK)
    assert engine.pending == ()
