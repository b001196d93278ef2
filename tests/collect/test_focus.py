"""The guard's looks: the same figures as a whole snapshot, without what it does not ask for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from memwarden.collect.focus import Focused
from memwarden.collect.open import open_source
from memwarden.collect.snapshot import Collector
from memwarden.guard.engine import EVERYBODY
from memwarden.host.live import Live
from memwarden.state.snapshot import CgroupMode
from tests.collect.machines import CGROUP, MEMINFO, machine

LAB = Path(__file__).parent.parent / "roots/lab"
RECORDINGS = [min(folder.glob("*.rootar")) for folder in sorted(LAB.iterdir())]
ASKED = ("path", "inode", "current_bytes", "max_bytes", "high_bytes", "stat", "events", "swap_current_bytes")


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_what_is_asked_for_is_what_a_whole_snapshot_says(path):
    whole = Collector(open_source(str(path))).snapshot()
    focused = Focused(open_source(str(path)))
    look = focused.meet(focused.look(), EVERYBODY)
    assert look.meminfo == whole.meminfo
    assert look.vmstat == whole.vmstat
    assert look.memory_pressure == whole.memory_pressure
    assert list(look.cgroups) == list(whole.cgroups)
    for name, cgroup in look.cgroups.items():
        assert [getattr(cgroup, field) for field in ASKED] == [
            getattr(whole.cgroups[name], field) for field in ASKED
        ]
    assert look.processes == whole.processes
    assert (look.cgroup_mode, look.host.boot_id) == (whole.cgroup_mode, whole.host.boot_id)
    assert look.traits.page_size_bytes == whole.traits.page_size_bytes


def test_processes_and_long_files_are_left_out():
    path = next(path for path in RECORDINGS if path.parent.name == "6.12")
    look = Focused(open_source(str(path))).look()
    assert not look.processes
    assert {cgroup.numa_stat for cgroup in look.cgroups.values()} == {None}
    assert look.zones is None


def test_a_hierarchy_that_goes_and_comes_back(tmp_path):
    root = machine(tmp_path)
    source = Live(str(root.proc), str(root.path))
    focused = Focused(source, cgroup_root="/sys/fs/cgroup")
    assert focused.look().cgroups
    source.close()
    shutil.rmtree(root.cgroup)
    source = Live(str(root.proc), str(root.path))
    focused = Focused(source, cgroup_root="/sys/fs/cgroup")
    assert not focused.look().cgroups
    root.write("sys/fs/cgroup/cgroup.controllers", "memory\n")
    assert "/" in focused.look().cgroups
    source.close()


def test_a_machine_without_cgroups_has_none(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/self/mountinfo").write_text("")
    source = Live(str(tmp_path / "proc"), str(tmp_path))
    focused = Focused(source)
    look = focused.look()
    assert (look.cgroup_mode, look.meminfo["MemTotal"]) == (CgroupMode.NONE, 1 << 30)
    assert not focused.look().cgroups
    source.close()


def inhabited(tmp_path):
    """A machine with somebody in ``/a``, below it and in ``/b``; what is listed, and what is not."""
    root = machine(tmp_path)
    for number, path in enumerate(("/a", "/a/x", "/b"), 7):
        root.add_cgroup(path, {**CGROUP, "cgroup.procs": f"{number}\n"})
        root.add_process(number, cgroup=path)
    source = Live(str(root.proc), str(root.path))
    return root, source, Focused(source, cgroup_root="/sys/fs/cgroup")


def test_the_processes_of_some_cgroups_as_they_are_now(tmp_path):
    root, source, focused = inhabited(tmp_path)
    look = focused.look()
    root.add_process(20, cgroup="/a/x")
    root.write("sys/fs/cgroup/a/x/cgroup.procs", "8\n0\n20\n21\n")  # 0 is of another namespace, 21 is gone
    met = focused.meet(look, frozenset(("/a", "/nowhere")))
    assert list(met.processes) == [7, 8, 20]
    assert (met.cgroups["/a/x"].procs, met.cgroups["/b"]) == ((8, 20), look.cgroups["/b"])
    assert met.instant == look.instant
    assert list(focused.meet(look, frozenset(("/",))).processes) == [7, 8, 9, 20]
    source.close()


def test_a_cgroup_that_was_removed_since_the_look_has_nobody(tmp_path):
    root, source, focused = inhabited(tmp_path)
    look = focused.look()
    shutil.rmtree(root.cgroup / "b")
    assert list(focused.meet(look, frozenset(("/a/x", "/b"))).processes) == [8]
    source.close()


def test_where_a_cgroup_does_not_list_its_processes_all_are_read(tmp_path):
    root, source, focused = inhabited(tmp_path)
    look = focused.look()
    (root.cgroup / "b/cgroup.procs").unlink()
    (root.cgroup / "b/cgroup.procs").mkdir()  # an error that is not of one that is gone
    assert list(focused.meet(look, frozenset(("/b",))).processes) == [7, 8, 9]
    source.close()


def test_on_v1_all_are_read():
    path = next(path for path in RECORDINGS if path.parent.name == "6.1-v1")
    focused = Focused(open_source(str(path)))
    look = focused.look()
    some = frozenset(list(look.cgroups)[-1:])
    assert focused.meet(look, some).processes == focused.meet(look, frozenset(("/",))).processes != {}
