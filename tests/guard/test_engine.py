"""The engine on small machines: who is killed, who is waited for, what is withheld, what is undone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from memwarden.guard import acts, choose, ir
from memwarden.guard.driver import Driver, replay
from memwarden.guard.engine import NONE, RESTORE_US, Engine
from memwarden.guard.never import Guarded
from memwarden.guard.pulse import SHORTEST_US
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.cgroup import Cgroup
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Outcome,
    Reclaim,
    RunHook,
    SetHigh,
    Terminate,
)
from memwarden.state.process import Process
from memwarden.state.snapshot import CgroupMode, Instant, Snapshot
from memwarden.units import MAX, MIB

if TYPE_CHECKING:
    from memwarden.guard.record import Decision

S = 1_000_000
TICK = S // 10
TOTAL = 1000 * MIB
DB, LEAK = "/system.slice/postgresql.service", "/app.slice/leak.service"
GUARDED = Guarded()


class World:
    """A machine of 1,000 MiB with two services; what they hold is anonymous."""

    def __init__(self, **held: int) -> None:
        self.held = {DB: 400, LEAK: 100, **held}
        self.now_us = 100 * S
        self.full_us = 0
        self.scanned = 0
        self.events: dict[str, dict[str, int]] = {}
        self.high: dict[str, int] = {}

    def snapshot(self) -> Snapshot:
        """As it is."""
        pressure = Psi(PsiLine(0, 0, 0, self.full_us), PsiLine(0, 0, 0, self.full_us))
        cgroups = {"/": Cgroup("/", 1, children=("/app.slice", "/system.slice"))}
        for number, parent in enumerate(("/app.slice", "/system.slice"), 2):
            below = {path: mib for path, mib in self.held.items() if path.startswith(parent)}
            cgroups[parent] = self._cgroup(parent, number, sum(below.values()), tuple(sorted(below)))
            for path in sorted(below):
                cgroups[path] = self._cgroup(path, 10 + list(self.held).index(path), below[path], ())
        available = TOTAL - sum(self.held.values()) * MIB
        meminfo = {"MemTotal": TOTAL, "MemAvailable": available, "SwapTotal": 0, "SwapFree": 0,
                   "AnonPages": TOTAL - available}  # fmt: skip
        return Snapshot(
            Instant(self.now_us),
            cgroup_mode=CgroupMode.V2,
            meminfo=meminfo,
            vmstat={"pgscan_direct": self.scanned, "pgscan_kswapd": 0},
            memory_pressure=pressure,
            cgroups=cgroups,
            processes={
                cgroup.procs[0]: Process(
                    cgroup.procs[0],
                    "a",
                    5,
                    ppid=1,
                    uid=0,
                    cgroup=path,
                    rss_anon_bytes=cgroup.current_bytes,
                    rss_shmem_bytes=0,
                    swap_bytes=0,
                    pgtables_bytes=0,
                )
                for path, cgroup in cgroups.items()
                if cgroup.procs
            },
        )

    def _cgroup(self, path: str, inode: int, mib: int, children: tuple[str, ...]) -> Cgroup:
        events = {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0, **self.events.get(path, {})}
        return Cgroup(
            path,
            inode,
            populated=True,
            procs=() if children else (1000 + inode,),
            controllers=("memory",),
            current_bytes=mib * MIB,
            min_bytes=0,
            low_bytes=0,
            high_bytes=self.high.get(path, MAX),
            max_bytes=MAX,
            swap_current_bytes=0,
            stat={"anon": mib * MIB, "file": 0, "pgscan": 0},
            events=events,
            events_local=events,
            memory_pressure=Psi(PsiLine(0, 0, 0, 0), PsiLine(0, 0, 0, 0)),
            children=children,
        )

    def go(self, us: int = TICK) -> None:
        """Time passes."""
        self.now_us += us


EVERYBODY = ir.Choice()
KILL = ir.DoKill(EVERYBODY)
STALL = ir.Stall(above_us=50_000)


def policy(*actions: ir.Action, when: ir.Detector = STALL, pause_us: int = S, **more) -> ir.Policy:
    rule = ir.Rule("r", (ir.Group("g", (when,)),), actions, pause_us)
    return ir.Policy("test", (rule,), **{"tick_us": TICK, **more})


def calm(engine: Engine, world: World, seconds: int = 3) -> None:
    for _ in range(seconds):
        engine.step(world.snapshot(), calm=True)
        world.go(S)


def stall(engine: Engine, world: World, ticks: int, grow: int = 20) -> list[Decision]:
    """Everybody stalls, and the leak grows, the database by one MiB a tick; the decisions."""
    decisions = []
    for _ in range(ticks):
        world.held[LEAK] += grow
        world.held[DB] += 1
        world.full_us += 60_000
        world.go()
        decisions.extend(engine.step(world.snapshot()).decisions)
    return decisions


def targets(decisions) -> list[str]:
    return [intent.target.path for one in decisions for intent in one.intents if isinstance(intent, Kill)]


def test_the_culprit_dies_and_not_the_biggest():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 3)
    assert targets(decisions) == [LEAK]
    first = decisions[0]
    assert (first.rule, first.group, first.action, first.step) == ("r", "g", "kill", 0)
    assert first.findings[0].fired
    assert {one.target.path: bool(one.why_not) for one in first.candidates}[DB]


def test_the_others_are_looked_into_when_the_intents_are_out_and_before_the_next_look(monkeypatch):
    looked, order = [], choose.order
    monkeypatch.setattr(choose, "order", lambda *args, **more: looked.append(1) or order(*args, **more))
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    [decision] = stall(engine, world, 1)
    assert targets([decision]) == [LEAK]
    assert not looked
    taken = dict(decision.candidates.chosen.numbers)["culprit"]
    world.held[LEAK] = 0
    world.go()
    engine.step(world.snapshot())
    assert looked == [1]
    world.go()
    engine.step(world.snapshot())
    assert looked == [1]
    assert taken == 20 * MIB
    assert dict(decision.candidates[0].numbers)["culprit"] == taken
    assert [one.target.path for one in decision.candidates] == [LEAK, DB]


def test_nobody_else_is_killed_until_the_victim_is_gone_and_its_time_is_over():
    world, engine = World(), Engine(policy(KILL, pause_us=0), GUARDED)
    calm(engine, world)
    # The victim does not die: after 2 s (within_us) it is passed over, and the next one may be chosen.
    decisions = stall(engine, world, 19, grow=2)
    assert targets(decisions) == [LEAK]
    assert [one.withheld for one in decisions[1:]] == [f"waiting for {LEAK} to be gone"]
    assert engine.awaited == {LEAK}
    decisions = stall(engine, world, 6, grow=2)
    assert targets(decisions) == [DB]
    assert engine.awaited == {LEAK, DB}  # that its time is over does not mean that it will not die


def test_what_a_death_freed_is_measured():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 2)
    world.held.pop(LEAK)
    world.go(S // 5)
    results = engine.step(world.snapshot()).results
    assert [(one.decision, one.gone, one.freed_bytes) for one in results] == [
        # Free at the decision: 1000 - 401 - 120; now: 1000 - 402.
        (decisions[0].id, True, 119 * MIB)
    ]
    assert engine.awaited == frozenset()


def test_no_need_no_kill():
    # Growth alone is no need: nothing stalls, nothing is reclaimed, 400 MiB are left.
    world = World()
    engine = Engine(policy(KILL, when=ir.Available(ir.Amount(ppm=900_000))), GUARDED)
    (decision,) = engine.step(world.snapshot()).decisions
    assert decision.intents == ()
    assert decision.withheld.startswith("no need: nothing stalls")


def test_others_policies_kill_on_their_thresholds_alone():
    world = World()
    kill = KILL._replace(even_without_need=True)
    engine = Engine(policy(kill, when=ir.Available(ir.Amount(ppm=900_000))), GUARDED)
    assert targets(engine.step(world.snapshot()).decisions)


def test_a_kill_that_fails_takes_the_next_candidate_at_the_next_tick():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    engine.report(decision.id, Outcome(decision.intents[0], done=False, error="it is gone"))
    decisions = stall(engine, world, 1)
    assert targets(decisions) == [DB]
    assert next(one.why_not for one in decisions[0].candidates if one.target.path == LEAK).startswith(
        "failed"
    )


def test_a_kill_that_failed_long_ago_does_not_end_the_rest_after_the_one_that_followed():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    (first,) = stall(engine, world, 1)
    failed = Outcome(first.intents[0], done=False, error="it is gone")
    engine.report(first.id, failed)
    (second,) = stall(engine, world, 1)
    assert targets([second]) == [DB]
    engine.report(first.id, failed)
    stall(engine, world, 1)
    assert engine._chains[0].resting(world.now_us)


def test_a_victim_that_went_before_its_kill_is_a_death_and_no_reason_for_another():
    world, engine = World(), Engine(policy(KILL, pause_us=S), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    engine.report(decision.id, Outcome(decision.intents[0], done=False, error="no process is left in it"))
    del world.held[LEAK]
    decisions = []
    for _ in range(10):  # the rule rests for a second; what stalls in it is what came before
        world.full_us += 60_000
        world.go()
        decisions += [(world.now_us, one) for one in engine.step(world.snapshot()).decisions]
    assert [one for at, one in decisions if at < decision.at.monotonic_us + S] == []


def test_a_new_policy_waits_for_whom_the_one_before_has_killed():
    world, before = World(), Engine(policy(KILL), GUARDED)
    calm(before, world)
    assert targets(stall(before, world, 1)) == [LEAK]
    engine = Engine(policy(KILL), GUARDED)
    engine.succeed(before)
    calm(engine, world, 1)
    # A second is gone since; the leak has two until it is taken as one that does not die.
    decisions = stall(engine, world, 5)
    assert targets(decisions) == []
    assert f"waiting for {LEAK} to be gone" in [one.withheld for one in decisions]


def test_throttle_first_and_restore_when_calm():
    throttle = ir.DoThrottle(EVERYBODY, at_ppm=900_000, within_us=S)
    world, engine = World(), Engine(policy(throttle, KILL), GUARDED)
    calm(engine, world)
    (decision,) = stall(engine, world, 1)
    # 120 MiB at 90 percent, in whole pages.
    assert decision.intents == (SetHigh(CgroupId(LEAK, 11), 108 * MIB, MAX),)
    # It helped: the stall ends, nobody is killed, and after some seconds of calm the limit is as it was.
    world.high[LEAK] = 108 * MIB
    decisions = []
    for _ in range(2 + RESTORE_US // S + 3):
        world.go(S)
        decisions += engine.step(world.snapshot(), calm=True).decisions
    assert [one.intents for one in decisions] == [(SetHigh(CgroupId(LEAK, 11), MAX),)]


def test_throttle_that_does_not_help_is_followed_by_a_kill():
    throttle = ir.DoThrottle(EVERYBODY, within_us=S)
    world, engine = World(), Engine(policy(throttle, KILL), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 12, grow=2)
    assert [one.action for one in decisions] == ["throttle", "kill"]
    assert decisions[1].at.monotonic_us - decisions[0].at.monotonic_us == S


def test_no_time_is_given_when_memory_ends_before():
    throttle = ir.DoThrottle(EVERYBODY, within_us=2 * S)
    world, engine = World(), Engine(policy(throttle, KILL), GUARDED)
    calm(engine, world)
    # 40 MiB every 100 ms: 400 MiB are taken in a second.
    for _ in range(4):
        world.held[LEAK] += 40
        world.go()
        engine.step(world.snapshot())
    decisions = stall(engine, world, 2, grow=40)
    assert [one.action for one in decisions] == ["kill"]


def test_term_first_kill_later_and_not_when_it_went_by_itself():
    term = KILL._replace(term_us=S)
    world, engine = World(), Engine(policy(term), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 11, grow=2)
    assert [type(one.intents[0]) for one in decisions] == [Terminate, Kill]
    world, engine = World(), Engine(policy(term, pause_us=60 * S), GUARDED)
    calm(engine, world)
    decisions = stall(engine, world, 3)
    world.held.pop(LEAK)
    world.held[LEAK + "x"] = 1
    for _ in range(20):
        world.full_us += 60_000
        world.go()
        decisions += engine.step(world.snapshot()).decisions
    assert [type(one.intents[0]) for one in decisions] == [Terminate]


def test_a_hook_runs_before_the_kill_and_not_longer_than_its_time():
    hooked = KILL._replace(hook=("/usr/bin/dump",), hook_limit_us=S)
    for ends in (True, False):
        world, engine = World(), Engine(policy(hooked), GUARDED)
        calm(engine, world)
        decisions = stall(engine, world, 1)
        assert isinstance(decisions[0].intents[0], RunHook)
        if ends:
            engine.report(decisions[0].id, Outcome(decisions[0].intents[0], done=True))
        more = stall(engine, world, 10, grow=2)
        assert targets(more) == [LEAK]
        took = more[0].at.monotonic_us - decisions[0].at.monotonic_us
        assert took == (TICK if ends else S)


def test_notify_is_said_once_per_episode():
    world, engine = World(), Engine(policy(ir.DoNotify("x"), pause_us=60 * S), GUARDED)
    calm(engine, world)
    assert [one.intents for one in stall(engine, world, 20, grow=2)] == [(Notify("x"),)]
    calm(engine, world, 3)
    assert len(stall(engine, world, 20, grow=2)) == 1


def test_a_protected_database_is_never_killed_by_us():
    world = World()
    engine = Engine(policy(KILL, pause_us=0), Guarded(protect=("postgresql*.service",)))
    calm(engine, world)
    decisions = stall(engine, world, 60, grow=2)
    assert targets(decisions) == [LEAK]
    assert "there is nobody who may be killed" in [one.withheld for one in decisions]


def test_two_rules_do_not_kill_in_the_same_tick():
    rules = tuple(ir.Rule(name, (ir.Group("g", (STALL,)),), (KILL,)) for name in "ab")
    world, engine = World(), Engine(ir.Policy("two", rules), GUARDED)
    calm(engine, world)
    assert targets(stall(engine, world, 1)) == [LEAK]
    kill = KILL._replace(even_without_need=True)
    both = ir.Policy("oomd", tuple(rule._replace(actions=(kill,)) for rule in rules), wait_for_death=False)
    world, engine = World(), Engine(both, GUARDED)
    calm(engine, world)
    assert len(targets(stall(engine, world, 1))) == 2


def test_rules_that_rest_together():
    rules = tuple(
        ir.Rule(name, (ir.Group("g", (STALL,)),), (KILL,), rests_with="all", pause_us=5 * S) for name in "ab"
    )
    world, engine = World(), Engine(ir.Policy("t", rules, wait_for_death=False), GUARDED)
    calm(engine, world)
    assert len(targets(stall(engine, world, 45, grow=2))) == 1
    assert len(targets(stall(engine, world, 10, grow=2))) == 1


def test_processes_are_asked_for_when_somebody_is_to_be_chosen():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    world.held[LEAK] += 20
    world.full_us += 60_000
    world.go()
    bare = world.snapshot()._replace(processes={})
    step = engine.step(bare, processes_of=NONE)
    # Those of the chosen one, and of the other, which comes next if it took anything: it did not.
    assert (step.decisions, step.wants_processes) == ((), {LEAK})
    step = engine.step(world.snapshot(), processes_of=step.wants_processes)
    assert targets(step.decisions) == [LEAK]
    assert not step.wants_processes


@pytest.mark.parametrize(
    ("action", "intent"),
    [
        (ir.DoThrottle(EVERYBODY), SetHigh),
        (ir.DoReclaim(EVERYBODY), Reclaim),
        (ir.DoFreeze(EVERYBODY), Freeze),
    ],
)
def test_who_is_slowed_down_is_known_by_its_processes_too(action, intent):
    world, engine = World(), Engine(policy(action), GUARDED)
    calm(engine, world)
    step = bare(engine, world)
    assert (step.decisions, LEAK in step.wants_processes) == ((), True)
    (decision,) = engine.step(world.snapshot(), processes_of=step.wants_processes).decisions
    (done,) = decision.intents
    assert (type(done), getattr(done, "cgroup", None) or done.target) == (
        intent,
        CgroupId(LEAK, world.snapshot().cgroups[LEAK].inode),
    )


def bare(engine: Engine, world: World):
    """A tick of a stall at which no process was read."""
    world.held[LEAK] += 20
    world.held[DB] += 10
    world.full_us += 60_000
    world.go()
    return engine.step(world.snapshot()._replace(processes={}), processes_of=NONE)


def test_where_the_chosen_ones_processes_forbid_it_the_next_one_is_known_already():
    world, engine = World(), Engine(policy(KILL), Guarded(protect=("comm:leaky",)))
    calm(engine, world)
    wants = bare(engine, world).wants_processes
    assert wants == {LEAK, DB}
    snapshot = world.snapshot()
    pid = snapshot.cgroups[LEAK].procs[0]
    processes = {**snapshot.processes, pid: snapshot.processes[pid]._replace(comm="leaky")}
    step = engine.step(snapshot._replace(processes=processes), processes_of=wants)
    assert (targets(step.decisions), step.wants_processes) == ([DB], NONE)


def test_where_the_first_few_may_not_be_killed_all_are_asked_for():
    names = [f"/app.slice/{number}.service" for number in range(acts.SUSPECTS)]
    world = World(**dict.fromkeys(names, 100))
    engine = Engine(policy(KILL), Guarded(protect=("comm:leaky",)))
    calm(engine, world)
    for number, path in enumerate(names):
        world.held[path] += 40 + number
    wants = bare(engine, world).wants_processes
    assert wants == set(names)
    snapshot = world.snapshot()
    of_names = {snapshot.cgroups[path].procs[0] for path in names}
    processes = {
        pid: one._replace(comm="leaky") if pid in of_names else one for pid, one in snapshot.processes.items()
    }
    few = {pid: one for pid, one in processes.items() if pid in of_names}
    step = engine.step(snapshot._replace(processes=few), processes_of=wants)
    assert (targets(step.decisions), step.wants_processes) == ([], {"/"})
    step = engine.step(snapshot._replace(processes=processes), processes_of=step.wants_processes)
    assert targets(step.decisions) == [LEAK]


def test_a_policy_that_goes_by_processes_asks_for_all():
    by_score = ir.Choice(ranking=ir.Ranking((ir.Weight("oom-score"),)))
    world, engine = World(), Engine(policy(ir.DoKill(by_score)), GUARDED)
    calm(engine, world)
    assert bare(engine, world).wants_processes == {"/"}


def test_nobody_is_asked_for_where_nobody_would_be_killed():
    world, engine = World(), Engine(policy(KILL, when=ir.Constant(fires=True)), GUARDED)
    step = engine.step(world.snapshot()._replace(processes={}), processes_of=NONE)
    assert [one.withheld[:7] for one in step.decisions] == ["no need"]
    assert not step.wants_processes


def test_detectors_look_once_at_a_tick_whose_processes_were_read_later():
    once = ir.Stall(above_us=50_000, for_us=0)
    world, engine = World(), Engine(policy(KILL, when=once), GUARDED)
    calm(engine, world)
    wants = bare(engine, world).wants_processes
    before = engine.history.looks
    assert targets(engine.step(world.snapshot(), processes_of=wants).decisions) == [LEAK]
    assert engine.history.looks == before


def test_paused_sees_and_decides_nothing():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    world.full_us += 500_000
    world.go()
    assert engine.step(world.snapshot(), paused=True).decisions == ()


def test_the_machine_alone_names_nobody():
    world, engine = World(), Engine(policy(KILL, pause_us=60 * S), GUARDED)
    snapshots = []
    for _ in range(3):
        world.full_us += 600_000
        world.go(S)
        snapshots.append(world.snapshot()._replace(cgroups={}, processes={}))
    decisions = [one for snapshot in snapshots for one in engine.step(snapshot).decisions]
    assert [one.withheld.partition(";")[0] for one in decisions] == ["somebody would be killed"]


def test_a_rule_per_cgroup_has_a_state_of_its_own_for_each():
    rule = ir.Rule(
        "each",
        (ir.Group("g", (ir.Events("high", cgroups=(".",)),)),),
        (ir.DoKill(ir.Choice((".",), "matched", ir.Ranking((ir.Weight("size"),))), even_without_need=True),),
        per_cgroup=("/*.slice/*.service",),
    )
    world, engine = World(), Engine(ir.Policy("each", (rule,)), GUARDED)
    calm(engine, world)
    world.events[LEAK] = {"high": 3}
    world.go()
    assert targets(engine.step(world.snapshot()).decisions) == [LEAK]


def test_only_a_death_within_the_domain_helps():
    """A service at its own memory.high stalls, the machine does not reclaim: nobody outside dies for it."""
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    world.events["/system.slice"] = {"high": 1}
    world.go()
    engine.step(world.snapshot())
    world.events["/system.slice"] = {"high": 100}
    decisions = stall(engine, world, 2)
    assert targets(decisions) == [DB]


def test_replay_buries_who_would_be_dead():
    world = World()
    snapshots = deque()
    for _ in range(5):
        snapshots.append(world.snapshot())
        world.go(S)
    for _ in range(80):
        world.held[LEAK] += 2
        world.held[DB] += 1
        world.full_us += 60_000
        world.go()
        snapshots.append(world.snapshot())
    decisions = list(replay(policy(KILL, pause_us=2 * S), GUARDED, snapshots))
    assert targets(decisions) == [LEAK, DB]
    assert decisions[0].id != decisions[1].id


def test_the_driver_sleeps_as_the_pulse_says_while_it_is_calm():
    world, driver = World(), Driver(policy(KILL), GUARDED)
    # 500 MiB at 6000 MiB/s, halved, are 42 ms: the shortest sleep.
    assert driver.step(world.snapshot()).sleep_us == SHORTEST_US
    world.full_us += 500_000
    world.go(S)
    assert driver.step(world.snapshot()).sleep_us == TICK
    assert (
        driver.step(world.snapshot()._replace(meminfo=None, instant=Instant(world.now_us + S))).decisions
        == ()
    )


def test_restore_undoes_everything_at_the_end():
    throttle = ir.DoThrottle(EVERYBODY)
    world, engine = World(), Engine(policy(throttle), GUARDED)
    calm(engine, world)
    stall(engine, world, 1)
    (decision,) = engine.restore(world.snapshot())
    assert decision.intents == (SetHigh(CgroupId(LEAK, 11), MAX),)
    assert list(engine.restore(world.snapshot())) == []


def test_what_a_kill_gave_back_is_no_peak_to_grow_up_to():
    world, engine = World(), Engine(policy(KILL), GUARDED)
    calm(engine, world)
    assert targets(stall(engine, world, 2)) == [LEAK]
    world.held[LEAK] = 0
    for _ in range(6):
        world.held[DB] += 4
        world.go()
        engine.step(world.snapshot())
    # It held 140 MiB more before the kill; it grows by 40 MiB a second now, and nobody gives that back.
    for path in ("/", "/app.slice", DB):
        assert engine.history.growth(path).recovers is False
    assert engine.history.growth("/").rate_bps > 30 * MIB
