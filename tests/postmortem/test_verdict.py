"""The whole verdict: the summary, the names, the points of the rows."""

from __future__ import annotations

import pytest

from memwarden.postmortem.model import Container, KubernetesPod
from memwarden.postmortem.verdict import judge
from memwarden.state.traits import BadnessRule
from memwarden.units import KIB, MAX, MIB
from tests.postmortem.verdict_reports import (
    GFP_KERNEL,
    PAGES,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    traits,
    victim,
    with_invoker,
    zone,
)

ID = "0123456789ab" + 52 * "0"
POD = "/kubepods/burstable/pod1-2"
SHORT = zone("Normal", 10)
FRAGMENTS = zone("Normal", 100, free_list={4 * KIB: 9}, free_types={4 * KIB: "U"})
FULL = memcg_facts(64, stat_mib={"anon": 60, "kernel": 4})


class TestSummary:
    @pytest.mark.parametrize(
        ("made", "text"),
        [
            (
                memcg_report(FULL),
                ("p1 (pid 1) in cgroup /a was killed: the cgroup's memory limit of 64.0 MiB was full, "
                "mostly with anonymous memory (93%)."),
            ),
            (
                memcg_report(FULL, victims=(victim(1), victim(2), victim(1)), task_path="/"),
                ("p1 (pid 1) and 1 more were killed: the memory limit of 64.0 MiB of cgroup /a was full, "
                "mostly with anonymous memory (93%)."),
            ),
            (
                memcg_report(memcg_facts(64)),
                ("p1 (pid 1) in cgroup /a was killed: the cgroup's memory limit of 64.0 MiB was full, "
                "the text does not say with what."),
            ),
            (
                memcg_report(memcg_facts(64, stat_mib={"anon": 10, "kernel": 4})),
                ("p1 (pid 1) in cgroup /a was killed: the cgroup's memory limit of 64.0 MiB was full, "
                "most of it (78%) in nothing that the report shows."),
            ),
            (
                memcg_report(FULL, victims=(), no_killable=True),
                ("Nobody was killed: the cgroup's memory limit of 64.0 MiB was full, mostly with "
                "anonymous memory "
                "(93%), and no process there may be killed."),
            ),
            (
                memcg_report(FULL, victims=()),
                ("An OOM report without its kill line: the cgroup's memory limit of 64.0 MiB was full, "
                "mostly with anonymous memory (93%)."),
            ),
            (
                system_report(node_facts(1000, slab_unreclaimable=700), victims=(), panic=True),
                ("Nobody was killed, the machine stopped (panic): the memory of the whole machine was full, "
                "mostly with kernel memory (70%)."),
            ),
            (
                system_report(None, victims=(), no_killable=True),
                ("Nobody was killed: the memory of the whole machine was full, the text does not say "
                "with what, and no "
                "process may be killed (none is left, or all are exempt)."),
            ),
            (
                report(victims=(), no_killable=True),
                ("Nobody was killed: memory was full, the text does not say with what, and no process "
                "may be killed "
                "(none is left, or all are exempt)."),
            ),
            (
                system_report(None, task(1, 9), victims=(victim(1),)),
                (
                    "p1 (pid 1) was killed: the memory of the whole machine was full, mostly with "
                    "anonymous memory."
                ),
            ),
            (
                system_report(node_facts(zones=[SHORT]), manual=True),
                "p1 (pid 1) was killed: somebody asked for it by hand (SysRq-F); nothing had run out.",
            ),
            (
                with_invoker(memcg_report(memcg_facts(4, limit=MAX), constraint="CONSTRAINT_X"), gfp_mask=0),
                (
                    "p1 (pid 1) in cgroup /a was killed: a policy program loaded into the kernel asked "
                    "for it; no limit was hit."
                ),
            ),
            (
                with_invoker(system_report(node_facts(active_anon=900, zones=[FRAGMENTS])), order=3),
                (
                    "p1 (pid 1) was killed: memory was free, but not 32.0 KiB in one piece (order 3) "
                    "where the request may take it."
                ),
            ),
            (
                system_report(node_facts(2048, zones=[SHORT, zone("HighMem", 900)])),
                ("p1 (pid 1) was killed: memory up to zone Normal, all that the request can use, ran "
                "out while other "
                "memory was free."),
            ),
            (
                report(scope="cpuset", mems_allowed="1", victims=(victim(1),)),
                ("p1 (pid 1) was killed: the NUMA nodes that a cpuset allows (1) could not serve a "
                "request, whatever "
                "others had free."),
            ),
            (
                report(scope="mempolicy", victims=(victim(1),)),
                ("p1 (pid 1) was killed: the NUMA nodes that a memory policy allows could not serve a "
                "request, whatever "
                "others had free."),
            ),
            (
                with_invoker(system_report(node_facts(zones=[zone("Normal", 300)])), gfp_mask=0),
                "p1 (pid 1) was killed: a kill raised by mistake, from a page fault, while memory was free.",
            ),
            (
                report(victims=(victim(1),)),
                "p1 (pid 1) was killed: the text holds too little to say what ran out.",
            ),
            (
                system_report(node_facts(1024, free=700, zones=[zone("Normal", 700, min_bytes=1 << 60)])),
                ("p1 (pid 1) was killed: more than half of the machine's memory was free when this "
                "was printed, but its "
                "watermarks forbade the use of it."),
            ),
            (
                system_report(node_facts(1024, free=700, zones=[zone("Normal", 700)])),
                (
                    "p1 (pid 1) was killed: more than half of the machine's memory was free when this "
                    "was printed."
                ),
            ),
        ],
    )  # fmt: skip
    def test_in_one_sentence(self, made, text):
        assert judge(made).verdict.summary == text


class TestNames:
    def test_container_of_a_pod_with_the_pod_s_limit(self):
        made = memcg_report(memcg_facts(64, oom_path=POD), task_path=f"{POD}/{ID}")
        incident = judge(made)
        assert incident.container == Container("unknown", ID)
        assert incident.kubernetes == KubernetesPod("burstable", "1-2", "pod")
        assert incident.unit is None

    def test_the_level_is_that_of_the_limit(self):
        made = memcg_report(memcg_facts(64, oom_path="/kubepods"), task_path=f"{POD}/{ID}")
        assert judge(made).kubernetes == KubernetesPod("burstable", "1-2", "node-allocatable")
        outside = memcg_report(memcg_facts(64, oom_path="/lxc/x"), task_path=f"/lxc/x{POD}/{ID}")
        assert judge(outside).kubernetes.level == "container"

    def test_a_machine_wide_kill_names_the_container_s_level(self):
        assert judge(system_report(None, task_path=f"{POD}/{ID}")).kubernetes.level == "container"

    def test_without_the_victim_s_path_the_owner_is_what_is_known(self):
        made = memcg_report(memcg_facts(64, oom_path="/system.slice/web.service"), task_path=None)
        assert judge(made).unit == "web.service"

    def test_nothing_is_known(self):
        incident = judge(report())
        assert (incident.unit, incident.container, incident.kubernetes) == (None, None, None)
        assert incident.verdict.filled_by == ()
        assert incident.verdict.filled_of_bytes is None


class TestPoints:
    def points(self, made):
        return {row.pid: row.badness_pages for row in judge(made).tasks}

    def test_rows_get_the_kernel_s_points(self):
        # 64 MiB: one point of adj is 16 pages.
        rows = (
            task(2, 10, 300, pgtables_bytes=8192),
            task(3, 20),
            task(4, 9, -1000),
            task(5, 1, rss_pages=None),
        )
        found = self.points(memcg_report(memcg_facts(64), *rows))
        assert found == {2: 10 * PAGES + 2 + 300 * 16, 3: 20 * PAGES, 4: None, 5: None}

    def test_unknown_swap_leaves_rows_with_adj_open(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        assert self.points(memcg_report(facts, task(2, 10, 300), task(3, 20))) == {2: None, 3: 20 * PAGES}

    def test_an_unknown_total_leaves_rows_with_adj_open(self):
        assert self.points(memcg_report(memcg_facts(None), task(2, 10, 300), task(3, 20))) == {
            2: None,
            3: 20 * PAGES,
        }

    def test_a_root_bonus_that_nobody_prints(self):
        rule = traits(BadnessRule.UNSIGNED_ROOT_BONUS)
        made = memcg_report(memcg_facts(64), task(2, 10, uid=0), task(3, 20), traits=rule)
        assert self.points(made) == {2: None, 3: 20 * PAGES}

    def test_thousandths_are_no_pages(self):
        made = memcg_report(memcg_facts(64), task(3, 20), traits=traits(BadnessRule.PERMILLE))
        assert self.points(made) == {3: None}


def test_what_filled_it_ends_with_the_rest_and_the_free():
    node = node_facts(1000, active_anon=600, slab_unreclaimable=100, free=50)
    verdict = judge(with_invoker(system_report(node), gfp_mask=GFP_KERNEL)).verdict
    assert verdict.filled_by == (
        ("anon", 600 * MIB), ("kernel", 100 * MIB), ("unexplained", 250 * MIB), ("free", 50 * MIB),
    )  # fmt: skip
    assert verdict.filled_of_bytes == 1000 * MIB


def test_the_check_stands_in_the_verdict():
    verdict = judge(memcg_report(memcg_facts(64), task(2, 30), task(3, 1), victims=(victim(2),))).verdict
    assert verdict.choice_checked is True
    assert verdict.choice_note == "the scores recomputed from the table name the same process"
