"""The check of the kernel's choice, with the totals and the points worked out by hand."""

from __future__ import annotations

import pytest

from memwarden.postmortem.choice import check, selected_row
from memwarden.postmortem.choice_rank import may_be_chosen, scored, task_memory
from memwarden.postmortem.choice_total import UNBOUNDED_PAGES, Total, narrowed, total_pages
from memwarden.state.traits import BadnessRule, KernelTraits
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    PAGES,
    UNSIGNED,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    traits,
    victim,
    zone,
)


class TestTotal:
    def test_cgroup_without_swap(self):
        assert total_pages(memcg_report(memcg_facts(64))) == Total(16384, 16384)

    def test_cgroup_whose_swap_is_limited_and_the_machine_s_unknown(self):
        found = total_pages(memcg_report(memcg_facts(64, swap_limit_bytes=16 * MIB)))
        assert (found.low, found.high) == (16384, 16384 + 4096)
        assert not found.exact
        assert "swap" in found.why

    def test_cgroup_whose_swap_has_no_limit(self):
        found = total_pages(memcg_report(memcg_facts(64, swap_limit_bytes=MAX)))
        assert (found.low, found.high) == (16384, None)
        assert found.ends == (16384, UNBOUNDED_PAGES)

    def test_old_reports_of_a_cgroup_show_the_machine_s_swap(self):
        made = memcg_report(memcg_facts(64, swap_limit_bytes=MAX), node=node_facts(1024, swap_mib=96))
        assert (total_pages(made).low, total_pages(made).high) == (16384, 16384 + 24576)

    def test_v1_limits_memory_and_swap_together(self):
        facts = memcg_facts(64, swap_limit_bytes=None, memsw_limit_bytes=80 * MIB)
        assert total_pages(memcg_report(facts)).high == 20480

    def test_v1_memory_and_swap_rounded_below_memory(self):
        facts = memcg_facts(64, swap_limit_bytes=None, memsw_limit_bytes=63 * MIB)
        assert total_pages(memcg_report(facts)) == Total(16384, 16384)

    def test_without_swap_accounting_all_swap_counts(self):
        assert total_pages(memcg_report(memcg_facts(64, swap_limit_bytes=None))).high is None

    def test_a_limit_that_is_not_there(self):
        assert total_pages(memcg_report(None)) is None
        assert total_pages(memcg_report(memcg_facts(64, limit=MAX))) is None
        assert total_pages(memcg_report(memcg_facts(None))) is None

    def test_machine(self):
        node = node_facts(1100, swap_mib=100, reserved=76)
        assert total_pages(system_report(node)) == Total(1124 * PAGES, 1124 * PAGES)

    def test_machine_whose_swap_lines_were_cut(self):
        found = total_pages(system_report(node_facts(1024, swap_mib=None)))
        assert (found.low, found.high) == (1024 * PAGES, None)

    def test_machine_whose_size_was_cut(self):
        assert total_pages(system_report(node_facts(None))) is None
        assert total_pages(system_report(None)) is None

    def test_some_nodes(self):
        node = node_facts(2048, swap_mib=100, zones=[zone("Normal", 1)])
        found = total_pages(report(scope="cpuset", node=node))
        assert (found.low, found.high) == (100 * PAGES, 2148 * PAGES)
        assert total_pages(report(scope="mempolicy", node=node_facts(None))) is None


class TestNarrowed:
    def test_the_printed_score_gives_the_total_back(self):
        # 10718 pages scored 1046: 10718 * 1000 / 1046 = 10246.6 pages, within 4 percent of error.
        found = narrowed(Total(5120, None, "why"), 10718, 0, 1046)
        assert found.low == 10718 * 1000 * 96 // (1047 * 100)
        assert found.high == 10718 * 1000 * 104 // (1046 * 100)

    def test_a_total_can_follow_from_the_score_alone(self):
        assert narrowed(None, 1000, 100, 300).high == 1000 * 1000 * 104 // (200 * 100)

    def test_what_the_limits_say_stays_where_it_is_tighter(self):
        assert narrowed(Total(10000, 10000), 10000, 0, 1000) == Total(10000, 10000)

    def test_a_score_that_contradicts_is_of_another_row(self):
        assert narrowed(Total(100, 200), 10000, 0, 1000) == Total(100, 200)

    def test_a_score_that_says_nothing(self):
        assert narrowed(None, 1000, 300, 300) is None
        assert narrowed(None, 0, 0, 300) is None


class TestRows:
    @pytest.mark.parametrize(
        ("fields", "can"),
        [
            ({}, True),
            ({"adj": -1000}, False),
            ({"adj": -999}, True),
            ({"adj": None, "oom_adj": -17}, False),
            ({"adj": None, "oom_adj": -16}, True),
            ({"tgid": 1}, False),
        ],
    )
    def test_who_may_be_chosen(self, fields, can):
        assert may_be_chosen(task(9, 1, **fields)) is can

    def test_init_may_not(self):
        assert not may_be_chosen(task(1, 1))

    def test_page_tables_count_in_whole_pages(self):
        assert task_memory(task(9, 1, pgtables_bytes=8191), 4096).pgtables_pages == 1
        assert task_memory(task(9, 1, pgtables_bytes=None), 4096).pgtables_pages is None

    def test_rows_without_memory_are_left_out(self):
        made = memcg_report(memcg_facts(64), task(7, 1, rss_pages=None), task(8, 1), task(9, 1, -1000))
        assert [one.row.pid for one in scored(made, Total(16384, 16384), BadnessRule.SIGNED)] == [8]


class TestCheck:
    """A cgroup of 64 MiB without swap: 16384 pages, one point of oom_score_adj is 16 pages."""

    def outcome(self, *rows, died=2, facts=None, **fields):
        return check(memcg_report(facts or memcg_facts(64), *rows, victims=(victim(died, 1),), **fields))

    def test_the_biggest(self):
        found = self.outcome(task(2, 30), task(3, 10))
        assert found.checked is True
        assert found.selected.row.pid == 2
        assert found.runner_up.row.pid == 3
        assert [one.row.pid for one in found.ranking] == [2, 3]

    def test_alone(self):
        found = self.outcome(task(2, 30))
        assert found.checked is True
        assert found.runner_up is None

    def test_adj_decides(self):
        # 30 MiB are 7680 points; 10 MiB and 300: 2560 + 300 * 16 = 7360; and 330: 7840.
        assert self.outcome(task(2, 30), task(3, 10, 300)).checked is True
        found = self.outcome(task(2, 30), task(3, 10, 330))
        assert found.checked is None  # 160 pages ahead: less than counters may lag
        assert found.leader.row.pid == 3
        found = self.outcome(task(2, 30), task(3, 10, 400))
        assert found.checked is False

    def test_a_thousand_pages_make_adj_weightless(self):
        facts = memcg_facts(3)
        assert self.outcome(task(2, 2), task(3, 0.1, 1000), facts=facts).checked is True

    def test_unknown_swap_that_does_not_matter(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        assert self.outcome(task(2, 30, 500), task(3, 10, 300), facts=facts).checked is True

    def test_unknown_swap_that_decides(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        found = self.outcome(task(2, 30), task(3, 10, 300), facts=facts)
        assert found.checked is None
        assert "how much swap" in found.note

    def test_unknown_swap_is_bounded_from_above(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        found = self.outcome(task(2, 30), task(3, 10, 200), task(4, 1, 300), facts=facts)
        # Equal points at a total of 7424 * 1000 / 300 = 24746 pages (p4 before p3): 8362 above the limit.
        assert found.note.endswith("the choice fits with less than 32.7 MiB of swap")

    def test_unknown_swap_is_bounded_from_below(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        found = self.outcome(task(2, 10, 300), task(3, 30), facts=facts)
        # 5120 pages of lead over 300 of adj: equal at 17066 pages, 682 above the limit.
        assert found.checked is None
        assert found.note.endswith("the choice fits with at least 2.66 MiB of swap")

    def test_without_a_limit_all_memory_is_bounded(self):
        found = self.outcome(task(2, 30), task(3, 10, 5), facts=memcg_facts(None))
        # 5120 pages over 5: equal at 1024000 pages, 4000 MiB.
        assert found.note.endswith("the choice fits with less than 3.91 GiB of memory and swap in all")

    def test_thousandths_may_be_too_coarse(self):
        rule = traits(BadnessRule.PERMILLE)
        facts = memcg_facts(64, swap_limit_bytes=200 * MIB)
        rows = (task(2, 30.0), task(3, 30.02))
        found = self.outcome(*rows, facts=facts, traits=rule)
        assert found.checked is None
        assert found.note.endswith("scores in thousandths are too coarse to tell")

    def test_unknown_swap_cannot_save_a_wrong_choice(self):
        facts = memcg_facts(64, swap_limit_bytes=MAX)
        assert self.outcome(task(2, 10), task(3, 30, 300), facts=facts).checked is False

    def test_without_a_limit_equal_adj_can_be_checked(self):
        facts = memcg_facts(None)
        assert self.outcome(task(2, 30), task(3, 10), facts=facts).checked is True
        found = self.outcome(task(2, 30), task(3, 10, 5), facts=facts)
        assert found.checked is None
        assert "how much memory counted" in found.note

    def test_ties_go_to_the_last_visited(self):
        found = self.outcome(task(3, 30), task(2, 30))
        assert (found.checked, found.by_order) == (True, True)
        found = self.outcome(task(2, 30), task(3, 30))
        assert (found.checked, found.by_order) == (None, True)

    def test_ties_went_to_the_first_before_5_9(self):
        assert self.outcome(task(2, 30), task(3, 30), traits=UNSIGNED).checked is True
        assert self.outcome(task(3, 30), task(2, 30), traits=UNSIGNED).checked is None
        said = KernelTraits(badness=BadnessRule.UNSIGNED, last_of_equals=True, basis=UNSIGNED.basis)
        assert self.outcome(task(3, 30), task(2, 30), traits=said).checked is True

    def test_all_of_them_below_one_point(self):
        # -998 takes 15968 pages off everybody: unsigned points are 1 for all, the first is taken.
        found = self.outcome(task(2, 0.1, -998), task(3, 60, -998), traits=UNSIGNED)
        assert found.checked is True
        assert "more than any of them holds" in found.note

    def test_a_release_that_is_not_named_is_not_held_against_the_kernel(self):
        rows = (task(2, 0.1, -998), task(3, 60, -998))
        found = self.outcome(*rows, traits=None)
        assert found.checked is None
        assert "before 5.9" in found.note
        assert self.outcome(*rows, traits=KernelTraits()).checked is None
        assert self.outcome(task(2, 1), task(3, 60), traits=None).checked is False

    def test_root_bonus_leaves_bounds(self):
        rule = traits(BadnessRule.UNSIGNED_ROOT_BONUS)
        # 30 MiB less 3 percent are 29.1: 29.5 may win or lose, 29 may not.
        assert self.outcome(task(2, 30, uid=0), task(3, 29.5), traits=rule).checked is None
        found = self.outcome(task(2, 30, uid=0), task(3, 29), traits=rule)
        assert found.checked is True
        assert found.selected.open
        assert not self.outcome(task(2, 30), task(3, 29), traits=rule).selected.open

    def test_tables_before_3_7_hide_swap(self):
        rows = (task(2, 30, swap_pages=None), task(3, 20, swap_pages=None))
        rule = traits(BadnessRule.UNSIGNED_ROOT_ADJ)

        def outcome(node):
            return check(system_report(node, *rows, victims=(victim(2, 1),), traits=rule))

        assert outcome(node_facts(1024, swap_mib=100, swap_free_mib=100)).checked is True
        assert outcome(node_facts(1024, swap_mib=100, swap_free_mib=95, pagetables=1)).checked is True
        found = outcome(node_facts(1024, swap_mib=100, swap_free_mib=60))
        assert found.checked is None
        assert "does not list everything" in found.note
        assert outcome(node_facts(1024, swap_mib=None)).checked is None

    def test_printed_choice_is_what_was_scored(self):
        made = memcg_report(
            memcg_facts(64),
            task(2, 30),
            task(3, 1),
            chosen=(2, "p2", 468),
            victims=(victim(3, 1),),
            traits=UNSIGNED,
        )
        assert check(made).checked is True
        assert selected_row(made).pid == 2

    def test_a_thread_stands_for_its_process(self):
        made = memcg_report(memcg_facts(64), task(8, 30, tgid=2), victims=(victim(2, 1),))
        assert selected_row(made).pid == 8

    def test_exempt_by_the_table_but_dead(self):
        found = self.outcome(task(2, 30, -1000), task(3, 10))
        assert found.checked is False
        assert "could not be chosen" in found.note

    @pytest.mark.parametrize(
        ("made", "why"),
        [
            (memcg_report(memcg_facts(64)), "no task table"),
            (memcg_report(memcg_facts(64), task(1, 1, rss_pages=None)), "damaged"),
            (memcg_report(memcg_facts(64), task(1, 1), traits=traits(BadnessRule.LEGACY)), "2.6.36"),
            (memcg_report(memcg_facts(64), task(5, 1)), "does not list the victim"),
            (memcg_report(memcg_facts(64), task(5, 1), victims=()), "nobody was chosen"),
            (
                system_report(node_facts(64), task(2, 1), victims=(victim(2, 1, via="allocating-task"),)),
                "without comparing",
            ),
        ],
    )
    def test_what_cannot_be_checked(self, made, why):
        found = check(made)
        assert found.checked is None
        assert why in found.note


def test_before_2_6_36_no_row_has_points():
    assert scored(memcg_report(memcg_facts(64), task(9, 1)), None, BadnessRule.LEGACY) == ()
