"""Looks that read only what moved: the same as reading everything, where a limit holds or a page moved."""

from __future__ import annotations

import shutil

from memwarden.collect.focus import Focused
from memwarden.collect.glances import WHOLE_US
from memwarden.host.live import Live
from memwarden.testing.clock import ManualClock
from memwarden.units import MAX
from tests.collect.machines import machine

TOP = "sys/fs/cgroup"


class Watched:
    """A machine of two slices, looked at again and again."""

    def __init__(self, tmp_path, watched=lambda _path: False, keep=100):
        self.root = machine(tmp_path)
        self.root.write(f"{TOP}/cgroup.controllers", "memory\n")
        for path in ("a.slice", "a.slice/x", "a.slice/y", "b.slice", "b.slice/z"):
            self.group(path)
        self.clock = ManualClock(1_000_000, 0)
        self.source = Live(str(self.root.proc), str(self.root.path), keep=keep, clock=self.clock)
        self.focused = Focused(
            self.source, cgroup_root="/sys/fs/cgroup", marks=False, glance=True, watched=watched
        )

    def group(self, path, current=8192, anon=4096, **more):
        for name, content in {
            "cgroup.controllers": "memory\n",
            "memory.current": current,
            "memory.stat": {"anon": anon},
            "memory.max": "max\n",
            "memory.high": "max\n",
            "memory.events": {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0},
            "cgroup.events": {"populated": 1, "frozen": 0},
            **{name.replace("_", "."): content for name, content in more.items()},
        }.items():
            self.root.write(f"{TOP}/{path}/{name}", content)

    def look(self, us=100_000):
        self.clock.sleep_us(us)
        return self.focused.look().cgroups


def anon(cgroups, path):
    return cgroups[path].stat["anon"]


def test_what_moved_is_read_and_what_did_not_is_as_it_was(tmp_path):
    here = Watched(tmp_path)
    first = here.look()
    assert list(first) == ["/", "/a.slice", "/a.slice/x", "/a.slice/y", "/b.slice", "/b.slice/z"]
    here.group("a.slice", current=9000)
    here.group("a.slice/x", current=9000, anon=5000)
    here.root.write(f"{TOP}/a.slice/y/memory.stat", {"anon": 7})  # its usage is what it was
    here.root.write(f"{TOP}/b.slice/z/memory.stat", {"anon": 7})
    second = here.look()
    assert [anon(second, f"/{path}") for path in ("a.slice/x", "a.slice/y", "b.slice/z")] == [
        5000,
        4096,
        4096,
    ]
    assert second["/b.slice/z"] is first["/b.slice/z"]


def test_below_a_cgroup_that_did_not_move_nothing_is_looked_for(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.group("a.slice/x", current=9000, anon=5000)
    assert anon(here.look(), "/a.slice/x") == 4096


def test_everything_is_read_now_and_then(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.root.write(f"{TOP}/a.slice/x/memory.stat", {"anon": 7})
    here.group("a.slice/new")
    shutil.rmtree(here.root.path / TOP / "b.slice/z")
    assert "/a.slice/new" not in here.look()
    later = here.look(WHOLE_US)
    assert anon(later, "/a.slice/x") == 7
    assert "/a.slice/new" in later
    assert "/b.slice/z" not in later
    assert later["/b.slice"].children == ()


def test_who_is_held_by_a_limit_is_read_at_each_look(tmp_path):
    here = Watched(tmp_path)
    events = {"low": 0, "high": 5, "max": 0, "oom": 0, "oom_kill": 0}
    here.group("b.slice/z", memory_high=8192, memory_events=events)
    assert here.look()["/b.slice/z"].events["high"] == 5
    here.root.write(f"{TOP}/b.slice/z/memory.events", {**events, "high": 6})
    assert here.look()["/b.slice/z"].events["high"] == 6


def test_who_is_watched_by_name_is_read_at_each_look(tmp_path):
    here = Watched(tmp_path, watched=lambda path: path == "/b.slice/z")
    here.look()
    here.root.write(f"{TOP}/b.slice/z/memory.stat", {"anon": 7})
    assert anon(here.look(), "/b.slice/z") == 7


def test_a_limit_that_was_set_meanwhile_is_seen_with_the_next_whole_look(tmp_path):
    here = Watched(tmp_path)
    assert here.look()["/a.slice/x"].max_bytes == MAX
    here.root.write(f"{TOP}/a.slice/x/memory.max", 1 << 20)
    assert here.look()["/a.slice/x"].max_bytes == MAX
    assert here.look(WHOLE_US)["/a.slice/x"].max_bytes == 1 << 20


def test_a_cgroup_that_is_gone_makes_the_next_look_whole(tmp_path):
    # Files of a plain folder can be read when gone, those of a cgroup cannot: none is kept open here.
    here = Watched(tmp_path, keep=0)
    here.look()
    shutil.rmtree(here.root.path / TOP / "b.slice")
    here.look()
    assert "/b.slice" not in here.look()


def test_a_hierarchy_that_goes_is_looked_for_again(tmp_path):
    here = Watched(tmp_path)
    here.look()
    shutil.move(here.root.path / TOP, here.root.path / "elsewhere")
    here.focused = Focused(
        Live(str(here.root.proc), str(here.root.path), clock=here.clock),
        cgroup_root="/sys/fs/cgroup",
        glance=True,
    )
    assert here.look() == {}
    shutil.move(here.root.path / "elsewhere", here.root.path / TOP)
    assert "/a.slice/x" in here.look()
