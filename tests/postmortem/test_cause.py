"""The cause: the order of the questions, and what each takes for a yes."""

from __future__ import annotations

import pytest

from memwarden.postmortem.cause import rule
from memwarden.postmortem.cause_facts import facts
from memwarden.units import KIB, MAX, MIB
from tests.postmortem.verdict_reports import (
    GFP_HIGHUSER_MOVABLE,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    with_invoker,
    zone,
)

SHORT = zone("Normal", 10)
AMPLE = zone("Normal", 300)


def cause(made):
    return rule(facts(made))


class TestOrder:
    def test_by_hand_comes_before_everything(self):
        made = system_report(node_facts(zones=[SHORT]), manual=True, no_killable=True)
        assert cause(made) == ("manual", "certain")

    def test_a_policy_with_a_constraint_of_its_own(self):
        facts_ = memcg_facts(40, limit=MAX)
        made = memcg_report(facts_, constraint="CONSTRAINT_BPF_SOMETHING")
        assert cause(with_invoker(made, gfp_mask=0)) == ("manual", "likely")
        assert cause(made).cause == "memcg-unknown"

    def test_page_fault_path_with_memory_there(self):
        made = with_invoker(system_report(node_facts(zones=[AMPLE])), gfp_mask=0)
        assert cause(made) == ("spurious", "likely")

    def test_page_fault_path_is_told_by_the_trace_too(self):
        made = system_report(node_facts(zones=[AMPLE]), page_fault_path=True)
        assert cause(made).cause == "spurious"

    def test_page_fault_path_with_memory_short(self):
        made = with_invoker(system_report(node_facts(active_anon=900, zones=[SHORT])), gfp_mask=0)
        assert cause(made).cause == "system-anon"

    def test_page_fault_path_without_figures(self):
        assert cause(with_invoker(report(), gfp_mask=0)).cause == "unknown"

    def test_page_fault_path_in_a_cgroup_is_the_cgroup(self):
        made = with_invoker(memcg_report(memcg_facts(40, stat_mib={"anon": 39, "kernel": 1})), gfp_mask=0)
        assert cause(made).cause == "memcg-anon"

    def test_nobody_to_kill(self):
        made = memcg_report(memcg_facts(40, stat_mib={"anon": 39}), victims=(), no_killable=True)
        assert cause(made) == ("no-victim", "certain")

    def test_nothing_known(self):
        assert cause(report()) == ("unknown", "certain")


class TestMemcg:
    @pytest.mark.parametrize(
        ("stat", "expected"),
        [
            ({"anon": 60, "file": 30, "kernel": 10}, "memcg-anon"),
            ({"anon": 20, "file": 70, "kernel": 10}, "memcg-file"),
            ({"anon": 20, "file": 70, "shmem": 65, "kernel": 10}, "memcg-shmem"),
            ({"anon": 20, "file": 10, "kernel": 70}, "memcg-kernel"),
            ({"anon": 20, "file": 10, "kernel": 10, "sock": 60}, "memcg-kernel"),
            ({"anon": 90, "kernel": 2, "unevictable": 50}, "memcg-unevictable"),
            ({"anon": 90, "kernel": 2, "unevictable": 49}, "memcg-anon"),
            ({"anon": 10, "kernel": 5, "swapcached": 60, "inactive_anon": 70}, "memcg-anon"),
            ({"anon": 10, "kernel": 5, "inactive_anon": 70}, "memcg-anon"),
            ({"anon": 10, "kernel": 5}, "memcg-unknown"),
            ({"anon": 10, "kernel": 5, "hugetlb": 80}, "memcg-unknown"),
        ],
    )
    def test_by_the_largest_part(self, stat, expected):
        assert cause(memcg_report(memcg_facts(100, stat_mib=stat))).cause == expected

    def test_parts_that_mean_the_same_count_together(self):
        # Of 100 MiB 45 are mapped and 45 in the swap cache: anonymous memory, no part of which is half.
        stat = {"anon": 45, "kernel": 10, "swapcached": 45, "inactive_anon": 90}
        assert cause(memcg_report(memcg_facts(100, stat_mib=stat))) == ("memcg-anon", "certain")

    def test_figures_that_have_moved_away_from_the_limit(self):
        made = memcg_report(memcg_facts(60, limit=100 * MIB, stat_mib={"anon": 59, "kernel": 1}))
        assert cause(made) == ("memcg-anon", "likely")
        few = memcg_report(memcg_facts(60, limit=100 * MIB, stat_mib={"anon": 25, "file": 20, "kernel": 15}))
        assert cause(few) == ("memcg-anon", "likely")  # 25 of 60 are not half anyway

    def test_without_statistics_and_table(self):
        assert cause(memcg_report(memcg_facts(100))) == ("memcg-unknown", "certain")

    def test_by_the_table(self):
        assert cause(memcg_report(memcg_facts(100), task(1, 70))) == ("memcg-anon", "likely")

    def test_memory_and_swap_full_while_memory_is_not(self):
        limits = {"memsw_usage_bytes": 200 * MIB, "memsw_limit_bytes": 200 * MIB}
        facts_ = memcg_facts(40, limit=100 * MIB, stat_mib={"rss": 40}, **limits)
        assert cause(memcg_report(facts_)) == ("memcg-swap-limit", "certain")

    def test_kernel_memory_limit(self):
        limits = {"kmem_usage_bytes": 16 * MIB, "kmem_limit_bytes": 16 * MIB}
        facts_ = memcg_facts(40, limit=100 * MIB, stat_mib={"rss": 24}, **limits)
        assert cause(memcg_report(facts_)) == ("memcg-kernel", "certain")


class TestZones:
    def test_fragmentation(self):
        node = node_facts(
            active_anon=900,
            zones=[zone("Normal", 100, free_list={4 * KIB: 25600}, free_types={4 * KIB: "U"})],
        )
        assert cause(with_invoker(system_report(node), order=3)) == ("fragmentation", "certain")

    def test_low_zone(self):
        node = node_facts(2048, zones=[SHORT, zone("HighMem", 900)])
        assert cause(system_report(node)) == ("low-zone", "certain")

    def test_memory_set_aside(self):
        node = node_facts(zones=[zone("Normal", 200, free_cma_bytes=190 * MIB)])
        assert cause(system_report(node)) == ("low-zone", "likely")

    def test_most_memory_free_is_no_shortage(self):
        node = node_facts(1024, free=600, active_anon=300, zones=[zone("Normal", 600, min_bytes=MIB << 40)])
        assert cause(system_report(node)) == ("system-unknown", "likely")

    def test_some_nodes_only(self):
        made = report(scope="cpuset", node=node_facts(zones=[SHORT]))
        assert cause(made) == ("numa-bound", "certain")
        assert cause(report(scope="mempolicy")).cause == "numa-bound"


class TestSystem:
    @pytest.mark.parametrize(
        ("figures", "expected"),
        [
            ({"active_anon": 700}, ("system-anon", "certain")),
            ({"active_anon": 700, "shmem": 600}, ("system-shmem", "certain")),
            ({"slab_unreclaimable": 600}, ("system-slab", "certain")),
            ({"active_anon": 100, "pagetables": 600}, ("system-slab", "certain")),
            ({"active_anon": 100, "hugepages": 700}, ("system-hugepages", "certain")),
            ({"active_anon": 100, "unevictable": 700}, ("system-unevictable", "certain")),
            ({"active_anon": 400, "active_file": 100, "slab_unreclaimable": 300}, ("system-anon", "likely")),
            ({"active_anon": 100}, ("system-unknown", "likely")),
            ({"active_anon": 100, "active_file": 800}, ("system-unknown", "likely")),
        ],
    )
    def test_by_the_largest_part(self, figures, expected):
        made = with_invoker(
            system_report(node_facts(zones=[SHORT], **figures)), gfp_mask=GFP_HIGHUSER_MOVABLE
        )
        assert cause(made) == expected

    def test_without_any_figure(self):
        assert cause(system_report(None)) == ("system-unknown", "certain")

    def test_without_any_figure_and_without_a_line_that_names_the_scope(self):
        # A call trace through the page allocator is also that of a cpuset's or a policy's nodes.
        assert cause(system_report(None, scope_from_text=False)) == ("system-unknown", "likely")

    def test_by_the_table(self):
        assert cause(system_report(None, task(1, 900))) == ("system-anon", "possible")
