"""``status`` over recordings of real kernels, checked against the text in them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

from memwarden.cli import main, status
from memwarden.present.status_json import schema

ROOTS = Path(__file__).parent.parent / "roots" / "lab"
RECORDINGS = sorted(ROOTS.glob("*/*.rootar"))
PARENT = ROOTS / "6.12" / "parent.rootar"
V1_UNLIMITED = b"9223372036854771712"
"""``PAGE_COUNTER_MAX`` pages of 4 KiB."""


def recorded(path, root, name):
    """A number, or ``max``, of every file of this name in an archive, by cgroup; without our parsers."""
    pattern = rb"^FILE \d+ %b(/\S*|)/%b\n(max|\d+)$" % (root.encode(), re.escape(name.encode()))
    return {
        unquote(cgroup) or "/": None if value in (b"max", V1_UNLIMITED) else int(value)
        for cgroup, value in re.findall(pattern, path.read_bytes(), re.MULTILINE)
    }


def document(cli, *words):
    ran = cli("status", "--format", "json", *words)
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


def test_there_are_recordings_of_four_kernels():
    assert {path.parent.name for path in RECORDINGS} >= {"5.10", "6.1", "6.12", "7.2"}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_figures_are_those_of_the_recording(cli, path):
    text = path.read_bytes()
    v1 = path.parent.name.endswith("-v1")
    root = "/sys/fs/cgroup/memory" if v1 else "/sys/fs/cgroup"
    usage = recorded(path, root, "memory.usage_in_bytes" if v1 else "memory.current")
    limits = recorded(path, root, "memory.limit_in_bytes" if v1 else "memory.max")
    available = int(re.search(rb"^MemAvailable: +(\d+) kB$", text, re.MULTILINE)[1]) * 1024
    found = {row["path"]: row for row in document(cli, "--root", path)["cgroups"]}
    assert found.keys() == {"/", *usage}
    for name, current in usage.items():
        chain = [name[:end] for end in range(2, len(name) + 1) if name[end : end + 1] in ("/", "")]
        own = {one: limits[one] for one in chain if limits.get(one) is not None}
        assert found[name]["usage_bytes"] == current
        assert found[name]["effective_limit_bytes"] == min(own.values(), default="max")
        assert limits.get(found[name]["limited_by"]) == min(own.values(), default=None)
        # Least of limit - usage on the way up, and of what is available of the machine.
        rooms = [limit - usage[one] for one, limit in own.items()]
        assert found[name]["headroom_bytes"] == min([*rooms, available])


@pytest.mark.parametrize("path", RECORDINGS[::7], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_document_is_what_the_schema_says(cli, path):
    jsonschema.validate(document(cli, "--root", path), schema())


@pytest.mark.parametrize("kernel", ["5.10", "6.1", "6.12", "7.2"])
def test_the_screen_of_a_limit_hit_at_the_parent(cli, golden, kernel):
    ran = cli("status", "--root", ROOTS / kernel / "parent.rootar")
    assert (ran.code, ran.err) == (0, "")
    golden(f"status/{kernel}-parent.txt", ran.out)


def test_a_subtree_by_either_name(cli):
    below = document(cli, "/t/y", "--root", PARENT)["cgroups"]
    assert [row["path"] for row in below] == ["/t/y", "/t/y/z", "/t/y/w"]
    for name in ("t/y", "/t/y/", "/sys/fs/cgroup/t/y"):
        assert document(cli, name, "--root", PARENT)["cgroups"] == below


def test_a_cgroup_that_is_not_there_is_met_with_the_nearest_name(cli):
    ran = cli("status", "/t/yy", "--root", PARENT)
    assert ran.code == 3
    assert ran.err == (
        "memwarden: /t/yy: no such cgroup below /sys/fs/cgroup (did you mean /t/y?); "
        "memwarden status --flat lists them\n"
    )


def test_top_and_sort(cli):
    rows = document(cli, "--root", PARENT, "--flat", "--sort", "usage", "--top", "2")["cgroups"]
    assert [row["path"] for row in rows] == ["/t", "/t/x"]
    text = cli("status", "--root", PARENT, "--top", "2").out
    assert "\n... and 4 more cgroups; --top 0 shows all\n" in text


@pytest.mark.parametrize("field", status.SORT_KEYS)
def test_every_sort_key_sorts(cli, field):
    assert cli("status", "--root", PARENT, "--sort", field).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--watch", "0"], "--watch: give a number of seconds above 0"),
        (["--watch", "inf"], "--watch: give a number of seconds above 0"),
        (["--watch", "soon"], "argument --watch: invalid float value: 'soon'"),
        (["--top", "-1"], "--top: give a number of cgroups, 0 for all"),
        (["--sort", "size"], "argument --sort: invalid choice: 'size'"),
        (["--proc", "/elsewhere"], "--root reads a recording and --proc a machine; give one of them"),
    ],
)
def test_wrong_options(cli, words, says):
    ran = cli("status", "--root", PARENT, *words)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty, not a recording"),
        (b"not an archive\n", "not a recording of memwarden"),
        (b"memwarden-root 9\n", "written by a newer memwarden"),
    ],
)
def test_a_file_that_is_no_recording(cli, tmp_path, content, says):
    path = tmp_path / "x.rootar"
    path.write_bytes(content)
    ran = cli("status", "--root", path)
    assert (ran.code, ran.out) == (3, "")
    assert str(path) in ran.err
    assert says in ran.err


def test_a_root_that_is_not_there(cli, tmp_path):
    ran = cli("status", "--root", tmp_path / "none.rootar")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    ran = cli("status", "--proc", tmp_path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)


def two_snapshots(tmp_path):
    """The recording, and five seconds later the same with a kill and four more times at the limit."""
    body, end, count = PARENT.read_bytes().rpartition(b"END ")
    assert end
    events = re.search(rb"^FILE \d+ /sys/fs/cgroup/t/memory\.events\n((?:\w+ \d+\n)+)", body, re.MULTILINE)[1]
    later = re.sub(rb"(?m)^max (\d+)$", lambda one: b"max %d" % (int(one[1]) + 4), events)
    later = re.sub(rb"(?m)^oom_kill (\d+)$", lambda one: b"oom_kill %d" % (int(one[1]) + 1), later)
    clock = int(re.search(rb"FACT taken_monotonic_us (\d+)", body)[1])
    changed = b"/sys/fs/cgroup/t/memory.events"
    paths = [one for one in re.findall(rb"(?m)^(?:FILE|DIR|ERR) \w+ (/\S*)$", body) if one != changed]
    path = tmp_path / "two.rootar"
    path.write_bytes(
        body
        + b"SNAP 1 %d\n" % (clock + 5_000_000)
        + b"FILE %d %b\n%b\n" % (len(later), changed, later)
        + b"".join(b"SAME %b\n" % one for one in paths)
        + b"END %d\n" % (int(count) + 2 + len(paths))
    )
    return path


def test_watching_a_recording_shows_every_snapshot_and_events_since_the_last(cli, tmp_path):
    path = two_snapshots(tmp_path)
    ran = cli("status", "--root", path, "--watch", "1", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    first, second = (json.loads(line) for line in ran.out.splitlines())
    [row] = [row for row in second["cgroups"] if row["path"] == "/t"]
    assert (row["events_oom_kill"], row["events_max"], row["events_high"]) == (1, 4, 0)
    assert second["host"]["monotonic_us"] - first["host"]["monotonic_us"] == 5_000_000
    text = cli("status", "--root", path, "--watch", "1").out
    assert text.count("CGROUP") == 2
    assert "kill 1 max 4" in text


class FakeTerminal:
    def __init__(self, stream):
        self.stream = stream

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self.stream, name)


def test_a_terminal_is_cleared_between_looks_and_holds_what_fits(cli, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(status.common, "height", lambda: 12)
    monkeypatch.setenv("TERM", "dumb")
    path = two_snapshots(tmp_path)
    monkeypatch.setattr(sys, "stdout", FakeTerminal(sys.stdout))
    assert main.run(["status", "--root", str(path), "--watch", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count(status.CLEAR) == 2
    assert "more cgroups; --top 0 shows all" in out
    assert "\x1b[1m" not in out


def test_watching_this_machine_waits_between_looks(cli, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", sleep)
    ran = cli("status", "--watch", "2.5", "--top", "1")
    assert (ran.code, ran.err) == (130, "")
    assert waited == [2.5, 2.5]
    assert ran.out.count("CGROUP") == 2


def test_colour_when_asked_for(cli):
    assert "\x1b[31;1m" in cli("status", "--root", PARENT, "--color", "always").out
    assert "\x1b" not in cli("status", "--root", PARENT).out
