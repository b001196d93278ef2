"""A victim whose exit hangs: what the OOM reaper takes from it, when, and who dies meanwhile.

Sources: kernel.md 1.6: the reaper begins 2 s after the kill (``OOM_REAPER_DELAY``), takes anonymous memory,
and sets ``MMF_OOM_SKIP`` in any case; until then nobody else is killed (``oom_evaluate_task``).
"""

import pytest

from memwarden.present.simulate_text import text
from memwarden.sim.result import Kind
from memwarden.sim.scenario import Group, Grow, KernelMemory, Machine, Mlock, Program, Scenario
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MIB
from tests.sim.conserved import run

S = 1_000_000
LIMIT = Group("/a", max_bytes=64 * MIB)


def played(*programs, seconds=20, **machine):
    machine = Machine(ram_bytes=GIB, thp=False, **machine)
    return run(Scenario("reaper", machine, (LIMIT,), programs, duration_us=seconds * S))[1]


def of(result, kind):
    return [event for event in result.events if event.kind is kind]


BIG = Program("big", "/a", (Grow(None, 40 * MIB),), exit_held_us=10 * S)
LATE = Program("late", "/a", (Grow(None, 30 * MIB),), start_us=S)


def test_the_reaper_takes_it_after_two_seconds_and_nobody_dies_meanwhile():
    result = played(BIG, LATE)
    (kill,) = of(result, Kind.OOM_KILL)
    (reaped,) = of(result, Kind.REAPED)
    assert (kill.program, reaped.program, reaped.amount_bytes) == ("big", "big", 40 * MIB)
    assert reaped.time_us - kill.time_us == 2 * S
    # late has its 30 MiB soon after: it was held up for these two seconds, as a stall.
    after = next(one for one in result.samples if one.time_us >= reaped.time_us + S)
    assert after.groups["/a"].usage.anon == 30 * MIB
    (gone,) = of(result, Kind.GONE)
    assert gone.time_us - kill.time_us == pytest.approx(10 * S, rel=0.01)
    assert gone.amount_bytes == 40 * MIB


def test_a_victim_that_does_not_hang_is_not_reaped():
    result = played(BIG._replace(exit_held_us=0), LATE)
    assert [event.program for event in of(result, Kind.OOM_KILL)] == ["big"]
    assert of(result, Kind.REAPED) == []
    quick = played(BIG._replace(exit_held_us=S), LATE)
    assert of(quick, Kind.REAPED) == []  # it is gone before the reaper comes


def test_locked_memory_goes_and_what_the_kernel_holds_stays():
    # As of v6.12 __oom_reap_task_mm passes over huge pages and page frames of devices alone. Of 64 MiB 40
    # are buffers of sockets: with 20 of its own it is the bigger one, and after that late wants 30 of 24.
    own = (KernelMemory("sock", None, 40 * MIB), Mlock(15 * MIB), Grow(None, 5 * MIB))
    result = played(Program("held", "/a", own, exit_held_us=60 * S), LATE)
    first, second = of(result, Kind.OOM_KILL)
    (reaped,) = of(result, Kind.REAPED)
    assert (first.program, second.program) == ("held", "late")
    assert reaped.amount_bytes == 20 * MIB
    # The next one dies when the reaper is done, not before.
    assert reaped.time_us == first.time_us + 2 * S <= second.time_us < first.time_us + 3 * S


def test_before_5_18_locked_memory_stays():
    # v5.17 __oom_reap_task_mm passes over VM_LOCKED (can_madv_lru_vma): 5 of the 20 MiB go, 55 of 64 stay.
    own = (KernelMemory("sock", None, 40 * MIB), Mlock(15 * MIB), Grow(None, 5 * MIB))
    result = played(
        Program("held", "/a", own, exit_held_us=60 * S), LATE, traits=KernelTraits(reaps_locked=False)
    )
    (reaped,) = of(result, Kind.REAPED)
    assert reaped.amount_bytes == 5 * MIB
    first, second = of(result, Kind.OOM_KILL)
    assert (first.program, second.program, second.amount_bytes) == ("held", "late", 9 * MIB)
    assert result.samples[-1].groups["/a"].usage.anon == 15 * MIB


def test_it_is_said():
    result = played(BIG, LATE)
    (reaped,) = of(result, Kind.REAPED)
    assert f"big (pid {reaped.pid}) is killed and hangs; 40.0 MiB are taken from it" in text(
        result, width=200
    )
