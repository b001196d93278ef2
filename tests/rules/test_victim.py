"""Who dies next. Machines here have 4 GiB and no swap: 1048576 pages, a point of adj is 1048 pages."""

from __future__ import annotations

import pytest

from memwarden.rules.eligible import Eligibility
from memwarden.rules.scope import memcg_scope, system_scope
from memwarden.rules.sureness import Sureness
from memwarden.rules.victim import Outcome, expected_score, rank
from memwarden.state.process import PF_KTHREAD
from memwarden.state.snapshot import HostFacts
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import GIB, MIB
from tests.rules.machines import cgroup, process, snapshot

EXACT = KernelTraits(approximate_rss=False)
MEMINFO = {"MemTotal": 4 * GIB, "SwapTotal": 0}


def system(processes, **fields):
    fields = {"meminfo": MEMINFO, "traits": EXACT} | fields
    machine = snapshot(fields.pop("cgroups", ()), tuple(processes), **fields)
    scope = system_scope(machine)
    assert scope is not None
    return rank(machine, scope)


def memcg(processes, *cgroups, path="/a", **fields):
    fields = {"meminfo": MEMINFO, "traits": EXACT} | fields
    machine = snapshot(cgroups, tuple(processes), **fields)
    scope = memcg_scope(machine, path)
    assert scope is not None
    return rank(machine, scope)


def pids(ranking):
    return [candidate.process.pid for candidate in ranking.candidates]


def test_the_biggest_dies_by_a_margin():
    ranking = system([process(2, 100), process(3, 300), process(4, 200)])
    assert pids(ranking) == [3, 4, 2]
    assert ranking.outcome is Outcome.KILL
    assert ranking.first == ranking.victim == ranking.candidates[0]
    assert ranking.margin == 100 * 256
    assert (ranking.error_pages, ranking.sureness) == (0, Sureness.CERTAIN)
    assert ranking.group is None


def test_memcg_and_machine_name_different_victims():
    # 600 MiB adj 0 against 100 MiB adj 300. memcg of 1 GiB: 25600 + 300 * 262 = 104200 < 153600;
    # machine of 4 GiB: 25600 + 300 * 1048 = 340000.
    both = [process(2, 600, cgroup="/a"), process(3, 100, cgroup="/a", oom_score_adj=300)]
    group = cgroup("/a", max_bytes=GIB, swap_max_bytes=0)
    in_memcg = memcg(both, group)
    assert pids(in_memcg) == [2, 3]
    assert [one.points for one in in_memcg.candidates] == [153600, 104200]
    on_machine = system(both, cgroups=(group,))
    assert pids(on_machine) == [3, 2]
    assert on_machine.candidates[0].points == 340000


def test_a_memcg_has_only_its_own_candidates():
    ranking = memcg(
        [process(2, 10, cgroup="/a/b"), process(3, 900, cgroup="/other")],
        cgroup("/a", max_bytes=64 * MIB),
        cgroup("/a/b"),
        cgroup("/other"),
    )
    assert pids(ranking) == [2]
    assert ranking.margin is None
    assert ranking.sureness is Sureness.CERTAIN


def test_excluded_with_reasons():
    ranking = system(
        [
            process(1, 50),
            process(2, 0, flags=PF_KTHREAD, rss_bytes=None),
            process(3, 900, oom_score_adj=-1000),
            process(4, 800, oom_score=0),
            process(5, 10, oom_score=670),
        ]
    )
    assert pids(ranking) == [5]
    assert [(one.pid, why) for one, why in ranking.excluded] == [
        (1, Eligibility.INIT),
        (2, Eligibility.KERNEL_THREAD),
        (3, Eligibility.ADJ_MIN),
        (4, Eligibility.EXEMPT),
    ]


def test_negative_points_die_when_nothing_better_exists():
    ranking = system([process(2, 10, oom_score_adj=-999), process(3, 20, oom_score_adj=-999)])
    assert pids(ranking) == [3, 2]
    assert ranking.candidates[0].points == 5120 - 999 * 1048


@pytest.mark.parametrize(("last", "order"), [(True, [4, 3, 2]), (None, [4, 3, 2]), (False, [2, 3, 4])])
def test_ties_go_by_the_order_of_visiting(last, order):
    traits = KernelTraits(approximate_rss=False, last_of_equals=last)
    ranking = system([process(pid, 10) for pid in (2, 3, 4)], traits=traits)
    assert pids(ranking) == order
    assert (ranking.margin, ranking.sureness) == (0, Sureness.TIE)


def test_approximate_counters_make_a_small_margin_likely_only():
    traits = KernelTraits(approximate_rss=True)
    # 2 CPUs: 256 pages of error for each of both; 1 MiB is 256 pages, 3 MiB 768.
    near = system([process(2, 10), process(3, 11)], traits=traits)
    assert (near.margin, near.error_pages, near.sureness) == (256, 512, Sureness.LIKELY)
    far = system([process(2, 10), process(3, 13)], traits=traits)
    assert far.sureness is Sureness.CERTAIN
    blind = system([process(2, 10), process(3, 13, threads=None)], traits=traits, host=HostFacts())
    assert blind.error_pages == 2 * 128  # one CPU: 32 * 1 * 4


def test_unread_memory_makes_it_partial():
    ranking = system([process(2, 10), process(3, 0, rss_bytes=None)])
    assert ranking.sureness is Sureness.PARTIAL
    assert ranking.excluded[0][1] is Eligibility.UNKNOWN


def test_group_dies_with_the_victim():
    ranking = memcg(
        [process(2, 30, cgroup="/a/b"), process(3, 10, cgroup="/a/b"), process(4, 5, cgroup="/a")],
        cgroup("/a", max_bytes=64 * MIB),
        cgroup("/a/b", oom_group=True),
    )
    assert ranking.group is not None
    assert ranking.group.path == "/a/b"
    assert [one.pid for one in ranking.group.killed] == [2, 3]


def test_a_process_without_known_cgroup_has_no_group():
    assert system([process(2, 30, cgroup=None)]).group is None


def test_panic_and_allocating_task():
    processes = [process(2, 10, cgroup="/a")]
    group = cgroup("/a", max_bytes=64 * MIB)
    assert system(processes, sysctl={"panic_on_oom": 1}).outcome is Outcome.PANIC
    assert memcg(processes, group, sysctl={"panic_on_oom": 1}).outcome is Outcome.KILL
    assert memcg(processes, group, sysctl={"panic_on_oom": 2}).outcome is Outcome.PANIC
    both = {"panic_on_oom": 1, "oom_kill_allocating_task": 1}
    assert system(processes, sysctl=both).outcome is Outcome.PANIC
    ask = {"oom_kill_allocating_task": 1}
    assert system(processes, sysctl=ask).outcome is Outcome.ALLOCATING_TASK
    assert memcg(processes, group, sysctl=ask).outcome is Outcome.KILL


def test_nobody_to_kill():
    exempt = [process(2, 10, cgroup="/a", oom_score_adj=-1000)]
    ranking = memcg(exempt, cgroup("/a", max_bytes=64 * MIB))
    assert (ranking.outcome, ranking.first, ranking.victim) == (Outcome.NO_VICTIM, None, None)
    # "System is deadlocked on memory"
    assert system(exempt).outcome is Outcome.PANIC
    assert system([process(2, 0, rss_bytes=None)]).outcome is Outcome.UNKNOWN


def test_v1_that_waits_instead_of_killing():
    group = cgroup("/a", version=1, max_bytes=64 * MIB, v1_oom_kill_disable=True)
    assert memcg([process(2, 10, cgroup="/a")], group).outcome is Outcome.HANG


def test_a_kernel_whose_rule_cannot_be_computed():
    ranking = system([process(2, 10)], traits=KernelTraits(badness=BadnessRule.LEGACY))
    assert (ranking.outcome, ranking.sureness) == (Outcome.UNKNOWN, Sureness.PARTIAL)


def test_a_child_dies_first_before_5_1():
    family = [process(2, 300), process(3, 10, ppid=2), process(4, 40, ppid=2), process(5, 40, ppid=2)]
    old = KernelTraits(badness=BadnessRule.UNSIGNED, sacrifice_child=True, approximate_rss=False)
    ranking = system(family, traits=old)
    assert ranking.first is not None
    assert ranking.victim is not None
    # Of the equal children the first in the list stays chosen.
    assert (ranking.first.process.pid, ranking.victim.process.pid) == (2, 4)
    childless = system(family[:1], traits=old)
    assert childless.first == childless.victim
    assert system(family).victim == system(family).first


def test_expected_score():
    machine = snapshot((), (process(2, 1024, oom_score_adj=100),), meminfo=MEMINFO)
    scope = system_scope(machine)
    assert scope is not None
    # (262144 + 100 * 1048) * 1000 // 1048576 = 349, (1000 + 349) * 2 // 3 = 899
    assert expected_score(machine, machine.processes[2], scope) == 899
    legacy = snapshot((), (process(2, 1),), meminfo=MEMINFO, traits=KernelTraits(badness=BadnessRule.LEGACY))
    assert expected_score(legacy, legacy.processes[2], scope) == 0


def test_container_view_has_a_killable_pid_1():
    ranking = system([process(1, 10)], host=HostFacts(cpus=2, container_view="docker"))
    assert pids(ranking) == [1]


def test_a_memcg_on_a_machine_whose_meminfo_is_unknown():
    ranking = memcg(
        [process(2, 10, cgroup="/a", oom_score=0)], cgroup("/a", max_bytes=64 * MIB), meminfo=None
    )
    assert pids(ranking) == [2]
