"""Intents done to a simulated machine."""

import pytest

from memwarden.sim import effects
from memwarden.sim.effects import Effects
from memwarden.sim.guarded import Reply
from memwarden.sim.result import Kind
from memwarden.sim.run import Run, simulate
from memwarden.sim.scenario import (
    Change,
    Disk,
    Group,
    Grow,
    Machine,
    Mlock,
    Program,
    ReadFile,
    Scenario,
    WriteFile,
)
from memwarden.sim.summary import GUARD, deaths
from memwarden.sim.view import snapshot
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
    Thaw,
)
from memwarden.state.traits import KernelTraits
from memwarden.units import GIB, MAX, MIB

MACHINE = Machine(ram_bytes=GIB, thp=False)
GROW = Program("grower", "/s/a.service", (Grow(10 * MIB),))


class Stage:
    """A world at a time, and what becomes of an intent."""

    def __init__(self, *programs, until_s=2, machine=MACHINE, **keys):
        self.run = Run(Scenario("effects", machine, (), programs or (GROW,), duration_us=100_000_000, **keys))
        self.world = self.run.world
        self.effects = Effects(self.world)
        self.until(until_s)

    def until(self, seconds):
        while self.world.advance(int(seconds * 1_000_000)):
            pass
        self.world.now = int(seconds * 1_000_000)

    def do(self, intent, *, wait_s=0):
        found = []
        self.effects.apply(intent, found.append)
        if not found:
            self.until(self.world.now / 1e6 + (wait_s or 1))
        return found[0]

    def cgroup(self, path="/s/a.service"):
        return CgroupId(path, self.world.groups[path].inode)

    def process(self, name="grower"):
        seen = snapshot(self.world)
        one = next(p for p in seen.processes.values() if p.comm == name)
        return ProcessId(one.pid, one.start_time_ticks)

    def usage(self, path="/s/a.service"):
        return self.world.groups[path].usage * 4096


def test_a_kill_gives_the_memory_back():
    stage = Stage()
    assert stage.usage() > 15 * MIB
    outcome = stage.do(Kill(stage.cgroup("/s")))
    assert (outcome.done, outcome.signalled) == (True, 1)
    stage.until(3)
    assert stage.usage() == 0
    assert [e.kind for e in stage.world.events] == [Kind.STARTED, Kind.KILL, Kind.GONE]


def test_of_who_hangs_process_mrelease_takes_the_memory_at_once():
    for release in (True, False):
        stage = Stage(GROW._replace(exit_held_us=20_000_000))
        stage.do(Kill(stage.cgroup("/s"), release=release))
        stage.until(2.1)
        assert (stage.usage() == 0) is release
        stage.until(10)
        assert (stage.usage() == 0) is release  # the OOM reaper comes to those alone that the kernel kills


def test_without_process_mrelease_it_comes_back_when_the_process_ends():
    # kernel.md 1.8: absent in 5.10. SIGKILL at 2 s and 20 s of hanging: back at 22 s.
    machine = MACHINE._replace(traits=KernelTraits(process_mrelease=False))
    stage = Stage(GROW._replace(exit_held_us=20_000_000), machine=machine)
    stage.do(Kill(stage.cgroup("/s"), release=True))
    before = stage.usage()
    stage.until(21.9)
    assert stage.usage() == before > 15 * MIB
    stage.until(22.1)
    assert stage.usage() == 0


def test_locked_memory_is_released_where_it_is_reaped():
    # v5.17 and v5.18 __oom_reap_task_mm, as process_mrelease calls it: VM_LOCKED is passed over, or is not.
    holder = Program("h", "/s/a.service", (Mlock(8 * MIB), Grow(None, 4 * MIB)), exit_held_us=20_000_000)
    for reaped, left in ((True, 0), (False, 8 * MIB)):
        stage = Stage(holder, machine=MACHINE._replace(traits=KernelTraits(reaps_locked=reaped)))
        stage.do(Kill(stage.cgroup("/s"), release=True))
        stage.until(2.1)
        assert stage.usage() == left


def test_a_process_is_killed_by_its_identity():
    stage = Stage()
    target = stage.process()
    other = stage.do(Kill(target._replace(start_time_ticks=7)))
    assert (other.done, other.error) == (False, f"process {target.pid} is not the one it was")
    assert stage.do(Kill(target)).signalled == 1
    assert stage.do(Kill(target)).signalled == 0  # it is dying already
    stage.until(3)
    assert not stage.do(Kill(target)).done


def test_a_cgroup_is_known_by_its_inode():
    stage = Stage()
    outcome = stage.do(Freeze(CgroupId("/s/a.service", 1)))
    assert (outcome.done, outcome.error) == (False, "/s/a.service is not the cgroup it was")


def test_what_is_frozen_stands_still_and_can_be_killed():
    stage = Stage()
    assert stage.do(Freeze(stage.cgroup("/s"))).done
    stage.until(4)
    before = stage.usage()
    stage.until(10)
    assert stage.usage() == before
    assert snapshot(stage.world).cgroups["/s"].frozen
    assert stage.do(Freeze(stage.cgroup())).done
    stage.do(Thaw(stage.cgroup("/s")))
    stage.until(12)
    assert stage.usage() == before  # still frozen itself
    stage.do(Thaw(stage.cgroup()))
    stage.do(Thaw(stage.cgroup()))
    stage.until(15)
    assert stage.usage() > before + 20 * MIB
    stage.do(Freeze(stage.cgroup()))
    stage.until(16)
    stage.do(Kill(stage.cgroup()))
    stage.do(Thaw(stage.cgroup()))
    stage.until(17)
    assert stage.usage() == 0


def test_sigterm_is_heard_by_who_listens():
    deaf = GROW._replace(name="deaf", cgroup="/s/deaf.service", sigterm_us=None)
    slow = GROW._replace(name="slow", cgroup="/s/slow.service", sigterm_us=3_000_000)
    stage = Stage(deaf, slow)
    assert stage.do(Terminate(stage.cgroup("/s"))).signalled == 2
    stage.until(4.5)
    assert stage.usage("/s/slow.service") > 0
    stage.until(6)
    assert stage.usage("/s/slow.service") == 0
    assert stage.usage("/s/deaf.service") > 0


def test_reclaim_takes_what_can_be_taken_and_says_so():
    reader = Program("reader", "/s/a.service", (ReadFile("f", 50 * MIB, None, 1), Grow(None, 20 * MIB)))
    stage = Stage(reader)
    outcome = stage.do(Reclaim(stage.cgroup(), 30 * MIB))
    assert (outcome.done, outcome.error) == (True, "")
    assert outcome.took_us > 0
    assert 40 * MIB - 63 * 4096 <= stage.usage() <= 40 * MIB  # a reclaim may take more than it was asked for
    outcome = stage.do(Reclaim(stage.cgroup(), 30 * MIB))
    assert outcome.done
    assert "only" in outcome.error
    assert stage.usage() == 20 * MIB
    assert not stage.do(Reclaim(stage.cgroup(), 30 * MIB)).done


def test_memory_reclaim_is_given_up_after_seventeen_rounds_in_vain():
    # kernel.md 7: EAGAIN if 17 rounds freed nothing. A round in vain costs pass_us: 17 x 1000 us.
    stage = Stage(machine=MACHINE._replace(pass_us=1000.0))
    outcome = stage.do(Reclaim(stage.cgroup(), MIB))
    assert (outcome.done, outcome.took_us) == (False, 17 * 1000)


def test_where_there_is_no_memory_reclaim_nothing_is_reclaimed_and_who_looks_sees_it():
    stage = Stage(machine=MACHINE._replace(traits=MACHINE.traits._replace(memory_reclaim=False)))
    before = stage.usage()
    outcome = stage.do(Reclaim(stage.cgroup(), MIB))
    assert (outcome.done, stage.usage()) == (False, before)
    assert outcome.error == "/s/a.service: it has no memory.reclaim: this kernel does not offer it"
    assert {one.has_reclaim for one in snapshot(stage.world).cgroups.values()} == {False}
    assert {one.has_reclaim for one in snapshot(Stage().world).cgroups.values()} == {True}


def test_memory_reclaim_waits_for_what_is_dirty():
    # 40 MiB at 20 MiB/s are clean after 2 s; as long as pages come back no round is in vain.
    writer = Program("w", "/s/a.service", (WriteFile("f", 60 * MIB, None, 1),))
    machine = MACHINE._replace(disk=Disk(write_bps=20 * MIB))
    stage = Stage(writer, until_s=1, machine=machine)
    held = stage.usage()
    outcome = stage.do(Reclaim(stage.cgroup(), 40 * MIB), wait_s=5)
    assert (outcome.done, outcome.error) == (True, "")
    assert outcome.took_us == pytest.approx(2_000_000, rel=0.05)
    # kernel.md 7: 6.12 goes by quarters, so that it takes hardly more than it was asked for.
    assert 40 * MIB <= held - stage.usage() <= 40 * MIB + 64 * 4096


def test_memory_high_is_set_and_reclaimed_for_and_throttles():
    stage = Stage()
    outcome = stage.do(SetHigh(stage.cgroup(), 10 * MIB), wait_s=0.001)
    assert outcome.done
    before = stage.usage()
    stage.until(8)
    # far above high: 128 KiB/s (64 pages in 2 s)
    assert stage.usage() - before <= 6 * 128 * 1024 + 3 * 64 * 4096
    stage.do(SetHigh(stage.cgroup(), MAX))
    stage.until(15)
    assert stage.usage() - before > 40 * MIB


def test_memory_high_below_what_is_dirty_is_done_when_it_was_written():
    writer = Program("w", "/s/a.service", (WriteFile("f", 60 * MIB, None, 1),))
    machine = MACHINE._replace(disk=Disk(write_bps=20 * MIB))
    stage = Stage(writer, until_s=1, machine=machine)
    assert stage.usage() >= 60 * MIB
    outcome = stage.do(SetHigh(stage.cgroup(), 20 * MIB), wait_s=5)
    assert outcome.done
    assert outcome.took_us == pytest.approx(2_000_000, rel=0.05)
    assert stage.usage() <= 20 * MIB


def test_a_unit_is_restarted():
    stage = Stage()
    assert stage.do(Restart("a.service")).signalled == 1
    stage.until(2.5)
    assert 0 < stage.usage() < 8 * MIB
    assert stage.run.world.tallies["grower"].restarts == 1
    found = deaths(tuple(stage.world.events))  # as many as in the table of programs
    assert [(one.by, one.processes) for one in found] == [(GUARD, stage.world.tallies["grower"].deaths)]
    assert stage.do(Restart("b.service")).error == "there is no unit b.service"
    kept = Stage(GROW._replace(restart_us=200_000))
    kept.do(Restart("a.service"))
    kept.until(4)
    assert kept.world.tallies["grower"].restarts == 1


@pytest.mark.parametrize(("needs_us", "ends_s"), [(0, 2), (1_000_000, 3), (None, 4), (5_000_000, 4)])
def test_a_unit_that_is_restarted_ends_first(monkeypatch, needs_us, ends_s):
    """It is asked to at 2 s, killed when its time is over, and what it held is back before it begins anew."""
    assert effects.STOP_US == 90_000_000
    monkeypatch.setattr(effects, "STOP_US", 2_000_000)
    stage = Stage(GROW._replace(sigterm_us=needs_us))
    stage.do(Restart("a.service"))
    stage.until(ends_s + 1)
    seen = [event for event in stage.world.events if event.kind in (Kind.STARTED, Kind.TERM, Kind.GONE)]
    assert [event.kind for event in seen] == [Kind.STARTED, Kind.TERM, Kind.GONE, Kind.STARTED]
    _, asked, gone, anew = (event.time_us for event in seen)
    assert (asked, anew) == (2_000_000, gone)
    assert gone == pytest.approx(ends_s * 1_000_000, abs=100_000)


def test_what_changes_nothing():
    stage = Stage()
    assert stage.do(Notify("hello")).done
    hook = stage.do(RunHook(("/bin/true",), stage.cgroup(), 1000))
    assert (hook.done, hook.output) == (True, "not run: this is a simulation")
    assert stage.do(Panic()).error == "a simulated machine does not panic"


@pytest.mark.parametrize(
    ("knob", "value", "field", "expected"),
    [
        ("memory.min", 8 * MIB, "min", 2048), ("memory.low", MAX, "low", (1 << 63) // 4096),
        ("memory.swap.max", 4097, "swap_max", 1), ("memory.oom.group", 1, "oom_group", True),
    ],
)  # fmt: skip
def test_knobs_are_written_while_it_runs(knob, value, field, expected):
    stage = Stage(changes=(Change(1_000_000, "/s/a.service", knob, value),))
    assert getattr(stage.world.groups["/s/a.service"], field) == expected


def test_freezing_is_a_knob_too():
    changes = (Change(1_000_000, "/s", "cgroup.freeze", 1), Change(5_000_000, "/s", "cgroup.freeze", 0))
    stage = Stage(changes=changes, until_s=1.5)
    before = stage.usage()
    stage.until(4.9)
    assert stage.usage() == before
    stage.until(8)
    assert stage.usage() > before


class Watcher:
    """A guard that looks as often as it likes and kills at its third look."""

    def __init__(self, sleep_us):
        self.sleep_us = sleep_us
        self.looks, self.outcomes = [], []

    def look(self, seen):
        self.looks.append(seen.instant.monotonic_us)
        acts = ()
        if len(self.looks) == 3:
            one = seen.cgroups["/s/a.service"]
            acts = (("d-1", Kill(CgroupId(one.path, one.inode))),)
        return Reply(acts, self.sleep_us)

    def report(self, decision, outcome):
        self.outcomes.append((decision, outcome.signalled))


@pytest.mark.parametrize(("asked", "got"), [(500_000, 500_000), (0, 1_000)])
def test_the_guard_looks_when_it_wants_and_hears_what_became_of_it(asked, got):
    watcher = Watcher(asked)
    result = simulate(Scenario("g", MACHINE, (), (GROW,), duration_us=2_000_000), watcher)
    assert watcher.looks[:4] == [0, got, 2 * got, 3 * got]
    assert watcher.outcomes == [("d-1", 1)]
    assert [event.time_us for event in result.events if event.kind is Kind.KILL] == [2 * got]


def test_progress_is_told():
    told = []
    simulate(Scenario("g", MACHINE, (Group("/s"),), (GROW,), duration_us=5_000_000), progress=told.append)
    assert told == sorted(told)
    assert len(told) >= 4


def test_who_is_killed_before_it_ends_by_itself_ends_once():
    slow = GROW._replace(sigterm_us=3_000_000)
    stage = Stage(slow)
    stage.do(Terminate(stage.cgroup("/s")))
    stage.do(Kill(stage.cgroup("/s")))
    stage.until(8)
    assert stage.world.tallies["grower"].deaths == 1
