"""Machine, recording and recorder answer alike: each has all that a source and a directory have."""

from __future__ import annotations

import os
import resource
import shutil

import pytest

from memwarden.collect.archive import Archive, ArchiveDirectory
from memwarden.collect.recorder import RecordedDirectory, Recorder
from memwarden.collect.rootar import Dir, File, Recorded
from memwarden.collect.source import Directory, Source
from memwarden.errors import ReadError
from memwarden.host.cgroup import CgroupDirectory
from memwarden.host.directory import OpenDirectory
from memwarden.host.live import Live


def members(protocol):
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("made", [Live, Archive, Recorder])
def test_sources(made):
    for name in members(Source) - {"name", "facts", "live"}:  # those are set when one is made
        assert callable(getattr(made, name)), name


@pytest.mark.parametrize("made", [CgroupDirectory, OpenDirectory, ArchiveDirectory, RecordedDirectory])
def test_directories(made):
    for name in members(Directory) - {"path", "inode"}:
        assert callable(getattr(made, name)), name


def directories(tmp_path):
    """The same directory ``/top`` with the file ``a`` and the directory ``below``, four times."""
    (tmp_path / "top/below").mkdir(parents=True)
    (tmp_path / "top/a").write_text("x")
    live = Live(str(tmp_path), str(tmp_path))
    entries = {"/top": Dir(1), "/top/a": File(b"x"), "/top/below": Dir(2)}
    return {
        "cgroup": live.cgroups("/top"),
        "process": live.processes().child("top"),
        "archive": Archive(Recorded(0, {}, entries), "x").cgroups("/top"),
        "recorder": Recorder(live).cgroups("/top"),
    }


@pytest.mark.parametrize("kind", ["cgroup", "process", "archive", "recorder"])
def test_they_answer_alike(tmp_path, kind):
    directory = directories(tmp_path)[kind]
    assert directory.read("a") == b"x"
    found = directory.read_all(["a", "b"])
    assert found[0] == b"x"
    assert isinstance(found[1], ReadError)
    assert found[1].errno_name == "ENOENT"
    [(name, inode)] = directory.subdirectories()
    assert (name, inode > 0) == ("below", True)
    assert directory.child("below").path.endswith("/below")
    assert directory.alive()
    with pytest.raises(ReadError) as caught:
        directory.child("none")
    assert caught.value.errno_name in ("ENOENT", "ENODATA")
    directory.release()


@pytest.mark.live
def test_a_kept_directory_that_was_made_anew_is_not_read_through(live_cgroup):
    (live_cgroup / "inner").mkdir()
    live = Live(keep=0)
    inner = live.cgroups(str(live_cgroup)).child("inner")
    inner.release()
    (live_cgroup / "inner").rmdir()
    (live_cgroup / "inner").mkdir()
    with pytest.raises(ReadError) as caught:
        inner.read("memory.stat")
    assert caught.value.errno_name == "ENODEV"
    live.close()


def test_a_cgroup_whose_descriptor_is_not_kept_is_looked_for_by_its_name(tmp_path):
    (tmp_path / "top/below/file").mkdir(parents=True)  # a living one is never empty
    child = Live(str(tmp_path), str(tmp_path), keep=0).cgroups("/top").child("below")
    child.release()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        assert child.alive()  # nobody knows: not a single file can be opened
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert child.alive()
    child.release()
    shutil.rmtree(tmp_path / "top/below")
    assert not child.alive()


def test_what_was_opened_on_the_way_to_a_cgroup_that_is_gone_is_closed(tmp_path):
    (tmp_path / "top/a/b/c").mkdir(parents=True)
    directory = Live(str(tmp_path), str(tmp_path), keep=0).cgroups("/top")
    chain = [directory := directory.child(name) for name in "abc"]
    for one in chain:
        one.release()
    open_before = os.listdir("/proc/self/fd")
    (tmp_path / "top/a/b").rename(tmp_path / "top/a/old")
    (tmp_path / "top/a/b").mkdir()
    for name, error in (("b", "ENODEV"), ("gone", "ENOENT")):  # another one of the name, and none
        (tmp_path / "top/a/b").rename(tmp_path / "top/a" / name)
        with pytest.raises(ReadError) as caught:
            chain[-1].read("memory.stat")
        assert caught.value.errno_name == error
        assert os.listdir("/proc/self/fd") == open_before
