"""Which files of cgroups stay open between looks: the usage of all first, then what is read again."""

from __future__ import annotations

import os

import pytest

from memwarden.host.live import Live

NAMES = ("memory.current", "memory.stat", "memory.high")


@pytest.fixture
def tree(tmp_path):
    for number in range(8):
        folder = tmp_path / "top" / f"c{number}"
        folder.mkdir(parents=True)
        for name in NAMES:
            (folder / name).write_text(f"{number}\n")
    return tmp_path


def kept(root):
    """The files below the tree that are open, each as its cgroup's name and its own."""
    found = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _there(fd)]
    files = [path.rsplit("/", 2)[1:] for path in found if path.startswith(f"{root}/top/") and path[-2] != "c"]
    return sorted(f"{group}/{name}" for group, name in files)


def _there(fd):
    return os.path.lexists(f"/proc/self/fd/{fd}")


def read(live, numbers, names=NAMES):
    """One look at some cgroups."""
    for number in numbers:
        directory = live.cgroups("/top").child(f"c{number}")
        assert directory.read_all(names) == [b"%d\n" % number for _ in names]
        directory.release()


def test_at_first_the_usage_then_what_changes_then_all_else(tree):
    live = Live(str(tree), str(tree), keep=100)
    read(live, [0])
    assert kept(tree) == ["c0/memory.current"]
    read(live, [0])
    assert kept(tree) == ["c0/memory.current", "c0/memory.stat"]
    read(live, [0])
    assert kept(tree) == ["c0/memory.current", "c0/memory.high", "c0/memory.stat"]
    live.close()
    assert kept(tree) == []


def test_a_frugal_reader_keeps_no_limits_open(tree):
    live = Live(str(tree), str(tree), keep=100, hot_only=True)
    for _ in range(4):
        read(live, [0])
    assert kept(tree) == ["c0/memory.current", "c0/memory.stat"]
    live.close()


ROOM = 15
"""The root and four directories, until half is left; eight usages, and two for others."""


def test_everybodys_usage_is_open_before_anybodys_statistics(tree):
    live = Live(str(tree), str(tree), keep=ROOM, hot_only=True)
    read(live, range(8))
    assert kept(tree) == [f"c{number}/memory.current" for number in range(8)]
    read(live, [5])
    assert "c5/memory.stat" in kept(tree)
    live.close()


def test_an_eighth_is_for_others_than_the_usage(tree):
    live = Live(str(tree), str(tree), keep=8, hot_only=True)  # the root and two directories, and four usages
    read(live, range(8))
    assert kept(tree) == [f"c{number}/memory.current" for number in range(4)]
    read(live, [7])
    assert kept(tree)[-1] == "c7/memory.stat"
    live.close()


def test_when_there_is_no_room_the_statistics_of_who_was_first_are_closed(tree):
    live = Live(str(tree), str(tree), keep=ROOM, hot_only=True)
    read(live, range(8))
    for numbers in ([0, 1], [2], [3], [2], [3]):
        read(live, numbers)
    stats = [path for path in kept(tree) if path.endswith("stat")]
    assert stats == ["c2/memory.stat", "c3/memory.stat"]  # of those that are read now
    usages = [path for path in kept(tree) if path.endswith("current")]
    assert usages == [f"c{number}/memory.current" for number in range(8)]
    live.close()


def test_without_being_frugal_who_was_first_stays(tree):
    live = Live(str(tree), str(tree), keep=ROOM)
    read(live, range(8))
    for numbers in ([0, 1], [2], [3]):
        read(live, numbers)
    assert [path for path in kept(tree) if path.endswith("stat")] == ["c0/memory.stat", "c1/memory.stat"]
    live.close()


def test_what_may_not_be_kept_at_all_is_read_all_the_same(tree):
    live = Live(str(tree), str(tree), keep=0, hot_only=True)
    for _ in range(3):
        read(live, range(8))
    assert kept(tree) == []
    live.close()


def test_a_file_that_is_longer_than_most_is_read_whole_while_it_is_open(tree):
    long = "".join(f"figure{number} {number}\n" for number in range(600))
    assert len(long) > 8000
    (tree / "top" / "c0" / "memory.stat").write_text(long)
    live = Live(str(tree), str(tree), keep=100)
    for _ in range(3):
        directory = live.cgroups("/top").child("c0")
        assert directory.read_all(NAMES) == [b"0\n", long.encode(), b"0\n"]
        assert directory.read("memory.stat") == long.encode()
        directory.release()
    assert "c0/memory.stat" in kept(tree)
    live.close()
