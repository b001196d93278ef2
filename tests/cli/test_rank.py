"""The verb ``rank`` on recordings of real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from memwarden.present import rank_json

ROOTS = Path(__file__).parent.parent / "roots" / "lab"
GROUP = ROOTS / "6.12" / "group-ancestor.rootar"
GLOBAL = ROOTS / "5.10" / "global-adj.rootar"


def test_a_cgroup(cli):
    ran = cli("rank", "--root", GROUP, "--cgroup", "/t")
    assert (ran.code, ran.err) == (0, "")
    assert "If /t ran out of memory now (limit 96.0 MiB" in ran.out
    assert "memory.oom.group is set on /t: b (" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert "\x1b" not in ran.out


def test_the_machine_is_the_default(cli):
    ran = cli("rank", "--root", GLOBAL)
    assert ran.out == cli("rank", "--root", GLOBAL, "--system").out
    assert "If the machine ran out of memory now" in ran.out
    assert "for oom_score_adj 600 = " in " ".join(ran.out.split())


@pytest.mark.parametrize(
    "recording", sorted(ROOTS.glob("*/*.rootar")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_json_of_every_recording_is_what_the_schema_says(cli, recording):
    for words in ((), ("--cgroup", "/t")):
        ran = cli("rank", "--root", recording, "--format", "json", *words)
        assert ran.code == 0
        document = json.loads(ran.out)
        jsonschema.validate(document, rank_json.schema())
        assert document["outcome"] in {"kill", "no-victim"}


def test_top(cli):
    ran = cli("rank", "--root", GROUP, "--cgroup", "t", "--top", "1")
    assert "... and 2 more candidates; --top 0 shows all" in ran.out
    assert "more candidate" not in cli("rank", "--root", GROUP, "--cgroup", "t", "--top", "0").out


def test_colour_when_asked(cli):
    assert "\x1b[" in cli("rank", "--root", GROUP, "--color", "always").out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--top", "-1"), 2, "--top: give a number of candidates"),
        (("--cgroup", "/nowhere", "--root", GROUP), 3, "/nowhere: no such cgroup"),
        (("--cgroup", "/t", "--system"), 2, "not allowed with argument"),
        (("--root", "/nonexistent.rootar"), 3, "/nonexistent.rootar"),
    ],
)
def test_what_cannot_be_done(cli, words, code, sentence):
    ran = cli("rank", *words)
    assert ran.code == code
    assert sentence in ran.err
    assert ran.out == ""


def test_without_meminfo_the_weight_of_adj_is_unknown(cli, tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (x) S 1 7 7 0 -1 0" + " 0" * 43 + "\n")
    ran = cli("rank", "--proc", tmp_path, "--cgroup-root", tmp_path)
    assert ran.code == 3
    assert "meminfo" in ran.err
