"""``restore``: what a killed guard left is undone, by a journal and a cgroup as files."""

from __future__ import annotations

import json
import os
from binascii import crc32
from errno import EACCES

import jsonschema
import pytest

from memwarden.cli import restore
from memwarden.host import undo
from memwarden.host.journal import Journal
from memwarden.present.restored import schema
from memwarden.present.wrap import wrap
from memwarden.state.intents import CgroupId, ProcessId


def said(text):
    return "\n".join(wrap(text, 80, rest="  ")) + "\n"


class Left:
    """What a guard left: a frozen and throttled cgroup, one that is gone, and a process that is gone."""

    def __init__(self, tmp_path):
        self.root = tmp_path / "cg"
        self.app = self.root / "app"
        self.app.mkdir(parents=True)
        (self.app / "cgroup.freeze").write_text("1\n")
        (self.app / "memory.high").write_text("104857600\n")
        self.state = str(tmp_path / "run")
        journal = Journal(self.state)
        target = CgroupId("/app", os.stat(self.app).st_ino)
        journal.begin(undo.HIGH, target, "max", "104857600")
        journal.begin(undo.FREEZE, target, "", "1")
        journal.begin(undo.FREEZE, CgroupId("/gone", 5), "", "1")
        journal.begin(undo.STOP, ProcessId(2**22 + 1, 5))
        journal.close()
        self.options = ("--run", self.state, "--cgroup-root", str(self.root))

    def files(self):
        return (self.app / "cgroup.freeze").read_text(), (self.app / "memory.high").read_text()


@pytest.fixture
def left(tmp_path):
    return Left(tmp_path)


def test_everything_is_undone_the_latest_first(cli, left):
    ran = cli("restore", *left.options)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"left as it is: pid {2**22 + 1}: it is gone",
        "left as it is: /gone: it is gone",
        "undone: /app was frozen",
        "undone: /app had memory.high 100 MiB, and max before",
    ]
    assert left.files() == ("0", "max")
    again = cli("restore", *left.options)
    assert again.out == said(f"nothing to restore: no change was left behind by a guard in {left.state}")


def test_names_of_cgroups_do_not_reach_the_terminal_as_they_are(cli, left):
    app, left.app = left.app, left.root / "a\x1b[2Jb"
    app.rename(left.app)
    journal = Journal(left.state)
    for entry in journal.pending():
        journal.done(entry)
    journal.begin(undo.FREEZE, CgroupId("/a\x1b[2Jb", os.stat(left.app).st_ino), "", "1")
    journal.begin(undo.FREEZE, CgroupId("/gone\x1b[2J", 5), "", "1")
    journal.close()
    assert cli("restore", *left.options).out.splitlines() == [
        r"left as it is: /gone\x1b[2J: it is gone",
        r"undone: /a\x1b[2Jb was frozen",
    ]


def test_a_dry_run_changes_nothing(cli, left):
    before = left.files()
    ran = cli("restore", "--dry-run", *left.options)
    assert "would be undone: /app was frozen" in ran.out.splitlines()
    assert left.files() == before
    assert "undone: /app was frozen" in cli("restore", *left.options).out.splitlines()


def test_the_document(cli, left):
    ran = cli("restore", "--format", "json", *left.options)
    document = json.loads(ran.out)
    jsonschema.validate(document, schema())
    assert [one["undone"] for one in document["changes"]] == [False, False, True, True]
    assert document["changes"][3]["was"] == "max"
    assert document["changes"][0]["pid"] == 2**22 + 1


def test_what_cannot_be_undone_is_said_and_kept(cli, left):
    (left.app / "cgroup.freeze").unlink()
    (left.app / "cgroup.freeze").mkdir()
    ran = cli("restore", *left.options)
    assert ran.code == 3
    assert "not undone: /app: Is a directory" in ran.out.splitlines()
    (left.app / "cgroup.freeze").rmdir()
    (left.app / "cgroup.freeze").write_text("1\n")
    ran = cli("restore", *left.options)
    assert (ran.code, ran.out) == (0, "undone: /app was frozen\n")


def test_while_a_guard_runs_nothing_is_undone(cli, left):
    guard = Journal(left.state)
    ran = cli("restore", *left.options)
    guard.close()
    assert ran.code == 3
    assert f"another guard runs here (pid {os.getpid()}, " in ran.err
    assert left.files() == ("1\n", "104857600\n")


def test_without_a_journal_there_is_nothing_to_restore(cli, tmp_path):
    ran = cli("restore", "--run", str(tmp_path))
    expected = said(f"nothing to restore: no change was left behind by a guard in {tmp_path}")
    assert (ran.code, ran.out) == (0, expected)
    assert list(tmp_path.iterdir()) == []


def test_by_default_a_missing_directory_is_no_mistake(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(restore, "DIRECTORY", str(tmp_path / "never"))
    ran = cli("restore")
    expected = said(f"nothing to restore: no change was left behind by a guard in {tmp_path / 'never'}")
    assert (ran.code, ran.out) == (0, expected)


@pytest.mark.parametrize("wrong", ["never", "file"])
def test_a_directory_that_is_none_is_not_believed_to_hold_nothing(cli, tmp_path, wrong):
    (tmp_path / "file").write_text("")
    ran = cli("restore", "--run", str(tmp_path / wrong))
    assert (ran.code, ran.out) == (3, "")
    assert f"{tmp_path / wrong}: " in ran.err
    assert "give the directory of the guard's --run" in ran.err
    assert not (tmp_path / "never").exists()


def test_who_may_not_look_is_not_told_that_nothing_was_left(cli, monkeypatch, left):
    def refused(path, **_):
        raise PermissionError(EACCES, "Permission denied", path)

    monkeypatch.setattr(restore.os, "stat", refused)
    ran = cli("restore", "--run", left.state)
    assert (ran.code, ran.out) == (3, "")
    assert f"{left.state}: may not be looked into; try with sudo" in ran.err


@pytest.mark.parametrize(
    ("journal", "lines"), [(b"garbage", 1), (b"\xff\x00\n1 high 5 /app max 7\nx\n", 3), (b"", 0)]
)
def test_a_journal_without_its_first_line_is_damaged(cli, tmp_path, journal, lines):
    (tmp_path / "undo").write_bytes(journal)
    tmp_path.chmod(0o700)
    out = cli("restore", "--run", str(tmp_path)).out
    assert (f"damaged lines in the journal: {lines};" in out) == bool(lines)


def test_a_journal_of_an_earlier_boot_is_void(cli, tmp_path):
    Journal(str(tmp_path / "run"), boot="8c9ed1c7").close()
    assert "damaged" not in cli("restore", "--run", str(tmp_path / "run")).out


def test_damaged_lines_are_counted(cli, left):
    with open(f"{left.state}/undo", "ab") as file:
        file.write(b"%08x something else\n" % (crc32(b"x")))
    assert "damaged lines in the journal: 1;" in cli("restore", *left.options).out


def test_hooks_and_stopped_processes_have_words(cli, tmp_path):
    journal = Journal(str(tmp_path / "run"))
    with open(f"/proc/{os.getppid()}/stat") as file:
        start = int(file.read().rpartition(")")[2].split()[19])
    journal.begin(undo.STOP, ProcessId(os.getppid(), start))
    journal.begin(undo.HOOK, ProcessId(os.getppid(), start))
    journal.close()
    options = ("--dry-run", "--run", str(tmp_path / "run"), "--cgroup-root", str(tmp_path))
    if os.getppid() == 1:
        pytest.skip("init started the tests")
    assert cli("restore", *options).out.splitlines() == [
        f"would be undone: pid {os.getppid()} is a hook that was still running",
        f"would be undone: pid {os.getppid()} was stopped",
    ]


def test_the_hierarchy_is_found_where_it_is_mounted(cli, left):
    ran = cli("restore", "--dry-run", "--run", left.state)
    if ran.code == 3:
        assert "no cgroup hierarchy with memory is mounted here" in ran.err
    else:
        assert "left as it is: /gone: it is gone" in ran.out.splitlines()
