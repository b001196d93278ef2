"""Why it could happen while memory was free."""

from __future__ import annotations

import pytest

from memwarden.postmortem.cause_facts import facts
from memwarden.postmortem.why_free import why_while_free
from memwarden.units import KIB, MAX, MIB
from tests.postmortem.verdict_reports import (
    marks,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    with_invoker,
    zone,
)

ID = 64 * "0"
POD = "/kubepods/burstable/pod1-2"


def said(made, cause):
    return " ".join(statement.text for statement in why_while_free(facts(made), cause))


class TestMemcg:
    def test_only_the_limit_counts(self):
        assert said(memcg_report(memcg_facts(64)), "memcg-anon") == (
            "Free memory of the machine does not help: the limit of the cgroup was full, and only "
            "that counts."
        )

    def test_a_limit_above(self):
        text = said(memcg_report(memcg_facts(64), task_path="/a/b"), "memcg-anon")
        assert "not the limit of the victim's own cgroup but that of cgroup /a, above it" in text

    def test_the_limit_of_the_pod(self):
        made = memcg_report(memcg_facts(64, oom_path=POD), task_path=f"{POD}/{ID}")
        assert "but that of its pod, above it" in said(made, "memcg-anon")

    def test_a_limit_that_is_not_named(self):
        assert "above it" not in said(memcg_report(None), "memcg-unknown")

    def test_memory_and_swap(self):
        both = {"memsw_usage_bytes": 200 * MIB, "memsw_limit_bytes": 200 * MIB}
        made = memcg_report(memcg_facts(40, limit=100 * MIB, **both))
        assert "Memory alone was below its limit (40.0 MiB of 100 MiB)" in said(made, "memcg-swap-limit")
        unlimited = memcg_report(memcg_facts(40, limit=MAX, **both))
        assert "Memory alone" not in said(unlimited, "memcg-swap-limit")


class TestNothingHadRunOut:
    def test_by_hand(self):
        text = said(system_report(node_facts(free=700), manual=True), "manual")
        assert "requested by hand" in text
        assert text.endswith("700 MiB were free.")
        assert said(system_report(None, manual=True), "manual").endswith("Nothing had run out.")

    def test_by_a_policy(self):
        assert said(memcg_report(memcg_facts(4, limit=MAX)), "manual").startswith("A policy program")

    def test_by_mistake(self):
        text = said(system_report(node_facts(free=700)), "spurious")
        assert text.startswith("No allocation had failed while 700 MiB were free: the page-fault handler")
        assert said(system_report(None), "spurious").startswith("No allocation had failed: ")


class TestNodes:
    def test_cpuset(self):
        text = said(report(scope="cpuset", mems_allowed="1"), "numa-bound")
        assert text == (
            "The cpuset of asker allows memory of NUMA node 1 only: free memory on other nodes does "
            "not count."
        )

    def test_policy_without_names(self):
        made = with_invoker(report(scope="mempolicy"), comm=None)
        text = said(made, "numa-bound")
        assert text.startswith("The memory policy of the process allows memory of NUMA node some only")

    def test_movable_memory_is_no_use_for_the_kernel(self):
        made = report(scope="cpuset", mems_allowed="4", node=node_facts(zones=[zone("Movable", 900)]))
        assert "Free memory of zone Movable (900 MiB) is no use" in said(made, "numa-bound")
        usable = report(scope="cpuset", node=node_facts(zones=[zone("Movable", 900), zone("Normal", 500)]))
        assert "is no use" not in said(usable, "numa-bound")


class TestZones:
    def test_fragments(self):
        lists = {"free_list": {4 * KIB: 9}, "free_types": {4 * KIB: "U"}}
        node = node_facts(zones=[zone("Normal", 200, **lists)])
        text = said(with_invoker(system_report(node), order=3), "fragmentation")
        assert text == (
            "The request was for 32.0 KiB in one piece (order 3). Zone Normal had 200 MiB free, but "
            "no free piece of "
            "that size that the request may use: memory was fragmented."
        )

    def test_fragments_beside_a_zone_out_of_reach(self):
        lists = {"free_list": {4 * KIB: 9}, "free_types": {4 * KIB: "U"}}
        node = node_facts(
            2048, zones=[zone("DMA", 200, **lists), zone("Normal", 200, **lists), zone("Movable", 900)]
        )
        text = said(with_invoker(system_report(node), order=3), "fragmentation")
        assert "Zones DMA and Normal had 400 MiB free" in text
        assert text.endswith("Zone Movable had memory too, which this request cannot use.")

    def test_low_zones(self):
        node = node_facts(2048, zones=[zone("DMA", 3), zone("Normal", 4), zone("HighMem", 900)])
        text = said(
            system_report(node, marks=marks(("zone", 5, "DMA"), ("free-list", 9, "DMA:"))), "low-zone"
        )
        assert text == (
            "The request can only use memory up to zone Normal, and zones DMA and Normal were down "
            "to the reserve "
            "(DMA: 3.00 MiB free, min 16.0 MiB; Normal: 4.00 MiB free, min 16.0 MiB). "
            "The 900 MiB free in zone HighMem cannot serve it."
        )

    def test_set_aside(self):
        node = node_facts(zones=[zone("Normal", 200, free_cma_bytes=190 * MIB)])
        text = said(system_report(node), "low-zone")
        assert "and zone Normal was down to the reserve" in text
        assert text.endswith(
            "190 MiB of the free memory is set aside for contiguous allocations (CMA), where only "
            "movable pages may go."
        )

    def test_evidence_is_every_zone(self):
        node = node_facts(2048, zones=[zone("Normal", 4), zone("HighMem", 900)])
        lines = marks(*(("zone", at, "z") for at in range(5)), ("free-list", 9, "f"), ("header", 10, "h"))
        found = why_while_free(facts(system_report(node, marks=lines)), "low-zone")[0]
        assert [one.line for one in found.evidence] == [10, 0, 1, 2, 3, 4, 9]


class TestReserve:
    def test_what_is_free_is_the_reserve(self):
        made = system_report(node_facts(active_anon=900, zones=[zone("Normal", 10)]))
        assert said(made, "system-anon") == (
            "The 10.0 MiB still free are the kernel's reserve (its 'min' watermarks add up to 16.0 "
            "MiB, and lower zones "
            "keep more back): ordinary requests may not use it."
        )

    def test_freed_while_printing(self):
        made = system_report(node_facts(active_anon=900, zones=[zone("Normal", 18)]))
        assert "zone Normal had more than the reserve again" in said(made, "system-anon")

    def test_watermarks_that_make_no_sense(self):
        node = node_facts(1024, free=700, zones=[zone("Normal", 700, min_bytes=1 << 60)])
        assert said(system_report(node), "system-unknown").startswith(
            "700 MiB were free, more than half of the machine's memory, yet the watermarks forbade its use"
        )

    def test_no_zone_the_request_may_use_is_shown(self):
        node = node_facts(active_anon=900, zones=[zone("HighMem", 10)])
        assert said(system_report(node), "system-anon") == ""

    @pytest.mark.parametrize(
        ("figures", "free", "text"),
        [
            (
                {"active_anon": 900},
                60,
                "Swap was not full (60.0 MiB of 100 MiB free): memory was used up faster",
            ),
            (
                {"slab_unreclaimable": 900},
                60,
                "Swap was not full (60.0 MiB of 100 MiB free), but kernel memory cannot be",
            ),
            ({"active_anon": 900}, 9, ""),
        ],
    )
    def test_swap_left(self, figures, free, text):
        made = system_report(node_facts(1024, 100, free, **figures))
        assert said(made, "system-anon").startswith(text)
        assert bool(said(made, "system-anon")) is bool(text)

    def test_nothing_to_explain(self):
        assert said(system_report(None), "system-unknown") == ""
        assert said(system_report(node_facts(None, 100, 60)), "system-unknown") == ""
        assert said(system_report(node_facts(None, 100, 60, active_anon=0)), "system-unknown") == ""
        # What nothing explains: whether it could be swapped is not known either.
        assert said(system_report(node_facts(1024, 100, 60, active_anon=5)), "system-unknown") == ""
