"""Owners and attributes of cgroups: read when asked for, recorded, and absent in older recordings."""

from __future__ import annotations

import io
import os
from errno import EACCES, ENODATA, EOPNOTSUPP

import pytest

from memwarden.collect import rootar
from memwarden.collect.archive import Archive
from memwarden.collect.record import Schedule, record
from memwarden.collect.snapshot import Collector
from memwarden.host import files
from memwarden.host.live import Live
from memwarden.kernel import cgroup_marks
from memwarden.state.gaps import Gap, GapReason
from memwarden.testing.clock import ManualClock
from tests.collect.machines import CGROUP, collector, machine, snapshot


@pytest.fixture
def root(tmp_path):
    made = machine(tmp_path)
    made.add_cgroup("/a", CGROUP)
    made.add_cgroup("/b", CGROUP)
    mark(made, "a", "user.oomd_avoid", b"1")
    mark(made, "a", "user.oomd_omit", b"no")
    mark(made, "a", "user.oomd_ooms", b"3")
    return made


def mark(root, name, attribute, value):
    try:
        os.setxattr(root.cgroup / name, attribute, value)
    except OSError as error:
        pytest.skip(f"this file system takes no extended attributes: {error.strerror}")


def test_they_are_read_on_request(root):
    taken = snapshot(root, marks=True)
    assert taken.cgroups["/a"].owner_uid == os.getuid()
    assert taken.cgroups["/a"].marks == ("user.oomd_avoid", "user.oomd_omit=")
    assert taken.cgroups["/b"].marks == ()


def test_otherwise_nothing_of_them_is_touched(root, monkeypatch):
    touched = []
    monkeypatch.setattr(files, "marks", touched.append)
    taken = snapshot(root)
    assert touched == []
    assert (taken.cgroups["/a"].owner_uid, taken.cgroups["/a"].marks) == (None, None)
    assert [gap for gap in taken.gaps if cgroup_marks.FILE in gap.path] == []


def test_a_later_snapshot_sees_a_new_mark(root):
    with collector(root, marks=True) as taker:
        assert taker.snapshot().cgroups["/b"].marks == ()
        mark(root, "b", "user.oomd_prefer", b"1")
        assert taker.snapshot().cgroups["/b"].marks == ("user.oomd_prefer",)
        os.removexattr(root.cgroup / "b", "user.oomd_prefer")
        assert taker.snapshot().cgroups["/b"].marks == ()


def test_a_recording_has_them(root):
    out = io.BytesIO()
    source = Live(str(root.proc), str(root.path))
    [taken] = record(source, out, ManualClock(), Schedule(), cgroup_root="/sys/fs/cgroup")
    source.close()
    [again] = rootar.read(io.BytesIO(out.getvalue()), "x")
    cgroups = Collector(Archive(again, "x"), marks=True).snapshot().cgroups
    assert cgroups["/a"].marks == taken.cgroups["/a"].marks == ("user.oomd_avoid", "user.oomd_omit=")
    assert cgroups["/a"].owner_uid == os.getuid()


def test_an_older_recording_does_not(root):
    out = io.BytesIO()
    source = Live(str(root.proc), str(root.path))
    list(record(source, out, ManualClock(), Schedule(), cgroup_root="/sys/fs/cgroup"))
    source.close()
    [again] = rootar.read(io.BytesIO(out.getvalue()), "x")
    older = {path: entry for path, entry in again.entries.items() if cgroup_marks.FILE not in path}
    assert len(older) < len(again.entries)
    taken = Collector(Archive(again._replace(entries=older), "x"), marks=True).snapshot()
    assert (taken.cgroups["/a"].owner_uid, taken.cgroups["/a"].marks) == (None, None)
    assert Gap("/sys/fs/cgroup/a/@marks", GapReason.NO_FILE) in taken.gaps


@pytest.mark.live
def test_a_real_cgroup_keeps_them(live_cgroup):
    for attribute in ("user.oomd_avoid", "trusted.oomd_prefer"):
        os.setxattr(live_cgroup, attribute, b"1")
    source = Live()
    taken = Collector(source, with_processes=False, marks=True).snapshot()
    source.close()
    found = taken.cgroups[f"/{live_cgroup.name}"]
    assert (found.owner_uid, found.marks) == (os.getuid(), ("trusted.oomd_prefer", "user.oomd_avoid"))


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """``files.marks`` of a directory whose attributes give an error."""

    def read(*, listing=None, value=None):
        def names(fd):
            if listing is not None:
                raise OSError(listing, "x")
            return ["user.oomd_avoid"]

        def get(fd, name):
            raise OSError(value, "x")

        monkeypatch.setattr(os, "listxattr", names)
        monkeypatch.setattr(os, "getxattr", get)
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            return files.marks(fd)
        finally:
            os.close(fd)

    return read


def test_a_file_system_without_attributes_has_owners(failing):
    assert failing(listing=EOPNOTSUPP) == b"uid %d\n" % os.getuid()


def test_a_mark_that_is_taken_away_meanwhile_is_none(failing):
    assert failing(value=ENODATA) == b"uid %d\n" % os.getuid()


def test_other_errors_are_errors(failing):
    for errors in ({"listing": EACCES}, {"value": EACCES}):
        with pytest.raises(PermissionError):
            failing(**errors)


def test_a_hostile_value_cannot_add_a_line(root):
    mark(root, "b", "user.oomd_avoid", b"0\nuser.oomd_omit 1")
    assert snapshot(root, marks=True).cgroups["/b"].marks == ("user.oomd_avoid=",)
