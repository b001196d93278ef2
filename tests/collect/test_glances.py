"""Looks that read only what moved: the same as reading everything, where a limit holds or a page moved."""

from __future__ import annotations

import os
import resource
import shutil
from contextlib import contextmanager

from memwarden.collect import cgroup_survey
from memwarden.collect.focus import Focused
from memwarden.collect.glances import OLDEST_US, TURNS, WHOLE_US
from memwarden.errors import ReadError
from memwarden.guard.history import History
from memwarden.host.cgroup import CgroupDirectory
from memwarden.host.live import Live
from memwarden.state.gaps import GapReason
from memwarden.testing.clock import ManualClock
from memwarden.units import MAX
from tests.collect.machines import machine

TOP = "sys/fs/cgroup"


class Watched:
    """A machine of two slices, looked at again and again."""

    def __init__(self, tmp_path, watched=lambda _path: False, keep=100, more=frozenset(), **options):
        self.root = machine(tmp_path)
        self.root.write(f"{TOP}/cgroup.controllers", "memory\n")
        for path in ("a.slice", "a.slice/x", "a.slice/y", "b.slice", "b.slice/z"):
            self.group(path)
        self.clock = ManualClock(1_000_000, 0)
        self.source = Live(str(self.root.proc), str(self.root.path), keep=keep, clock=self.clock)
        self.focused = Focused(
            self.source,
            cgroup_root="/sys/fs/cgroup",
            marks=False,
            glance=True,
            watched=watched,
            more=more,
            **options,
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
        found = self.focused.look().cgroups
        self.focused.catch_up()
        return found


@contextmanager
def files_left(count):
    """So many more files can be opened; what is open can be read."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.open("/dev/null", os.O_RDONLY) for _ in range(count + 1)]
    for fd in free:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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


def test_cgroups_with_the_same_files_hold_their_names_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup_survey, "_MOST_SETS", 1)  # two sets of files: each is forgotten for the other
    here = Watched(tmp_path)
    for path in ("b.slice", "b.slice/z"):
        here.root.write(f"{TOP}/{path}/cgroup.stat", {"nr_descendants": 0, "nr_dying_descendants": 0})
    assert [one.descendants for one in here.look().values()] == [None, None, None, None, 0, 0]
    a, b = here.focused._survey.reader._root.below.values()
    assert a.below["x"].known.names is a.below["y"].known.names
    assert a.below["x"].known.files is a.below["y"].known.files
    assert b.known.names == b.below["z"].known.names != a.known.names
    assert len(cgroup_survey._SETS) == 1


def test_below_a_cgroup_that_did_not_move_nothing_is_looked_for(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.group("a.slice/x", current=9000, anon=5000)
    assert anon(here.look(), "/a.slice/x") == 4096


def test_where_memory_moves_all_is_read_when_that_was_long_ago(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.root.write(f"{TOP}/a.slice/x/memory.max", 1 << 20)
    here.group("a.slice/new", current=500)
    shutil.rmtree(here.root.path / TOP / "a.slice/y")
    here.group("a.slice", current=8500)
    assert "/a.slice/new" not in here.look()
    here.group("a.slice", current=8600)
    later = here.look(WHOLE_US)
    assert later["/a.slice"].children == ("/a.slice/new", "/a.slice/x")
    assert list(later) == ["/", "/a.slice", "/a.slice/new", "/a.slice/x", "/b.slice", "/b.slice/z"]
    assert later["/a.slice/new"].current_bytes == 500
    assert later["/a.slice/x"].max_bytes == MAX  # its own memory did not move
    here.group("a.slice", current=8700)
    here.root.write(f"{TOP}/a.slice/x/memory.current", 9000)
    assert here.look(WHOLE_US)["/a.slice/x"].max_bytes == 1 << 20


def test_who_came_or_went_is_seen_at_once_where_memory_moved(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.group("a.slice/new")
    assert "/a.slice/new" not in here.look()  # nothing says so
    here.group("a.slice", current=12288, memory_max=1 << 20)
    found = here.look()
    assert found["/a.slice"].children == ("/a.slice/new", "/a.slice/x", "/a.slice/y")
    assert found["/a.slice/new"].current_bytes == 8192
    assert found["/a.slice"].max_bytes == MAX  # of itself not all is read for that
    shutil.rmtree(here.root.path / TOP / "a.slice/x")
    here.group("a.slice", current=16384, memory_max=1 << 20)
    assert [path for path in here.look() if path[:2] == "/a"] == ["/a.slice", "/a.slice/new", "/a.slice/y"]
    here.group("a.slice", current=20480, memory_max=1 << 20)
    assert here.look(WHOLE_US)["/a.slice"].max_bytes == 1 << 20


def test_a_subtree_that_comes_is_met_with_all_below_it(tmp_path):
    here = Watched(tmp_path)
    here.look()
    for path in ("c.slice", "c.slice/deep", "c.slice/deep/er"):
        here.group(path)
    assert list(here.look(WHOLE_US))[-3:] == ["/c.slice", "/c.slice/deep", "/c.slice/deep/er"]


def test_who_does_not_move_has_its_turn(tmp_path):
    here = Watched(tmp_path)
    here.look()
    paths = [f"/{path}" for path in ("a.slice", "a.slice/x", "a.slice/y", "b.slice", "b.slice/z")]
    for path in paths:
        here.root.write(f"{TOP}{path}/memory.stat", {"anon": 7})
    here.group("b.slice/z/new")
    seen = [
        here.look(us) for us in (OLDEST_US - 200_000, 200_000, 100_000, 100_000)
    ]  # the third has what was read after the second
    assert [sum(anon(look, path) == 7 for path in paths) for look in seen] == [0, 0, TURNS, 5]
    assert "/b.slice/z/new" in seen[-1]


def test_after_a_clock_that_went_back_all_is_read(tmp_path):
    here = Watched(tmp_path)
    here.look(OLDEST_US)
    here.root.write(f"{TOP}/b.slice/z/memory.stat", {"anon": 7})
    here.source._clock = ManualClock(0, 0)
    assert anon(here.focused.look().cgroups, "/b.slice/z") == 7


def test_who_dies_is_read_whose_memory_went_first(tmp_path):
    """do_exit: exit_mm uncharges all and cgroup_exit comes later: between them it is alive and empty."""
    here = Watched(tmp_path, keep=0)
    here.group("b.slice", current=0)
    here.group("b.slice/z", current=0)
    here.look()
    here.root.write(f"{TOP}/b.slice/z/cgroup.events", {"populated": 0, "frozen": 0})
    here.clock.sleep_us(100_000)
    assert here.focused.look().cgroups["/b.slice/z"].populated  # nothing moved, and nobody asked
    asked = here.focused.look(frozenset(("/b.slice/z", "/never/was"))).cgroups
    assert asked["/b.slice/z"].populated is False
    assert asked["/a.slice/x"].populated
    shutil.rmtree(here.root.path / TOP / "b.slice/z")
    assert "/b.slice/z" not in here.focused.look(frozenset(("/b.slice/z",))).cgroups


def test_nothing_that_did_not_change_is_made_anew(tmp_path):
    here = Watched(tmp_path, watched=lambda path: path == "/b.slice/z")
    first, second = here.look(), here.look()
    assert all(second[path] is first[path] for path in first)


def test_who_is_suspected_is_read_wholly(tmp_path):
    here = Watched(tmp_path)
    here.look()
    for path in ("a.slice", "a.slice/x", "b.slice/z"):
        here.root.write(f"{TOP}/{path}/memory.max", 1 << 20)
    here.clock.sleep_us(100_000)
    snapshot = here.focused.look()
    known = here.focused.meet(snapshot, frozenset(("/a.slice/x",))).cgroups
    assert [path for path in known if known[path].max_bytes == 1 << 20] == ["/a.slice", "/a.slice/x"]
    below = here.focused.meet(snapshot, frozenset(("/b.slice", "/nobody"))).cgroups
    assert below["/b.slice/z"].max_bytes == 1 << 20


def test_where_anybody_may_be_meant_nobody_is_older_than_two_seconds(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.root.write(f"{TOP}/b.slice/z/memory.max", 1 << 20)
    early = here.focused.meet(here.focused.look(), frozenset(("/",))).cgroups
    here.clock.sleep_us(WHOLE_US)
    late = here.focused.meet(here.focused.look(), frozenset(("/",))).cgroups
    assert [known["/b.slice/z"].max_bytes for known in (early, late)] == [MAX, 1 << 20]


def test_who_was_read_wholly_at_this_look_is_not_read_twice(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    here.look()
    here.group("a.slice", current=9000)
    here.root.write(f"{TOP}/a.slice/x/memory.current", 9000)
    here.clock.sleep_us(WHOLE_US)
    snapshot = here.focused.look()
    read, names = CgroupDirectory.read_all, []
    monkeypatch.setattr(
        CgroupDirectory, "read_all", lambda self, files: names.append(self.path) or read(self, files)
    )
    here.focused.meet(snapshot, frozenset(("/a.slice/x",)))
    assert names == []


def test_who_is_suspected_and_gone_is_as_it_was(tmp_path):
    here = Watched(tmp_path, keep=0)
    here.look()
    here.clock.sleep_us(100_000)
    snapshot = here.focused.look()
    shutil.rmtree(here.root.path / TOP / "b.slice")
    known = here.focused.meet(snapshot, frozenset(("/b.slice/z",))).cgroups
    assert known["/b.slice/z"] is snapshot.cgroups["/b.slice/z"]
    assert "/b.slice" not in here.look()


def test_who_came_below_a_suspect_since_its_last_listing_is_met_with_its_processes(tmp_path):
    """Else the suspect counts as one, and dies with somebody in it who is to be spared."""
    here = Watched(tmp_path)
    here.look()
    for path in ("a.slice/x/new", "a.slice/x/new/er"):
        here.group(path, cgroup_procs="77\n" if path.endswith("er") else "")
    here.root.add_process(77, "precious", cgroup="/a.slice/x/new/er")
    here.clock.sleep_us(WHOLE_US - 100_000)
    snapshot = here.focused.look()
    assert snapshot.cgroups["/a.slice/x"].children == ()
    met = here.focused.meet(snapshot, frozenset(("/a.slice/x",)))
    assert [one.path for one in met.subtree("/a.slice/x")] == [
        "/a.slice/x",
        "/a.slice/x/new",
        "/a.slice/x/new/er",
    ]
    assert [one.comm for one in met.members("/a.slice/x")] == ["precious"]
    again = here.focused.meet(met, frozenset(("/",)))
    assert [one.comm for one in again.members("/a.slice/x")] == ["precious"]


def test_who_is_gone_from_below_a_suspect_that_was_just_read_is_not_below_it(tmp_path):
    here = Watched(tmp_path, keep=0)
    here.group("a.slice/x/old", cgroup_procs="77\n")
    here.look()
    here.group("a.slice", current=9000)
    here.root.write(f"{TOP}/a.slice/x/memory.current", 9000)
    here.clock.sleep_us(WHOLE_US)
    snapshot = here.focused.look()  # reads x wholly, and not who is below it
    shutil.rmtree(here.root.path / TOP / "a.slice/x/old")
    here.root.write(f"{TOP}/a.slice/x/cgroup.procs", "77\n")
    here.root.add_process(77, cgroup="/a.slice/x")
    met = here.focused.meet(snapshot, frozenset(("/a.slice/x",)))
    assert met.cgroups["/a.slice/x"].children == ()
    assert list(met.processes) == [77]


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


def stalled(us):
    return "".join(f"{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={us}\n" for kind in ("some", "full"))


def test_how_long_a_watched_one_waits_for_disk_and_cpu_is_read_at_each_look(tmp_path):
    """What stalls evenly would else not stall at all for two seconds, and then all the time."""
    here = Watched(tmp_path, lambda path: path == "/b.slice/z", more=frozenset(("cpu.pressure",)))
    history, seen = History(), []
    for path in ("a.slice/x", "b.slice/z"):
        here.root.write(f"{TOP}/{path}/cgroup.controllers", "memory io\n")
    for number in range(30):
        for path in ("a.slice/x", "b.slice/z"):
            for name in ("cpu.pressure", "io.pressure"):
                here.root.write(f"{TOP}/{path}/{name}", stalled(30_000 * number))
            here.root.write(f"{TOP}/{path}/io.stat", f"8:0 rbytes={number} wbytes=0\n")
        here.clock.sleep_us(100_000)
        look = here.focused.look()
        history.add(look)
        seen.append([history.stalled_us("/b.slice/z", kind, "full", 500_000) for kind in ("cpu", "io")])
        assert look.cgroups["/b.slice/z"].io_bytes == {"8:0": (number, 0)}
        assert look.cgroups["/a.slice/x"].io_bytes == {"8:0": (0, 0)}  # nobody asked
    assert seen[5:] == [[150_000, 150_000]] * 25


def test_who_waits_for_the_disk_is_found_though_its_memory_stays_what_it_is(tmp_path):
    here = Watched(tmp_path, keep=0, anywhere=frozenset(("io.pressure",)))
    paths = ("a.slice", "a.slice/x", "b.slice", "b.slice/z", "none", "none/y")
    for path in paths[:4]:
        here.root.write(f"{TOP}/{path}/io.pressure", stalled(0))
    for path in paths[4:]:  # without a memory controller
        for name, content in (("cgroup.controllers", "cpu\n"), ("io.pressure", stalled(0))):
            here.root.write(f"{TOP}/{path}/{name}", content)
    here.look()
    here.look()
    for number in (1, 2):
        for path in ("a.slice", "a.slice/x", "b.slice/z", "none", "none/y"):
            here.root.write(f"{TOP}/{path}/io.pressure", stalled(number))
        found = here.look()
        # What stalls is counted in all above, so that below b.slice nobody does.
        waited = [found[f"/{path}"].io_pressure.full.total_us for path in paths]
        assert waited == [number, number, 0, 0, number, number]
    (here.root.path / TOP / "a.slice/x/io.pressure").unlink()
    here.root.write(f"{TOP}/a.slice/io.pressure", stalled(3))
    here.look()  # finds that it has none any more
    assert here.look()["/a.slice/x"].io_pressure is None


def test_a_stall_that_cannot_be_told_is_not_looked_for_at_each_look(tmp_path):
    here = Watched(tmp_path, anywhere=frozenset(("io.pressure",)))
    (here.root.path / TOP / "b.slice/io.pressure").mkdir()  # an error that is there to stay, as with psi=0
    here.look()
    before = here.look()
    here.root.write(f"{TOP}/b.slice/memory.stat", {"anon": 7})
    assert here.look()["/b.slice"] is before["/b.slice"]


def test_cpu_pressure_is_not_read_where_no_policy_asks_for_it(tmp_path):
    here = Watched(tmp_path, lambda _path: True)
    here.root.write(f"{TOP}/b.slice/z/cpu.pressure", stalled(1))
    assert here.look()["/b.slice/z"].cpu_pressure is None


def test_who_has_got_a_limit_is_read_at_each_look_from_then_on(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.group("b.slice", current=9000)
    here.group("b.slice/z", current=9000, memory_high=9000)
    assert here.look(WHOLE_US)["/b.slice/z"].high_bytes == 9000
    here.root.write(f"{TOP}/b.slice/z/memory.stat", {"anon": 7})
    assert anon(here.look(), "/b.slice/z") == 7
    here.root.write(f"{TOP}/b.slice/z/memory.high", "max\n")
    here.look(WHOLE_US)
    here.root.write(f"{TOP}/b.slice/z/memory.stat", {"anon": 8})
    assert anon(here.look(), "/b.slice/z") == 7


def test_a_cgroup_that_is_gone_is_missed_at_once(tmp_path):
    # Files of a plain folder can be read when gone, those of a cgroup cannot: none is kept open here.
    here = Watched(tmp_path, keep=0)
    here.look()
    shutil.rmtree(here.root.path / TOP / "b.slice/z")
    here.group("b.slice", current=4096)
    cgroups = here.look()
    assert "/b.slice/z" not in cgroups
    assert cgroups["/b.slice"].children == ()
    shutil.rmtree(here.root.path / TOP / "b.slice")
    assert list(here.look()) == ["/", "/a.slice", "/a.slice/x", "/a.slice/y"]


def test_who_is_gone_far_below_is_missed_though_nothing_above_it_moves(tmp_path):
    here = Watched(tmp_path, keep=0, watched=lambda path: path.endswith("/er"))
    for path in ("a.slice/x/deep", "a.slice/x/deep/er"):
        here.group(path)
    assert "/a.slice/x/deep/er" in here.look()
    shutil.rmtree(here.root.path / TOP / "a.slice/x/deep/er")
    here.look()
    later = here.look()
    assert "/a.slice/x/deep/er" not in later
    assert later["/a.slice/x/deep"].children == ()


def test_no_more_directories_stay_open_than_are_allowed_to(tmp_path):
    here = Watched(tmp_path, watched=lambda path: path == "/b.slice/z", keep=0)
    here.group("a.slice/x/deep")
    snapshot = here.focused.look()
    suspects = [frozenset((path,)) for path in ("/a.slice/x", "/")]
    here.focused.meet(snapshot, suspects[1])

    def leaves_as_many(act, us=OLDEST_US):
        before = os.listdir("/proc/self/fd")
        here.clock.sleep_us(us)
        found = act()
        assert os.listdir("/proc/self/fd") == before
        return found

    leaves_as_many(here.focused.look, 100_000)  # nothing moved, and one is watched
    here.group("a.slice", current=9000)
    leaves_as_many(here.focused.look, 100_000)
    snapshot = leaves_as_many(here.focused.look)
    for paths in suspects:
        leaves_as_many(lambda paths=paths: here.focused.meet(snapshot, paths), 0)
    for _ in range(3):
        leaves_as_many(here.focused.look)
        leaves_as_many(here.focused.catch_up, 0)


def test_not_many_directories_are_open_at_a_time_beyond_those_that_may_stay(tmp_path):
    here = Watched(tmp_path, keep=0)
    for number in range(20):
        here.group(f"a.slice/x/{number}")
    with files_left(16):
        found = here.look()
    assert [found[f"/a.slice/x/{number}"].current_bytes for number in range(20)] == [8192] * 20


def test_with_too_many_files_open_nobody_is_taken_for_gone(tmp_path):
    here = Watched(tmp_path)
    here.look()
    everybody = here.look()
    here.group("b.slice", current=9000)
    here.clock.sleep_us(WHOLE_US)
    with files_left(0):
        short = here.focused.look()
    assert list(short.cgroups) == list(everybody)
    assert [gap.detail for gap in short.gaps if gap.path == "/sys/fs/cgroup/b.slice"] == [
        "too many open files: raise the limit (ulimit -n)"
    ]
    here.group("b.slice/new")
    here.group("b.slice", current=9001)
    assert "/b.slice/new" in here.look(WHOLE_US)


def test_a_cgroup_that_cannot_be_opened_is_as_it_was_and_one_that_is_gone_is_not(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    first = here.look()
    here.group("a.slice", current=9000)
    here.group("a.slice/new")
    errors = {"new": "EMFILE", "x": "EMFILE", "y": "ENODEV"}
    child = CgroupDirectory.child

    def failing(self, name):
        if name in errors:
            raise ReadError(f"{self.path}/{name}", errors[name])
        return child(self, name)

    monkeypatch.setattr(CgroupDirectory, "child", failing)
    here.clock.sleep_us(WHOLE_US)
    look = here.focused.look()
    assert look.cgroups["/a.slice"].children == ("/a.slice/x",)
    assert look.cgroups["/a.slice/x"] is first["/a.slice/x"]
    below = {gap.path[-1]: gap.reason for gap in look.gaps if gap.path.startswith("/sys/fs/cgroup/a.slice/")}
    assert below == {"w": GapReason.NOT_SUPPORTED, "x": GapReason.NOT_SUPPORTED, "y": GapReason.GONE}


def test_who_is_gone_when_listed_has_nobody_below(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    here.look()
    here.group("b.slice", current=9000)

    def gone(self):
        raise ReadError(self.path, "ENODEV")

    monkeypatch.setattr(CgroupDirectory, "subdirectories", gone)
    here.clock.sleep_us(WHOLE_US - 100_000)
    assert here.focused.look().cgroups["/b.slice"].children != ()
    here.clock.sleep_us(100_000)
    here.group("b.slice", current=9001)
    assert list(here.focused.look().cgroups) == ["/"]


def test_a_file_that_fails_each_time_says_nothing_new(tmp_path):
    """With psi=0 there is memory.pressure, and all that it says is EOPNOTSUPP."""
    here = Watched(tmp_path, keep=0)
    (here.root.path / TOP / "a.slice/x/memory.pressure").mkdir()  # another error that is there to stay
    here.look()
    for current in (9000, 9001, 9002):
        here.group("a.slice", current=current)
        here.group("a.slice/x", current=current, memory_max=1 << 20)
        cgroup = here.look()["/a.slice/x"]
        assert (cgroup.current_bytes, cgroup.max_bytes) == (current, MAX)  # and nothing else is read for it
    (here.root.path / TOP / "a.slice/x/memory.pressure").rmdir()
    here.group("a.slice", current=9003)
    here.group("a.slice/x", current=9003, memory_max=1 << 20)
    here.look()  # notices that it fails otherwise
    assert here.look()["/a.slice/x"].max_bytes == 1 << 20


def test_another_set_of_files_is_surveyed_anew(tmp_path):
    here = Watched(tmp_path)
    here.look()
    here.root.write(f"{TOP}/b.slice/z/cgroup.controllers", "memory io\n")
    here.root.write(f"{TOP}/b.slice/z/io.stat", "8:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n")
    here.group("b.slice", current=9000)
    here.root.write(f"{TOP}/b.slice/z/memory.current", 9000)
    cgroup = here.look(WHOLE_US)["/b.slice/z"]
    assert (cgroup.current_bytes, cgroup.io_bytes) == (9000, {"8:0": (1, 2)})


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
