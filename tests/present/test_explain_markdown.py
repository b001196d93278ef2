"""The Markdown form: what a log says has no effect as markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.postmortem.verdict import judge
from memwarden.present import explain_markdown
from memwarden.present.explain_markdown import block, plain
from tests.postmortem.verdict_reports import marks, memcg_facts, memcg_report, report, task, victim

HOSTILE = "[x](http://evil) <script> `a` | **b** @all #1 $x$ \x1b[31m\n# head"


def text(*words):
    return "".join(explain_markdown.text(*words))


@given(st.text())
def test_special_characters_are_escaped_and_none_is_lost(name):
    shown = plain(name)
    assert "\n" not in shown
    if name.isascii() and name.isprintable():
        kept, escaped = "", False
        for character in shown:
            if character == "\\" and not escaped:
                escaped = True
                continue
            assert escaped or character not in "`*_{}[]<>#|~!@&$"
            kept, escaped = kept + character, False
        assert kept == name


@pytest.mark.parametrize(("line", "fence"), [("a", "```"), ("a ``` b", "````"), ("`````", "``````")])
def test_a_fence_is_longer_than_what_it_holds(line, fence):
    assert block([line], "sh") == [f"{fence}sh", line, fence]


def test_hostile_names():
    made = memcg_report(
        memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}, oom_path=f"/{HOSTILE}"),
        task(1, 30, comm=HOSTILE),
        task(2, 5, comm=HOSTILE),
        victims=(victim(1, 30, comm=HOSTILE),),
        task_path=f"/{HOSTILE}",
        marks=marks(("kill", 9, f"{HOSTILE} ```")),
    )
    shown = text([judge(made)] * 4)
    assert "\x1b" not in shown
    outside, inside = [], None
    for line in shown.split("\n"):
        bare = line.strip()
        if inside is None and bare.startswith("```"):
            inside = bare.rstrip("sh")
        elif inside is not None and bare == inside:
            inside = None
        elif inside is None:
            outside.append(line)
    assert inside is None
    loose = "\n".join(outside).replace("\\<", "").replace("\\[", "").replace("\\`", "")
    assert "<script" not in loose
    assert "[x]" not in loose
    assert "`a`" not in loose


def test_what_there_is_nothing_of_is_left_out():
    shown = text([judge(report())])
    for heading in ("Where the memory was", "Why this process", "What to do", "Log lines"):
        assert heading not in shown


def test_none_found():
    assert text([]) == "No OOM report found.\n"


def test_numbers_and_table():
    assert text([judge(report())]).startswith("## An OOM report without its kill line")
    assert text([judge(report())] * 2).startswith("## 1 of 2: ")
    assert text([judge(report())] * 4).startswith("# 4 OOM reports\n\n| No | Kills |")


def test_a_victim_without_points_stands_in_bold():
    made = memcg_report(memcg_facts(64), task(1, 30), task(2, 5, None), victims=(victim(1, 30),))
    assert "| **p1** (killed) |" in text([judge(made)])
