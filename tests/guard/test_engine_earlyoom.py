"""earlyoom's policy at work: SIGTERM below the first values, SIGKILL below the second, one at a time."""

from __future__ import annotations

from memwarden.guard import foreign
from memwarden.guard.engine import Engine
from memwarden.guard.never import Guarded
from memwarden.state.intents import Kill, Terminate
from tests.guard.ticks import S, group, tick
from tests.rules.machines import process

TICK = S // 10


def engine(arguments):
    return Engine(foreign.load("earlyoom", ("e", arguments)), Guarded())


def at(number, available_percent, *pids):
    """1,000 kB of user memory and no swap, which counts as used up; a higher pid has a higher score."""
    available = available_percent * 10
    meminfo = {"MemTotal": 1000, "MemAvailable": available, "AnonPages": 1000 - available}
    known = [process(pid, oom_score=pid, rss_bytes=1000, cgroup="/a") for pid in pids]
    return tick(
        number * TICK,
        group("/a", held=1, procs=pids),
        meminfo={**meminfo, "SwapTotal": 0, "SwapFree": 0},
        processes=known,
    )


def acted(one, ticks):
    """Which signal went to whom at which tick."""
    return [
        (number, type(intent), intent.target.pid)
        for number, snapshot in enumerate(ticks)
        for decision in one.step(snapshot).decisions
        for intent in decision.intents
    ]


def test_above_both_values_nothing_happens():
    assert acted(engine("-m 10,5"), [at(n, 11, 600, 700) for n in range(5)]) == []


def test_sigterm_and_nothing_more_while_it_is_waited_for():
    # At the value itself it counts as below. After 10 s SIGTERM has failed; SIGKILL is the other rule's.
    ticks = [at(n, 10, 600, 700) for n in range(150)]
    assert acted(engine("-m 10,5"), ticks) == [(0, Terminate, 700)]


def test_the_next_when_it_is_gone_and_memory_still_short():
    ticks = [at(0, 9, 600, 700), at(1, 9, 600, 700), at(2, 9, 600), at(3, 9, 600)]
    assert acted(engine("-m 10,5"), ticks) == [(0, Terminate, 700), (3, Terminate, 600)]


def test_sigkill_to_the_same_one_when_memory_falls_on_meanwhile():
    ticks = [at(0, 9, 600, 700), at(1, 6, 600, 700), *(at(n, 5, 600, 700) for n in range(2, 20))]
    assert acted(engine("-m 10,5"), ticks) == [(0, Terminate, 700), (2, Kill, 700)]


def test_sigkill_at_once_below_both_and_to_one_only():
    ticks = [at(n, 4, 600, 700) for n in range(20)]
    assert acted(engine("-m 10,5"), ticks) == [(0, Kill, 700)]
