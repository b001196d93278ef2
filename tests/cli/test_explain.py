"""The verb explain: inputs, forms, exit codes, and one clear sentence for everything that goes wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest

import memwarden
from memwarden.cli import explain
from memwarden.host import kernel_log
from memwarden.host.logs import Log

SAMPLES = Path(memwarden.__file__).parent / "samples"
SAMPLE = SAMPLES / "cgroup-limit.log"


class Stream(io.StringIO):
    """A standard stream that is a terminal, or is not."""

    def __init__(self, *, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def test_a_file(cli):
    ran = cli("explain", SAMPLE)
    assert ran.code == 0
    assert ran.out.startswith("a (pid ")
    assert "Died     " in ran.out
    assert ran.err == ""


def test_several_files_in_order(cli):
    ran = cli("explain", SAMPLES / "whole-machine.log", SAMPLE, "--format", "json")
    found = json.loads(ran.out)["incidents"]
    assert [Path(one["source"]["file"]).name for one in found] == ["whole-machine.log", "cgroup-limit.log"]


def test_standard_input(cli, monkeypatch):
    for words in (("explain", "-"), ("explain",)):
        with SAMPLE.open("rb") as file:
            kept = os.dup(0)
            os.dup2(file.fileno(), 0)
            try:
                monkeypatch.setattr("sys.stdin", Stream(terminal=False))
                ran = cli(*words)
            finally:
                os.dup2(kept, 0)
                os.close(kept)
        assert ran.code == 0
        assert "standard input, lines 2-" in ran.out


def test_a_terminal_waits_for_nobody(cli, monkeypatch):
    monkeypatch.setattr("sys.stdin", Stream(terminal=True))
    ran = cli("explain")
    assert ran.code == 2
    assert ran.err == "memwarden: which log? Name a file, - for standard input, --live or --journal\n"


def test_live_and_journal(cli, monkeypatch):
    def log(name):
        return lambda: Log(name, iter([SAMPLE.read_bytes()]), [])

    monkeypatch.setattr(kernel_log, "live", log("the kernel log"))
    monkeypatch.setattr(kernel_log, "journal", log("the journal"))
    found = json.loads(cli("explain", "--live", "--journal", "--format", "json").out)["incidents"]
    assert [one["source"]["file"] for one in found] == ["the kernel log", "the journal"]


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("json", '{\n  "schema": "memwarden.explain/1"'),
        ("markdown", "## a (pid "),
        ("html", "<!DOCTYPE html>"),
    ],
)
def test_forms(cli, form, start):
    ran = cli("explain", SAMPLE, "--format", form)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(start)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_log_that_a_windows_shell_redirected(cli, tmp_path, encoding):
    text = ("" if encoding == "utf-16" else "\ufeff") + Path(SAMPLE).read_text().replace("\n", "\r\n")
    (tmp_path / "oom.log").write_bytes(text.encode(encoding))
    ran = cli("explain", tmp_path / "oom.log")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == cli("explain", SAMPLE).out.splitlines()[0]


def test_into_a_file(cli, tmp_path):
    out = tmp_path / "oom.html"
    ran = cli("explain", SAMPLE, "--format", "html", "-o", out)
    assert (ran.code, ran.out) == (0, "")
    assert out.read_text().startswith("<!DOCTYPE html>")
    again = cli("explain", SAMPLE, "-o", out)
    assert again.code == 3
    assert "exists already" in again.err
    assert cli("explain", SAMPLE, "-o", out, "--force", "--color", "always").code == 0
    assert out.read_text().startswith("a (pid ")  # a file gets no colour and 80 columns


def test_colour_when_asked_for(cli):
    assert "\x1b[" in cli("explain", SAMPLE, "--color", "always").out
    assert "\x1b[" not in cli("explain", SAMPLE).out


def test_width_of_the_terminal(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert max(len(line) for line in cli("explain", SAMPLE).out.split("\n")) > 80


def test_compressed(cli, tmp_path):
    packed = tmp_path / "kern.log.2"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert "Died     " in cli("explain", packed).out


def test_what_was_cut_off_is_said(cli, tmp_path):
    packed = tmp_path / "kern.log.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes())[:-20])
    ran = cli("explain", packed)
    assert ran.code == 0
    assert ran.err.startswith(f"memwarden: {packed}: ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; there is nothing to explain"),
        (b"one line, no end", "no OOM report found in 1 line. If a process was killed"),
        (b"one\ntwo\n", "no OOM report found in 2 lines."),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_no_report_is_no_failure(cli, tmp_path, content, sentence, form):
    log = tmp_path / "x.log"
    log.write_bytes(content)
    ran = cli("explain", log, "--format", form)
    assert ran.code == 0
    assert ran.err.startswith(f"memwarden: {log}: {sentence}")
    if form == "json":
        assert json.loads(ran.out) == {"schema": "memwarden.explain/1", "incidents": []}
    if form == "text":
        assert ran.out == ""


def test_what_cannot_be_read(cli, tmp_path):
    missing = cli("explain", SAMPLE, tmp_path / "missing")
    assert missing.code == 3
    assert missing.out == ""  # nothing is printed before every input is open
    assert "missing: cannot be opened" in missing.err
    folder = cli("explain", tmp_path)
    assert folder.code == 3
    assert "is a directory" in folder.err
    binary = tmp_path / "core"
    binary.write_bytes(b"\x7fELF" + bytes(5000))
    assert cli("explain", binary).code == 3


def test_an_unknown_format_is_a_usage_error(cli):
    assert cli("explain", SAMPLE, "--format", "xml").code == 2


def test_progress_only_on_a_terminal(monkeypatch):
    monkeypatch.setattr(explain, "PROGRESS_BYTES", 10)
    for terminal, text in ((True, "\r0 MiB read\r" + " " * 24 + "\r"), (False, "")):
        stream = Stream(terminal=terminal)
        monkeypatch.setattr("sys.stderr", stream)
        list(explain._incidents_of(Log("x", iter([b"a" * 12, b"b\n"]), [])))
        said = stream.getvalue().partition("memwarden: ")[0]
        assert said == text


def test_what_the_text_is_like_is_said(cli, tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(SAMPLE.read_bytes() + b"x" * (1 << 20) + b"yz\n")
    ran = cli("explain", log)
    assert ran.code == 0
    assert "Died     " in ran.out
    lines = SAMPLE.read_bytes().count(b"\n") + 1
    assert ran.err == f"memwarden: {log}: line {lines} is longer than 1 MiB: only its first 1 MiB was read\n"


def test_a_name_that_a_terminal_would_obey_is_spelled_out(cli, tmp_path):
    (tmp_path / "a\x1b[2J").write_text("nothing\n")
    ran = cli("explain", tmp_path / "a\x1b[2J")
    assert "\x1b" not in ran.err
    assert "/a\\x1b[2J: no OOM report found" in ran.err
