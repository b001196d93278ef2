"""What every form shows."""

from __future__ import annotations

import pytest

from memwarden.postmortem.model import Cause, HostInfo, Source, When
from memwarden.postmortem.names import PARTS
from memwarden.postmortem.verdict import judge
from memwarden.present.colour import PLAIN
from memwarden.present.explain_page import COLOURS
from memwarden.present.explain_table import Brief, Groups, brief, summary_table
from memwarden.present.explain_view import CAUSES, line_list, view
from memwarden.present.svg import class_of
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    victim,
    zone,
)


def shown(made):
    return view(judge(made))


class TestPlace:
    def test_all_of_it(self):
        made = report(when=When(5_000_000, "Mar  4 02:17:41"), host=HostInfo("db4", "6.12.0"))
        assert shown(made).place == "kern.log, lines 1-99, Mar  4 02:17:41, host db4, kernel 6.12.0"

    def test_since_boot(self):
        assert shown(report(when=When(5_250_000))).place == "kern.log, lines 1-99, 5.250 s after boot"

    def test_one_line(self):
        assert shown(report(source=Source("x", 7, 7, complete=False))).place == "x, line 7"


class TestWhole:
    def test_a_limit_that_holds_the_usage(self):
        found = shown(memcg_report(memcg_facts(60, limit=64 * MIB, stat_mib={"anon": 60})))
        assert (found.whole_bytes, found.whole_name) == (64 * MIB, "the limit")

    def test_usage_above_the_limit_or_no_limit(self):
        above = shown(memcg_report(memcg_facts(70, limit=64 * MIB, stat_mib={"anon": 60})))
        assert (above.whole_bytes, above.whole_name) == (70 * MIB, "what was in use")
        assert shown(memcg_report(memcg_facts(70, limit=MAX, stat_mib={"anon": 60}))).whole_bytes == 70 * MIB

    def test_memory_and_swap(self):
        both = {"memsw_usage_bytes": 90 * MIB, "memsw_limit_bytes": 90 * MIB, "swap_limit_bytes": None}
        found = shown(memcg_report(memcg_facts(40, limit=64 * MIB, stat_mib={"rss": 40}, **both)))
        assert found.whole_bytes == 90 * MIB
        assert [bar.name for bar in found.bars] == ["swapped-out memory", "anonymous memory"]

    def test_the_machine_and_the_allowed_nodes(self):
        assert shown(system_report(node_facts(active_anon=5))).whole_name == "the machine's memory"
        assert shown(report(scope="cpuset", node=node_facts(zones=[zone("Normal", 1)]))).whole_name == (
            "the allowed nodes' memory"
        )
        assert shown(memcg_report(None)).whole_bytes is None


def test_small_bars_are_not_drawn():
    found = shown(memcg_report(memcg_facts(1000, stat_mib={"anon": 990, "kernel": 4, "sock": 6})))
    assert [bar.word for bar in found.drawn] == ["anon", "sockets"]


def test_ranking_puts_those_without_points_last():
    rows = (task(2, 10), task(3, 30), task(4, 99, -1000), task(5, 50, -1000))
    found = shown(memcg_report(memcg_facts(64), *rows, victims=(victim(3, 1),)))
    assert [(one.row.pid, one.is_victim) for one in found.ranking] == [
        (3, True),
        (2, False),
        (4, False),
        (5, False),
    ]


def test_a_choice_that_cannot_be_checked_is_said_once():
    made = memcg_report(memcg_facts(64), victims=(victim(2, 1),))
    sentences = [item.text for _, items in shown(made).sections for item in items]
    assert sum("no task table" in one for one in sentences) == 1


def test_a_choice_that_does_not_fit_is_said():
    made = memcg_report(memcg_facts(64), task(2, 1), task(3, 60), victims=(victim(2, 1),))
    assert any(
        "Checked, and it does not fit" in item.text for _, items in shown(made).sections for item in items
    )


@pytest.mark.parametrize(
    ("numbers", "text"), [((), ""), ((7,), "line 7"), ((1, 2, 3, 9), "lines 1-3, 9"), ((4, 6), "lines 4, 6")]
)
def test_line_numbers(numbers, text):
    assert line_list(numbers) == text


def test_every_cause_has_words_and_every_part_a_colour():
    assert set(CAUSES) == set(Cause.__args__)
    assert set(COLOURS) == {class_of(word) for word in (*PARTS, "free")}


def grouped(*briefs):
    groups = Groups()
    for one in briefs:
        groups.add(one)
    return groups


class TestTable:
    def one(self, where="a", cause="memcg-anon", comms=("x",)):
        return Brief(where, cause, "-", None, comms)

    def test_repeated_kills_are_drawn_together(self):
        found = grouped(self.one(), self.one("b"), self.one(comms=("y", "x")), self.one(cause="unknown"))
        assert [(group.range, group.kills, list(group.comms)) for group in found] == [
            ("1,3", 3, ["x", "y"]),
            ("2", 1, ["x"]),
            ("4", 1, ["x"]),
        ]

    @pytest.mark.parametrize(
        ("numbers", "text"), [([1], "1"), ([1, 2, 3], "1-3"), ([1, 3], "1,3"), ([1, 3, 9], "1,..9")]
    )
    def test_numbers_are_short(self, numbers, text):
        briefs = [self.one("here" if at in numbers else f"other{at}") for at in range(1, max(numbers) + 1)]
        assert next(group.range for group in grouped(*briefs) if group.first.where == "here") == text

    @pytest.mark.parametrize(
        ("made", "where"),
        [
            (memcg_report(None, task_path="/kubepods/pod1-2/" + 64 * "0"), "pod 1-2"),
            (memcg_report(None, task_path="/docker/" + 64 * "0"), "docker 000000000000"),
            (memcg_report(None, task_path="/x.slice/web.service"), "web.service"),
            (memcg_report(None, task_path="/a"), "/a"),
            (memcg_report(memcg_facts(64), task_path=None), "/a"),
            (system_report(None), "machine"),
            (report(), "-"),
        ],
    )
    def test_where(self, made, where):
        assert brief(judge(made)).where == where

    @pytest.mark.parametrize(
        ("when", "seen"),
        [
            (When(None, "2026-03-04T02:17:41.123456+01:00"), "2026-03-04 02:17:41"),
            (When(None, "2026-03-04T02:17:41,123456+01:00"), "2026-03-04 02:17:41"),
            (When(None, "Mar  4 02:17:41"), "Mar  4 02:17:41"),
            (When(5_600_000), "6 s"),
            (When(), "-"),
        ],
    )
    def test_seen(self, when, seen):
        assert brief(judge(report(when=when))).seen == seen

    def test_the_limit_is_the_cgroup_s(self):
        assert brief(judge(memcg_report(memcg_facts(64)))).limit == 64 * MIB
        assert brief(judge(memcg_report(None))).limit is None
        assert brief(judge(system_report(None, memcg=memcg_facts(64)))).limit is None

    def test_lines(self):
        lines = summary_table(
            grouped(self.one(), self.one(comms=("x", "y")), self.one("b", comms=())), 80, PLAIN
        )
        assert lines == [
            "3 OOM reports, 2 places and causes",
            "",
            "NO   KILLS  FIRST SEEN  WHERE  PROCESS  LIMIT  CAUSE",
            "1-2      3  -           a      x +1         -  memcg-anon",
            "3        0  -           b      -            -  memcg-anon",
        ]
        assert grouped(self.one()).title == "1 OOM report"
