"""Cgroups: hostile names, absent files, those that come and go while they are read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from memwarden.collect.cgroups import CgroupReader
from memwarden.collect.hierarchy import Hierarchy
from memwarden.collect.leniency import Reading
from memwarden.collect.snapshot import Collector
from memwarden.errors import ReadError
from memwarden.host.live import Live
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode
from memwarden.units import MAX
from tests.collect.machines import CGROUP, HOSTILE, collector, machine, snapshot
from tests.host.live import remove


def gaps_of(taken, path):
    return {
        gap.path.rpartition("/")[2]: gap.reason for gap in taken.gaps if gap.path.rpartition("/")[0] == path
    }


def test_every_file_of_v2_fills_its_field(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup(
        "/a",
        {
            "memory.current": 1000,
            "memory.peak": 2000,
            "memory.min": 1,
            "memory.low": 2,
            "memory.high": 3,
            "memory.max": 4,
            "memory.oom.group": 1,
            "memory.swap.current": 5,
            "memory.swap.peak": 6,
            "memory.swap.high": "max\n",
            "memory.swap.max": 7,
            "memory.zswap.current": 8,
            "memory.zswap.max": "max\n",
            "memory.zswap.writeback": 0,
            "memory.stat": {"anon": 9},
            "memory.numa_stat": "anon N0=9 N1=0\n",
            "memory.events": {"oom": 10},
            "memory.events.local": {"oom": 11},
            "memory.swap.events": {"fail": 12},
            "memory.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=13\n",
            "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=14\n",
            "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=15\n",
            "cpu.stat": {"usage_usec": 16},
            "io.stat": "8:0 rbytes=17 wbytes=18 rios=1 wios=1 dbytes=0 dios=0\n",
            "cgroup.controllers": "cpu io memory\n",
            "cgroup.events": {"populated": 1, "frozen": 0},
            "cgroup.stat": {"nr_descendants": 19, "nr_dying_descendants": 20},
            "cgroup.threads": "30\n31\n",
            "cgroup.procs": "30\n",
        },
    )
    a = snapshot(root, with_processes=False).cgroups["/a"]
    assert (a.current_bytes, a.peak_bytes, a.min_bytes, a.low_bytes) == (1000, 2000, 1, 2)
    assert (a.high_bytes, a.max_bytes, a.oom_group) == (3, 4, True)
    assert (a.swap_current_bytes, a.swap_peak_bytes, a.swap_high_bytes, a.swap_max_bytes) == (5, 6, MAX, 7)
    assert (a.zswap_current_bytes, a.zswap_max_bytes, a.zswap_writeback) == (8, MAX, False)
    assert a.stat == {"anon": 9}
    assert a.numa_stat == {0: {"anon": 9}, 1: {"anon": 0}}
    assert (a.events, a.events_local, a.swap_events) == ({"oom": 10}, {"oom": 11}, {"fail": 12})
    assert [each.some.total_us for each in (a.memory_pressure, a.cpu_pressure, a.io_pressure)] == [13, 14, 15]
    assert (a.cpu_usage_us, a.io_bytes) == (16, {"8:0": (17, 18)})
    assert (a.controllers, a.populated, a.frozen) == (("cpu", "io", "memory"), True, False)
    assert (a.descendants, a.dying_descendants, a.threads, a.procs) == (19, 20, 2, (30,))
    assert (a.has_kill, a.has_reclaim) == (False, False)


def test_every_field_of_v1(tmp_path):
    root = machine(tmp_path)
    folder = "sys/fs/cgroup/memory"
    for name, value in {
        "memory.usage_in_bytes": 1,
        "memory.max_usage_in_bytes": 2,
        "memory.limit_in_bytes": 268435456,
        "memory.soft_limit_in_bytes": 9223372036854771712,
        "memory.failcnt": 3,
        "memory.memsw.usage_in_bytes": 4,
        "memory.memsw.limit_in_bytes": 9223372036854771712,
        "memory.memsw.failcnt": 5,
        "memory.kmem.usage_in_bytes": 6,
        "memory.swappiness": 60,
        "memory.oom_control": {"oom_kill_disable": 1, "under_oom": 0, "oom_kill": 7},
        "memory.stat": {
            "cache": 1,
            "hierarchical_memory_limit": 268435456,
            "total_cache": 8,
            "total_rss": 9,
            "total_swap": 10,
        },
        "tasks": "30\n31\n",
        "cgroup.procs": "30\n",
    }.items():
        root.write(f"{folder}/{name}", value)
    (root.cgroup / "cgroup.controllers").unlink()
    taken = snapshot(root, with_processes=False)
    assert (taken.cgroup_mode, taken.cgroup_root) == (CgroupMode.V1, "/sys/fs/cgroup/memory")
    a = taken.cgroups["/"]
    assert a.version == 1
    assert (a.current_bytes, a.peak_bytes, a.max_bytes, a.v1_soft_limit_bytes) == (1, 2, 268435456, MAX)
    assert (a.v1_failcnt, a.v1_memsw_current_bytes, a.v1_memsw_max_bytes, a.v1_memsw_failcnt) == (
        3,
        4,
        MAX,
        5,
    )
    assert (a.v1_kmem_current_bytes, a.v1_swappiness) == (6, 60)
    assert (a.v1_oom_kill_disable, a.v1_under_oom, a.events_local) == (True, False, {"oom_kill": 7})
    assert a.stat == {"file": 8, "anon": 9}
    assert (a.swap_current_bytes, a.v1_hierarchical_max_bytes) == (10, 268435456)
    assert (a.threads, a.procs) == (2, (30,))
    assert (a.min_bytes, a.high_bytes, a.events, a.memory_pressure, a.has_kill) == (None,) * 5
    # What v1 does not have is said once, not for each cgroup.
    assert [gap.path for gap in taken.gaps if "cgroup" in gap.path] == ["/sys/fs/cgroup/memory"]


def test_hostile_names_are_names(tmp_path):
    root = machine(tmp_path)
    for number, name in enumerate(HOSTILE):
        root.add_cgroup(f"/{name}", {**CGROUP, "memory.current": number})
        root.add_cgroup(f"/{name}/{name}", {**CGROUP, "memory.current": 1000 + number})
    taken = snapshot(root, with_processes=False)
    assert len(taken.cgroups) == 1 + 2 * len(HOSTILE)
    for number, name in enumerate(HOSTILE):
        assert taken.cgroups[f"/{name}"].current_bytes == number
        assert taken.cgroups[f"/{name}"].children == (f"/{name}/{name}",)
        assert taken.cgroups[f"/{name}/{name}"].current_bytes == 1000 + number
    assert taken.cgroups["/"].children == tuple(sorted(f"/{name}" for name in HOSTILE))
    assert list(taken.cgroups)[:3] == ["/", *[f"/{min(HOSTILE)}", f"/{min(HOSTILE)}/{min(HOSTILE)}"]]


def test_links_are_not_followed_out_of_the_tree(tmp_path):
    root = machine(tmp_path / "machine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "memory.current").write_text("666\n")
    root.add_cgroup("/a", CGROUP)
    (root.cgroup / "link").symlink_to(outside)
    (root.cgroup / "a/memory.peak").symlink_to(outside / "memory.current")
    taken = snapshot(root, with_processes=False)
    assert set(taken.cgroups) == {"/", "/a"}
    assert taken.cgroups["/a"].peak_bytes is None
    assert Gap("/sys/fs/cgroup/a/memory.peak", GapReason.NOT_SUPPORTED, "a symbolic link") in taken.gaps


def test_a_fifo_does_not_hang(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    os.mkfifo(root.cgroup / "a/memory.peak")
    taken = snapshot(root, with_processes=False)
    assert gaps_of(taken, "/sys/fs/cgroup/a")["memory.peak"] is GapReason.NOT_SUPPORTED


def test_absent_files_are_gaps_of_every_cgroup(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    root.add_cgroup("/b", CGROUP)
    taken = snapshot(root, with_processes=False)
    for path in ("/a", "/b"):
        missing = gaps_of(taken, f"/sys/fs/cgroup{path}")
        assert missing["memory.peak"] is GapReason.NO_FILE
        assert missing["memory.pressure"] is GapReason.NO_FILE
        assert "memory.current" not in missing
        assert taken.cgroups[path].peak_bytes is None
        assert taken.cgroups[path].memory_pressure is None


def test_a_cgroup_without_the_memory_controller(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup(
        "/a",
        {
            "cpu.stat": {"usage_usec": 5},
            "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
        },
    )
    root.add_cgroup("/b", {**CGROUP, "memory.peak": 9000})
    taken = snapshot(root, with_processes=False)
    a = taken.cgroups["/a"]
    assert (a.current_bytes, a.stat, a.cpu_usage_us) == (None, None, 5)
    assert a.memory_pressure.some.total_us == 3  # pressure belongs to the core of cgroups
    assert gaps_of(taken, "/sys/fs/cgroup/a")["memory.peak"] is GapReason.NO_FILE
    assert taken.cgroups["/b"].peak_bytes == 9000  # what /a lacks says nothing about the kernel


def test_files_that_can_only_be_written(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    source = Live(str(root.proc), str(root.path))
    directory = source.cgroups("/sys/fs/cgroup").child("a")

    class Refusing:
        """The same directory in which reading two files gives what the kernel gives for them."""

        path, inode = directory.path, directory.inode
        subdirectories, alive, release = directory.subdirectories, directory.alive, directory.release

        def read(self, name):
            if name == "cgroup.kill":
                raise ReadError(f"{self.path}/{name}", "EACCES")
            if name == "memory.reclaim":
                raise ReadError(f"{self.path}/{name}", "ENODEV")
            return directory.read(name)

    class Source:
        def cgroups(self, path):
            return Refusing()

    reader = CgroupReader(Hierarchy(CgroupMode.V2))
    cgroup = reader.read(Reading(Source()))["/"]
    assert cgroup.has_kill is True
    assert cgroup.has_reclaim is None
    source.close()


def test_malformed_files_are_gaps_and_the_rest_is_read(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup(
        "/a", {**CGROUP, "memory.max": "unlimited\n", "memory.stat": b"\xff\xfe".decode("latin-1")}
    )
    taken = snapshot(root, with_processes=False)
    missing = gaps_of(taken, "/sys/fs/cgroup/a")
    assert missing["memory.max"] is missing["memory.stat"] is GapReason.MALFORMED
    assert taken.cgroups["/a"].max_bytes is None
    assert taken.cgroups["/a"].current_bytes == 8192


def test_a_second_snapshot_sees_what_changed(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    root.add_cgroup("/b", CGROUP)
    for keep in (0, 3, 1000):
        root.add_cgroup("/a", CGROUP)
        with collector(root, keep=keep, with_processes=False) as taker:
            first = taker.snapshot()
            root.add_cgroup("/a", {**CGROUP, "memory.current": 4096})
            root.add_cgroup("/c", CGROUP)
            second = taker.snapshot()
            shutil.rmtree(root.cgroup / "c")
            third = taker.snapshot()
        assert first.cgroups["/a"].current_bytes == 8192
        assert second.cgroups["/a"].current_bytes == 4096
        assert second.cgroups["/b"] == first.cgroups["/b"]
        assert set(second.cgroups) == {"/", "/a", "/b", "/c"}
        assert set(third.cgroups) == {"/", "/a", "/b"}


def test_a_cgroup_made_anew_is_another_one(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a/deep", CGROUP)
    with collector(root, keep=1000, with_processes=False) as taker:
        first = taker.snapshot()
        (root.cgroup / "a").rename(tmp_path / "elsewhere")
        root.add_cgroup("/a/deep", {**CGROUP, "memory.current": 1})
        second = taker.snapshot()
    assert first.cgroups["/a/deep"].inode != second.cgroups["/a/deep"].inode
    assert second.cgroups["/a/deep"].current_bytes == 1


def test_deep_trees(tmp_path):
    root = machine(tmp_path)
    depth = 300
    root.add_cgroup("/d" * depth, CGROUP)
    taken = snapshot(root, with_processes=False)
    assert len(taken.cgroups) == depth + 1


def test_files_are_closed_when_cgroups_go(tmp_path):
    root = machine(tmp_path)
    with collector(root, keep=1000, with_processes=False) as taker:
        for _ in range(3):  # until all that may stay open does
            taker.snapshot()
        before = len(os.listdir("/proc/self/fd"))
        for number in range(5):
            root.add_cgroup(f"/a/b{number}", CGROUP)
            taker.snapshot()
            taker.snapshot()
            shutil.rmtree(root.cgroup / "a")
            taker.snapshot()
            assert len(os.listdir("/proc/self/fd")) == before


def test_no_more_descriptors_are_kept_than_allowed(tmp_path):
    root = machine(tmp_path)
    for number in range(20):
        root.add_cgroup(f"/g{number % 4}/c{number}", CGROUP)
    before = len(os.listdir("/proc/self/fd"))
    for keep in (0, 1, 7, 40):
        with collector(root, keep=keep, with_processes=False) as taker:
            taken = [taker.snapshot() for _ in range(3)]
            # Over the allowance: procfs, the root directory, the hierarchy's root, the machine's files.
            machine_files = 4
            assert len(os.listdir("/proc/self/fd")) - before <= keep + machine_files
        assert taken[2].cgroups == taken[0].cgroups


def test_more_cgroups_than_files_may_be_open(tmp_path):
    root = machine(tmp_path)
    for number in range(150):
        root.add_cgroup(f"/g{number % 15}/c{number}", CGROUP)
    deep = 300
    root.add_cgroup("/d" * deep, CGROUP)
    for number in range(3):
        root.add_cgroup("/d" * (deep // 2) + f"/e{number}/f", CGROUP)
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        "from memwarden.collect.snapshot import Collector\n"
        "from memwarden.host.live import Live\n"
        "live = Live(sys.argv[1] + '/proc', sys.argv[1], keep=10**6)\n"
        "taker = Collector(live, cgroup_root='/sys/fs/cgroup')\n"
        "taken = [taker.snapshot().cgroups for _ in range(3)]\n"
        "assert taken[0] == taken[1] == taken[2]\n"
        "print(len(taken[0]))\n"
        "taker = Collector(Live(sys.argv[1] + '/proc', sys.argv[1]), cgroup_root='/sys/fs/cgroup')\n"
        "assert taker.snapshot().cgroups == taken[0]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{166 + deep + 6}\n"


def churn(make, stop, errors):
    """Make and remove cgroups until told to stop."""
    number = 0
    while not stop.is_set():
        try:
            make(number)
        except OSError as error:  # the test has to know, not the thread
            errors.append(error)
            return
        number += 1


def test_cgroups_that_vanish_from_a_folder_while_they_are_read(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/stays", CGROUP)

    def make(number):
        name = f"/comes/and-goes-{number % 7}"
        root.add_cgroup(name, {**CGROUP, "memory.current": number % 7})
        shutil.rmtree(root.cgroup / name[1:])

    check_under_churn(make, lambda: collector(root, keep=50, with_processes=False))


@pytest.mark.live
def test_live_cgroups_that_vanish_while_they_are_read(live_cgroup):
    def make(number):
        (live_cgroup / f"and-goes-{number % 7}" / "deep").mkdir(parents=True)
        remove(live_cgroup / f"and-goes-{number % 7}")

    @contextmanager
    def taker():
        source = Live(keep=50)
        yield Collector(source, with_processes=False)
        source.close()

    check_under_churn(make, taker)
    source = Live(keep=50)
    assert f"/{live_cgroup.name}" in Collector(source, with_processes=False).snapshot().cgroups
    source.close()


def check_under_churn(make, taker):
    stop, errors = threading.Event(), []
    thread = threading.Thread(target=churn, args=(make, stop, errors))
    thread.start()
    try:
        with taker() as collecting:
            for _ in range(40):
                taken = collecting.snapshot()
                for path, cgroup in taken.cgroups.items():
                    assert cgroup.path == path
                    assert all(child in taken.cgroups for child in cgroup.children)
                assert {gap.reason for gap in taken.gaps} <= {
                    GapReason.NO_FILE,
                    GapReason.GONE,
                    GapReason.NOT_SUPPORTED,
                    GapReason.MALFORMED,
                }
    finally:
        stop.set()
        thread.join()
    assert errors == []
