"""The first three sentences: who died, whose limit, what filled it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memwarden.postmortem.cause_facts import facts
from memwarden.postmortem.why_death import died, filled, limit
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    marks,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    victim,
    zone,
)


def said(make, made):
    statement = make(facts(made))
    return None if statement is None else statement.text


class TestDied:
    def test_one(self):
        text = said(died, memcg_report(None, victims=(victim(1, 100, file_rss_bytes=20 * MIB),)))
        assert text == "p1 (pid 1) was killed, holding 120 MiB, mostly anonymous"

    def test_of_one_kind(self):
        text = said(died, memcg_report(None, victims=(victim(1, 100),)))
        assert text == "p1 (pid 1) was killed, holding 100 MiB of anonymous memory"

    def test_mostly_files_or_shared(self):
        shared = victim(1, 1, shmem_rss_bytes=9 * MIB)
        assert said(died, memcg_report(None, victims=(shared,))).endswith("holding 10.0 MiB, mostly shared")

    def test_empty(self):
        text = said(died, memcg_report(None, victims=(victim(1, 0),)))
        assert text == "p1 (pid 1) was killed, which held no memory of its own by then"

    def test_with_figures_cut_off(self):
        assert said(died, memcg_report(None, victims=(victim(1),))) == "p1 (pid 1) was killed"

    def test_group(self):
        others = [victim(pid, 1, via="oom.group") for pid in (1, 2, 3)]
        text = said(died, memcg_report(None, victims=(victim(1, 5), *others)))
        assert text.endswith(
            "; with it p2 (pid 2) and p3 (pid 3) because the cgroup is killed as one (memory.oom.group)"
        )

    def test_many(self):
        text = said(died, memcg_report(None, victims=tuple(victim(pid, 1) for pid in range(1, 9))))
        assert text.endswith("; with it p2 (pid 2), p3 (pid 3), p4 (pid 4), p5 (pid 5) and 3 more")

    @pytest.mark.parametrize(
        ("fields", "start"),
        [
            ({"no_killable": True}, "nobody: the kernel found no process that it may kill"),
            (
                {"no_killable": True, "panic": True},
                "nobody: the kernel found no process that it may kill, and stopped",
            ),
            ({"panic": True}, "nobody: the machine is set to stop (panic)"),
            ({"chosen": (5, "p5", 900)}, "p5 (pid 5) was chosen; the line that says it was killed is not"),
            ({}, "not known: the text ends before"),
        ],
    )
    def test_nobody_or_not_known(self, fields, start):
        assert said(died, report(victims=(), **fields)).startswith(start)

    def test_evidence_is_the_kill_line(self):
        made = memcg_report(None, marks=marks(("header", 1, "h"), ("kill", 9, "Killed process 1")))
        assert died(facts(made)).evidence == ((9, "Killed process 1"),)


class TestLimit:
    def test_cgroup(self):
        text = said(limit, memcg_report(memcg_facts(64)))
        assert (
            text
            == "the memory limit (memory.max) of cgroup /a: 64.0 MiB used of 64.0 MiB, hit 7 times so far"
        )

    def test_cgroup_never_hit_before(self):
        assert said(limit, memcg_report(memcg_facts(64, failcnt=0))).endswith("used of 64.0 MiB")

    def test_usage_that_has_moved(self):
        text = said(limit, memcg_report(memcg_facts(64, limit=128 * MIB)))
        assert text.endswith("usage had fallen again when this was printed, or the limit was being lowered")

    def test_no_limit_at_all(self):
        text = said(limit, memcg_report(memcg_facts(64, limit=MAX)))
        assert text == "no limit of cgroup /a, which has none: 64.0 MiB used"

    def test_figures_cut_off(self):
        assert said(limit, memcg_report(memcg_facts(None))).endswith(
            "cgroup /a; its figures are not in the text"
        )

    @pytest.mark.parametrize(
        ("node", "text"),
        [
            (node_facts(2048), "no cgroup's limit: the whole machine, 2.00 GiB RAM, no swap"),
            (
                node_facts(2048, 512, 128),
                "no cgroup's limit: the whole machine, 2.00 GiB RAM, 384 MiB of 512 MiB swap used",
            ),
            (node_facts(2048, None), "no cgroup's limit: the whole machine, 2.00 GiB RAM"),
            (node_facts(None, 512, 0), "no cgroup's limit: the whole machine, 512 MiB of 512 MiB swap used"),
            (None, "no cgroup's limit: the whole machine"),
        ],
    )
    def test_machine(self, node, text):
        assert said(limit, system_report(node)) == text

    def test_machine_whose_free_swap_was_cut(self):

        node = replace(node_facts(2048, 512), free_swap_bytes=None)
        assert said(limit, system_report(node)).endswith("2.00 GiB RAM, 512 MiB swap")

    def test_scope_by_inference_is_likely(self):
        assert limit(facts(system_report(None, scope_from_text=False))).confidence == "likely"
        assert limit(facts(system_report(None))).confidence == "certain"

    def test_nodes(self):
        assert said(limit, report(scope="cpuset", cpuset="x", mems_allowed="0-1")).endswith(
            "cpuset x allows: 0-1"
        )
        assert said(limit, report(scope="cpuset")).endswith("cpuset (unnamed) allows: not named")
        assert said(limit, report(scope="mempolicy", nodemask="1")).endswith("a memory policy allows: 1")
        assert said(limit, report(scope="mempolicy")).endswith("allows: not named")

    def test_not_known(self):
        assert said(limit, report()).startswith("not known")


class TestFilled:
    def test_parts_with_a_gloss_for_the_first(self):
        text = said(filled, memcg_report(memcg_facts(100, stat_mib={"anon": 70, "kernel": 25, "sock": 1})))
        assert (
            text == "anonymous memory (the programs' own data) 70.0 MiB (70%), kernel memory 25.0 MiB (25%)"
        )

    def test_the_rest_is_named_where_it_is_large(self):
        text = said(filled, memcg_report(memcg_facts(100, stat_mib={"anon": 70, "kernel": 25})))
        assert text.endswith("unexplained 5.00 MiB (5%)")

    def test_by_the_table_or_the_slabs_alone(self):
        made = memcg_report(memcg_facts(100), task(1, 99))
        assert said(filled, made).startswith("by the task table alone: anonymous memory")
        assert filled(facts(made)).confidence == "likely"
        slabs = system_report(node_facts(None, None, slabs={"x": 5}))
        assert (
            said(filled, slabs)
            == "by the list of slabs alone: kernel memory (slab, page tables, stacks) 5.00 MiB (100%)"
        )

    def test_nothing(self):
        assert said(filled, report()) is None

    def test_evidence_is_the_statistics_that_count(self):
        lines = marks(
            ("stats", 3, "Memory cgroup stats"),
            ("stat-line", 4, "anon 5"),
            ("stat-line", 5, "file 0"),
            ("stat-line", 6, "pgfault 7"),
            ("stat-line", 7, "three words here"),
            ("usage", 2, "memory:"),
        )
        made = memcg_report(memcg_facts(100, stat_mib={"anon": 99}), marks=lines)
        assert [one.line for one in filled(facts(made)).evidence] == [3, 4]

    def test_allowed_nodes(self):
        node = node_facts(
            zones=[zone("Normal", 5, counters_bytes={"active_anon": 900 * MIB, "free": 5 * MIB})]
        )
        made = report(scope="cpuset", node=node, marks=marks(("zone", 8, "Node 0 Normal")))
        assert filled(facts(made)).evidence == ((8, "Node 0 Normal"),)
