"""``policy replay`` as a command: recordings of both kinds, policies of ours and of others."""

from __future__ import annotations

import io
import json
import os
import re
import sys

import jsonschema
import pytest

from memwarden.collect.signals import HEADER
from memwarden.present.replay_json import schema

PLAIN = '{"memory_pressure": {"threshold": "60%", "duration": "10s"}}'
LAB = "tests/roots/lab/6.12/single.rootar"


@pytest.fixture
def files(tmp_path):
    """A policy that kills after 10 s above 60 % of avg10, one that needs 5 % of memory, and a CSV."""
    (tmp_path / "plain.json").write_text(PLAIN)
    (tmp_path / "earlyoom").write_text('EARLYOOM_ARGS="-m 5"\n')
    # Above 60 from 20 s on, at 5 % of memory from 40 s on.
    rows = [
        f"{t},1000,{50 if t >= 40 else 300},0,0,{70 if t >= 20 else 0},{70 if t >= 20 else 0}"
        for t in range(60)
    ]
    (tmp_path / "x.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return tmp_path


def decided(ran):
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    jsonschema.validate(document, schema())
    return document


def test_somebody_would_be_killed_after_the_duration(cli, files):
    ran = cli("policy", "replay", files / "plain.json", files / "x.csv", "--format", "json")
    document = decided(ran)
    (policy,) = document["policies"]
    assert (policy["first_action_s"], policy["first_kill_s"], policy["victim"]) == (30.0, 30.0, None)
    first = policy["decisions"][0]
    assert (first["time_s"], first["acts"], first["kills"], first["intents"]) == (30.0, True, True, [])
    assert first["withheld"].startswith("somebody would be killed")
    assert document["recordings"][0] == {
        "name": str(files / "x.csv"), "kind": "signals", "host": None, "kernel": None, "wall_us": None,
        "snapshots": 60, "first_s": 0.0, "last_s": 59.0, "kernel_kills": [],
    }  # fmt: skip


def test_seconds_since_1970_are_dates_and_milliseconds_are_noticed(cli, files, monkeypatch):
    monkeypatch.chdir(files)
    header, *rows = (files / "x.csv").read_text().splitlines()
    for name, unit in (("s.csv", 1), ("ms.csv", 1000)):
        late = (line.partition(",") for line in rows)
        lines = [f"{(1_760_000_000 + int(time)) * unit},{rest}" for time, _, rest in late]
        (files / name).write_text("\n".join([header, *lines]) + "\n")
    ran = cli("policy", "replay", "plain.json", "s.csv", "--compare", "default")
    assert "\n2025-10-09 08:53:50  somebody would be killed\n" in ran.out
    assert "milliseconds" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    [note] = decided(cli("policy", "replay", "plain.json", "ms.csv", "--format", "json"))["notes"]
    assert note.startswith("ms.csv: time_s looks like milliseconds and is read as seconds")


def test_a_policy_that_does_nothing_is_one_of_several_in_80_columns(cli, files, monkeypatch):
    monkeypatch.chdir(files)
    name = f"{'a-policy-with-a-rather-long-name':-<48}.json"
    (files / name).write_text('{"io_pressure": "99%"}')
    ran = cli("policy", "replay", name, "x.csv", "--compare", name)
    assert f"policy 2: {name}: does nothing; of 1 rule none came true" in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 80


def test_what_cannot_be_expressed_is_said_with_the_policy_that_it_is_in(cli, files):
    (files / "earlyoom").write_text('EARLYOOM_ARGS="-m 5 -p"\n')
    (files / "n.conf").write_text("soft_threshold_min_mem = 8 %\nx = 1\n")
    ran = cli("policy", "replay", files / "earlyoom", "--compare", files / "n.conf", files / "x.csv")
    said = ran.err.splitlines()
    assert said[0] == f"memwarden: {files / 'earlyoom'}:1: -p: memwarden protects itself by its unit"
    assert said[1].startswith(f"memwarden: {files / 'n.conf'}:2: 'x' is no key of nohang's")


def test_a_recording_given_twice_is_played_once(cli, files):
    path, link = files / "x.csv", files / "y.csv"
    link.symlink_to(path)
    once = decided(cli("policy", "replay", files / "plain.json", path, "--format", "json"))
    words = ("policy", "replay", files / "plain.json", path, path, link, path, "--format", "json")
    again = decided(cli(*words))
    assert again.pop("notes") == [
        *once.pop("notes"),
        f"{path}: is given twice, and is played once",
        f"{link}: is the same file as {path}, and is played once",
    ]
    assert again == once


def test_two_recordings_that_are_alike_are_two(cli, files):
    (files / "y.csv").write_text((files / "x.csv").read_text())
    words = ("policy", "replay", files / "plain.json", files / "x.csv", files / "y.csv", "--format", "json")
    assert len(decided(cli(*words))["recordings"]) == 2


def test_two_policies_are_compared(cli, files):
    ran = cli("policy", "replay", files / "plain.json", "--compare", files / "earlyoom", files / "x.csv")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert "  30.0 s  somebody would be killed" in lines
    assert "  40.0 s  somebody would be killed" in lines
    table = lines[next(at for at, line in enumerate(lines) if line.startswith("POLICY")) :]
    assert table[0].split() == ["POLICY", "FIRST", "ACTION", "AT", "VICTIM", "DECISIONS"]
    assert [line.split()[1:5] for line in table[1:3]] == [
        ["30.0", "s", "kill", "somebody"],
        ["40.0", "s", "kill", "somebody"],
    ]
    assert ran.out.count("Nobody dies in a replay") == 1


def test_the_first_action_is_said_with_its_recording_where_there_are_several(cli, files, monkeypatch):
    """Each recording may begin at 0: a time of the second is no earlier than one of the first."""
    monkeypatch.chdir(files)
    (files / "calm.csv").write_text(f"{HEADER}\n0,1000,500,0,0,0,0\n1,1000,500,0,0,0,0\n")
    words = ("policy", "replay", "plain.json", "--compare", "earlyoom", "calm.csv", "x.csv")
    rows = [" ".join(line.split()) for line in cli(*words).out.splitlines()]
    assert any(row.startswith("plain.json recording 2: 30.0 s kill somebody") for row in rows)
    assert any(row.startswith("earlyoom recording 2: 40.0 s kill somebody") for row in rows)


def test_a_calm_archive_gives_nothing(cli):
    ran = cli("policy", "replay", "default", LAB)
    assert ran.code == 0
    assert ran.out.split()[:4] == [f"{LAB}:", "1", "snapshot,", "kernel"]
    assert re.search(r"^default: does nothing; of \d+ rules none came true\n\Z", ran.out, re.MULTILINE)


def test_what_cannot_be_seen_in_signals_is_named(cli, files):
    ran = cli("policy", "replay", "tests/guard/foreign/examples/desktop.json", files / "x.csv")
    assert "cannot fire on such signals: sessions stay usable" in ran.out
    assert "dump_cgroup_overview" in ran.err


def test_standard_input_once(cli, files):
    ran = cli("policy", "replay", "-", "-")
    assert (ran.code, ran.out) == (2, "")
    assert "can be read only once" in ran.err
    before = os.dup(0)
    try:
        with (files / "x.csv").open("rb") as file:
            os.dup2(file.fileno(), 0)
        ran = cli("policy", "replay", files / "plain.json", "-")
    finally:
        os.dup2(before, 0)
        os.close(before)
    assert "standard input: 60 snapshots over 59.0 s" in ran.out


@pytest.mark.parametrize(
    ("policy", "content", "message"),
    [
        ("plain.json", "Dear all,\n", "is neither a recording"),
        ("plain.json", HEADER + "\n5,1,1,0,0,0,0\n4,1,1,0,0,0,0\n", "x.csv:3: time_s 4 is not after"),
        ("none.toml", HEADER + "\n", "none.toml: cannot be opened"),
    ],
)
def test_what_is_wrong_is_one_sentence(cli, files, policy, content, message):
    (files / "x.csv").write_text(content)
    ran = cli("policy", "replay", files / policy, files / "x.csv")
    assert (ran.code, ran.out) == (3, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_progress_on_a_terminal(cli, files, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli("policy", "replay", files / "plain.json", files / "x.csv").code == 0
    assert "\r" + str(files / "x.csv") + ": snapshot 60" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[K")
