"""A service's objective, from its words to what the engine does about it."""

from __future__ import annotations

from memwarden.guard.engine import Engine
from memwarden.guard.never import Guarded
from memwarden.guard.policy.load import load
from memwarden.state.intents import Kill, SetHigh
from memwarden.words.document import Text
from tests.guard.ticks import MIB, MS, group, psi, tick

TEXT = """\
[protect.postgresql]
who = "postgresql*.service"
stall = { above = "50ms", in = "1s", kind = "some" }
"""
DB = "/system.slice/postgresql@17-main.service"


def engine():
    policy = load([Text("p", TEXT)], name="p").policy
    return Engine(policy, Guarded(policy.never, policy.protect))


def machine(at, *, stalled, leak_mib):
    """The ``at``-th tenth of a second: the database waits for ``stalled`` of the time, a job has grown."""
    waits = psi(full_us=0, some=(0, 0, 0), some_us=int(at * 100 * MS * stalled))
    return tick(
        at * 100 * MS,
        group("/", memory_pressure=psi()),
        group("/system.slice", held=400 + leak_mib),
        group(DB, held=400, memory_pressure=waits, populated=True, procs=(10,)),
        group("/system.slice/quiet.service", held=300, populated=True, procs=(11,)),
        group(
            "/system.slice/job.service",
            held=leak_mib,
            current_bytes=leak_mib * MIB,
            high_bytes=1 << 40,
            populated=True,
            procs=(12,),
        ),
        held=700 + leak_mib,
        meminfo={"MemTotal": 2 << 30, "MemAvailable": 1 << 30},
        vmstat={"pgscan_direct": at * 100},
        memory_pressure=waits,
    )


def acts(stalled, seconds=3):
    one = engine()
    one.step(machine(0, stalled=0, leak_mib=10), calm=True)
    found = []
    for at in range(1, seconds * 10):
        step = one.step(machine(at, stalled=stalled, leak_mib=10 + at))
        found += [(at, type(intent), intent) for decision in step.decisions for intent in decision.intents]
    return found


def test_an_objective_that_is_missed_costs_the_culprit_elsewhere_a_throttle_and_then_its_life():
    (first, throttle, high), (second, kill, killed) = acts(stalled=0.2)[:2]
    assert (throttle, high.cgroup.path) == (SetHigh, "/system.slice/job.service")
    assert (kill, killed.target.path) == (Kill, "/system.slice/job.service")
    assert second - first == 5  # half a second was given to the throttle


def test_an_objective_that_is_kept_costs_nobody_anything():
    assert acts(stalled=0.04) == []  # 40 ms in any second
    assert acts(stalled=0) == []


def test_the_service_itself_is_never_killed():
    concerned = [getattr(intent, "target", None) or intent.cgroup for _, _, intent in acts(0.9, seconds=30)]
    assert concerned
    assert {target.path for target in concerned} == {"/system.slice/job.service"}


def test_a_service_that_is_held_up_by_its_own_limit_costs_nobody_else_anything():
    one = engine()
    decisions = []
    for at in range(60):
        seen = machine(at, stalled=0.5, leak_mib=10 + at)
        limited = seen.cgroups[DB]._replace(
            max_bytes=400 * MIB, current_bytes=400 * MIB, events_local={"max": at}
        )
        # The kernel scans nothing for the machine (vmscan.c counts there what is no cgroup's own reclaim).
        still = seen._replace(cgroups={**seen.cgroups, DB: limited}, vmstat={"pgscan_direct": 0})
        decisions += one.step(still, calm=at == 0).decisions
    assert decisions
    assert [intent for decision in decisions for intent in decision.intents] == []
    assert {decision.withheld for decision in decisions} == {
        "there is nobody who can be throttled",
        "there is nobody who may be killed",
    }
