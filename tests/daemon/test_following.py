"""Which cgroups the guard listens to: those that its policy names, while they are there."""

from __future__ import annotations

import os
from errno import ENODEV

import pytest

from memwarden.daemon.following import ABSENT_US, EVERY_US, KILLS, MOST, Follower
from memwarden.guard import ir
from memwarden.guard.watched import heeded
from tests.guard.ticks import group, tick

POLICY = ir.Policy(
    "p",
    (
        ir.Rule(
            "a",
            (
                ir.Group("g", (ir.Stall(50_000, cgroups=("db.service",), kind="some"), ir.Stall(1))),
                ir.Group("h", (ir.Events("max", cgroups=("/a/b",)), ir.Events("high"))),
            ),
            (),
        ),
    ),
)


class Ears:
    """Notes what it is told to listen to."""

    def __init__(self):
        self.stalls, self.files = {}, []

    def watch_stalls(self, root, wanted):
        self.root, self.stalls = root, dict(wanted)

    def watch_events(self, files):
        for file in self.files:
            file.close()
        self.files = list(files)


@pytest.fixture
def machine(tmp_path):
    def made(*paths, at_us=1):
        for path in paths:
            (tmp_path / path).mkdir(parents=True, exist_ok=True)
            (tmp_path / path / "memory.events").write_text("high 0\nmax 0\noom 0\noom_kill 0\n")
        groups = [
            group(f"/{path}", inode=os.stat(tmp_path / path).st_ino, events={"oom_kill": 0}) for path in paths
        ]
        return tick(at_us, group("/"), *groups, cgroup_root=str(tmp_path))

    return made


def test_what_a_policy_names_is_listened_to_and_kills_of_all(machine, tmp_path):
    ears = Ears()
    follower = Follower(ears, heeded(POLICY))
    found = machine("a", "a/b", "a/db.service", "a/c")
    follower.heed(found)
    assert ears.root == str(tmp_path)
    [(path, inode, resource, kind)] = ears.stalls
    assert (path, resource, kind) == ("/a/db.service", "memory", "some")
    assert inode == found.cgroups["/a/db.service"].inode
    assert ears.stalls[path, inode, resource, kind] == (50_000, 1_000_000)
    assert [file._counters for file in ears.files] == [KILLS | {"high"}, {"max"}]
    before = ears.files
    for file, rises in zip(before, (("oom_kill 1\n", True), ("oom 1\n", False)), strict=True):
        os.pwrite(os.open(f"/proc/self/fd/{file.fileno()}", os.O_WRONLY), b"high 0\nmax 0\n", 0)
        (tmp_path / ("a" if file is before[0] else "a/b") / "memory.events").write_text(rises[0])
        assert file.rose() is rises[1]


def test_they_are_looked_for_now_and_then(machine):
    ears = Ears()
    follower = Follower(ears, heeded(POLICY))
    follower.heed(machine("a"))
    follower.heed(machine("a", "a/db.service", at_us=EVERY_US))
    assert ears.stalls == {}
    follower.heed(machine("a", "a/db.service", at_us=EVERY_US + 1))
    assert len(ears.stalls) == 1
    files = ears.files
    follower.heed(machine("a", at_us=2 * EVERY_US + 1))
    assert ears.stalls == {}
    assert ears.files is files  # nothing changed for them


def test_who_is_gone_or_made_anew_meanwhile_is_left_out(machine, tmp_path):
    ears = Ears()
    seen = machine("a", "b", "c")
    (tmp_path / "a" / "memory.events").unlink()
    (tmp_path / "a").rmdir()
    (tmp_path / "b").rename(tmp_path / "old")
    (tmp_path / "b").mkdir()
    (tmp_path / "c" / "memory.events").unlink()
    Follower(ears, heeded(POLICY)).heed(seen)
    assert ears.files == []


def test_who_is_removed_while_it_is_opened_costs_no_descriptor(machine, monkeypatch):
    seen = machine("a")
    before = os.listdir("/proc/self/fd")

    def gone(fd, size, offset):
        raise OSError(ENODEV, os.strerror(ENODEV))

    monkeypatch.setattr(os, "pread", gone)
    ears = Ears()
    Follower(ears, heeded(POLICY)).heed(seen)
    assert ears.files == []
    assert os.listdir("/proc/self/fd") == before


def test_a_service_that_is_not_there_is_looked_for(machine):
    follower = Follower(Ears(), heeded(POLICY))
    assert follower.due(ABSENT_US)
    follower.heed(machine("a", at_us=ABSENT_US))
    assert not follower.due(2 * ABSENT_US - 1)
    assert follower.due(2 * ABSENT_US)
    follower.heed(machine("a", "a/db.service", at_us=2 * ABSENT_US))
    assert not follower.due(9 * ABSENT_US)
    follower.heed(machine("a", at_us=9 * ABSENT_US))
    assert follower.due(10 * ABSENT_US)
    assert not Follower(Ears(), heeded(ir.Policy("p", ()))).due(ABSENT_US)


def test_there_is_a_bound(machine):
    ears = Ears()
    Follower(ears, heeded(POLICY)).heed(machine(*(f"{n}" for n in range(MOST + 3))))
    assert len(ears.files) == MOST


def test_without_events_there_is_nothing_to_listen_to(machine):
    ears = Ears()
    seen = machine("a")
    cgroups = {path: one._replace(events=None) for path, one in seen.cgroups.items()}
    Follower(ears, heeded(POLICY)).heed(seen._replace(cgroups=cgroups))
    assert ears.files == []


def test_who_could_not_be_listened_to_is_tried_again(machine, tmp_path, monkeypatch):
    """As when no descriptor is free for a while."""
    ears, opened = Ears(), os.open

    def none_left(path, *words, **more):
        if path == "memory.events":
            raise OSError(24, "Too many open files")
        return opened(path, *words, **more)

    follower = Follower(ears, heeded(POLICY))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", none_left)
        follower.heed(machine("a"))
    assert ears.files == []
    follower.heed(machine("a", at_us=1 + EVERY_US))
    assert len(ears.files) == 1
