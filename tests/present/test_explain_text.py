"""The text form: fits its width, shows no control character, colours only what it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present import explain_text
from memwarden.present.colour import Paint
from memwarden.present.text import cells
from tests.postmortem.verdict_reports import marks, memcg_facts, memcg_report, report, task, victim

LAB = sorted((Path(__file__).parent.parent / "golden" / "lab").glob("*/*.kmsg"))
HOSTILE = "e\x1b[31m\r\x9b\u202e<b>`|\n" + 30 * "語"


def text(*words):
    return "".join(explain_text.text(*words))


def judged(path):
    return [judge(one) for one in find_reports([path.read_bytes()], file=path.name)]


def commands(incidents):
    return {f"     {step.command}" for one in incidents for step in one.verdict.advice}


@pytest.mark.parametrize("width", [40, 80, 132])
def test_everything_but_commands_fits(width):
    for path in LAB:
        incidents = judged(path)
        for line in text(incidents, width).split("\n"):
            assert cells(line) <= width or line in commands(incidents), (path, line)


def test_narrower_than_forty_is_forty():
    incidents = judged(LAB[0])
    assert text(incidents, 5) == text(incidents, 40)


def hostile():
    made = memcg_report(
        memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}, oom_path=f"/{HOSTILE}"),
        task(1, 30, comm=HOSTILE),
        task(2, 40, -1000, comm=HOSTILE),
        victims=(victim(1, 30, comm=HOSTILE),),
        task_path=f"/{HOSTILE}",
        marks=marks(("kill", 9, HOSTILE), ("task", 1001, HOSTILE)),
    )
    return judge(made)


def test_no_control_character_reaches_the_terminal():
    shown = text([hostile()] * 5)
    assert "\\x1b[31m\\x0d\\x9b\\u202e<b>`|\\x0a" in shown.replace("\n", "").replace("         ", "")
    assert all(character == "\n" or character.isprintable() for character in shown)


def test_colour_only_repeats_what_the_text_says():
    incidents = [hostile()] * 5
    painted = text(incidents, 80, Paint(enabled=True))
    plain = text(incidents)
    for code in ("1", "2", "31", "36", "1;31"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted.replace("\x1b[0m", "") == plain
    assert "\x1b" not in plain


def test_one_incident_has_no_number_and_several_do():
    first = text(judged(LAB[0])[:1])
    assert not first.startswith("[1 of")
    two = text([judge(report()), judge(report())])
    assert two.startswith("[1 of 2] An OOM report without its kill line")
    assert "\n[2 of 2] " in two


def test_more_than_three_have_a_table_first():
    assert text([judge(report())] * 4).startswith("4 OOM reports, 1 place and cause\n")
    assert text([]) == ""


def test_the_first_lines_say_it_all():
    made = memcg_report(memcg_facts(64, stat_mib={"anon": 60, "kernel": 4}), task(1, 60))
    assert text([judge(made)]).split("\n")[:2] == [
        "p1 (pid 1) in cgroup /a was killed: the cgroup's memory limit of 64.0 MiB was",
        "full, mostly with anonymous memory (93%).",
    ]


def test_a_ranking_keeps_the_victim_in_sight():
    rows = [task(pid, 60 - pid) for pid in range(2, 12)]
    made = memcg_report(memcg_facts(64), *rows, victims=(victim(11, 1),))
    shown = text([judge(made)])
    assert "p11  <- killed" in shown
    assert "and 4 smaller" in shown


def test_unknown_has_no_sureness():
    assert "Cause    unknown: the text holds too little\n" in text([judge(report())])
