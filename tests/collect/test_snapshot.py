"""Whole snapshots: of machines that lack this or that, and of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memwarden.collect.archive import Archive
from memwarden.collect.open import archives, open_source
from memwarden.collect.rootar import Failed, File, Recorded
from memwarden.collect.snapshot import Collector
from memwarden.errors import InputError
from memwarden.host.live import Live
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode, Instant
from memwarden.testing.clock import ManualClock
from tests.collect.machines import CGROUP, MEMINFO, collector, machine, snapshot

LAB = Path(__file__).parent.parent / "roots/lab"


def reasons(taken):
    return {gap.path: gap.reason for gap in taken.gaps}


def test_a_machine_in_full(tmp_path):
    root = machine(tmp_path)
    root.write("proc/vmstat", {"oom_kill": 3, "nr_free_pages": 5})
    root.write(
        "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vdb partition 1024 0 -2\n"
    )
    root.write("proc/buddyinfo", "Node 0, zone   Normal      1      2\n")
    root.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
    root.write("proc/sys/vm/swappiness", 60)
    root.write("proc/sys/kernel/random/boot_id", "b-o-o-t\n")
    source = Live(str(root.proc), str(root.path), clock=ManualClock(5, 9))
    taken = Collector(source, cgroup_root="/sys/fs/cgroup").snapshot()
    source.close()
    assert taken.instant == Instant(5, 9)
    assert taken.meminfo["MemTotal"] == 1 << 30
    assert taken.vmstat == {"oom_kill": 3}
    assert taken.swaps[0].path == "/dev/vdb"
    assert taken.buddy[0].free_blocks == (1, 2)
    assert taken.memory_pressure.some.total_us == 7
    assert taken.sysctl["swappiness"] == 60
    assert taken.host.boot_id == "b-o-o-t"
    assert taken.host.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert reasons(taken)["/proc/zoneinfo"] is GapReason.NO_FILE


def test_a_machine_without_psi_and_swap(tmp_path):
    root = machine(tmp_path)
    root.write("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    taken = snapshot(root)
    assert taken.swaps == ()
    assert taken.memory_pressure is None
    assert reasons(taken)["/proc/pressure/memory"] is GapReason.NO_FILE


def test_psi_switched_off_at_boot(tmp_path):
    files = {"/proc/meminfo": File(MEMINFO.encode())}
    files["/proc/pressure/memory"] = Failed("EOPNOTSUPP")
    taken = Collector(Archive(Recorded(0, {}, files), "x")).snapshot()
    assert Gap("/proc/pressure/memory", GapReason.NOT_SUPPORTED, "EOPNOTSUPP") in taken.gaps


def test_every_absent_value_has_its_gap(tmp_path):
    root = machine(tmp_path)
    root.add_cgroup("/a", CGROUP)
    taken = snapshot(root)
    found = reasons(taken)
    for name, path in {
        "vmstat": "/proc/vmstat",
        "zones": "/proc/zoneinfo",
        "buddy": "/proc/buddyinfo",
        "swaps": "/proc/swaps",
        "cpu_pressure": "/proc/pressure/cpu",
        "io_pressure": "/proc/pressure/io",
    }.items():
        assert getattr(taken, name) is None
        assert found[path] is GapReason.NO_FILE
    assert found["/proc/sys/vm/swappiness"] is GapReason.NO_FILE
    assert len(found) == len(taken.gaps), "each path once"


def test_a_root_that_is_empty(tmp_path):
    source = Live(str(tmp_path), str(tmp_path))
    with pytest.raises(
        InputError, match=f"^{tmp_path}: holds nothing of a machine: no meminfo, no cgroup, no process; "
    ):
        Collector(source).snapshot()
    source.close()


def test_a_proc_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"/nothing: cannot be opened as --proc: No such file or directory"):
        open_source(None, str(tmp_path / "nothing"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file: cannot be opened as --proc: Not a directory"):
        open_source(None, str(tmp_path / "file"))


def test_a_proc_whose_self_is_no_process(tmp_path):
    root = machine(tmp_path)
    (root.proc / "self").symlink_to("/etc")
    with collector(root) as taker:
        assert reasons(taker.snapshot())["/proc/self/mountinfo"] is GapReason.NO_FILE


def test_a_proc_that_is_seen_elsewhere(tmp_path):
    source = Live("/proc")
    (tmp_path / "proc").symlink_to("/proc")  # a link that the user names is followed
    other = Live(str(tmp_path / "proc"))
    for path in ("/proc/self/mountinfo", "/proc/sys/kernel/osrelease"):
        assert other.read(path) == source.read(path)
    source.close()
    other.close()


@pytest.mark.live
def test_this_machine():
    source = Live()
    taker = Collector(source, smaps=True)
    first, second = taker.snapshot(), taker.snapshot()
    source.close()
    assert second.instant.monotonic_us > first.instant.monotonic_us
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) * 1024
    assert first.meminfo["MemTotal"] == total
    assert os.getpid() in first.processes
    assert first.host.kernel_release == os.uname().release
    if first.cgroup_mode is not CgroupMode.NONE:
        own = first.processes[os.getpid()].cgroup
        if own is not None:
            assert os.getpid() in first.cgroups[own].procs
    assert not [gap for gap in first.gaps if gap.reason is GapReason.MALFORMED]


@pytest.mark.live
def test_an_unprivileged_user_gets_an_answer_with_the_gaps_named():
    program = (
        "import os\n"
        "from memwarden.collect.snapshot import Collector\n"
        "from memwarden.host.live import Live\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "taken = Collector(Live(), smaps=True).snapshot()\n"
        "assert taken.meminfo['MemTotal'] > 0\n"
        "assert taken.processes[1].rss_bytes is not None\n"
        "assert taken.processes[1].pss_bytes is None\n"
        "print([gap.reason.value for gap in taken.gaps if gap.path == '/proc/1/smaps_rollup'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['not-permitted']\n"


@pytest.mark.live
def test_a_live_cgroup_in_full(live_cgroup):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (live_cgroup / "a b\\x2d").mkdir()
    (live_cgroup / "a b\\x2d" / "cgroup.procs").write_text(str(child.pid))
    source = Live(keep=1000)
    try:
        taker = Collector(source)
        path = f"/{live_cgroup.name}/a b\\x2d"
        for _ in range(2):
            taken = taker.snapshot()
            cgroup = taken.cgroups[path]
            assert cgroup.procs == (child.pid,)
            assert cgroup.threads == 1
            assert cgroup.current_bytes is not None
            assert cgroup.stat is not None
            assert taken.processes[child.pid].cgroup == path
            assert cgroup.inode == os.stat(live_cgroup / "a b\\x2d").st_ino
    finally:
        child.kill()
        child.communicate()
        source.close()


KERNELS = {"5.10": (True, None), "6.1": (True, None), "6.12": (False, False), "7.2": (False, True)}


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_labs_recordings(kernel):
    recordings = sorted((LAB / kernel).glob("*.rootar*"))
    assert recordings
    for recording in recordings:
        [source] = archives(str(recording))
        taken = Collector(source).snapshot()
        assert taken.host.kernel_release.startswith(kernel)
        assert taken.cgroup_mode is CgroupMode.V2
        assert len(taken.cgroups) > 1
        assert taken.processes
        assert {gap.reason for gap in taken.gaps} <= {GapReason.NO_FILE, GapReason.NOT_SUPPORTED}
        stale, proportional = KERNELS[kernel]
        assert taken.traits.stale_protection_bug is stale
        assert taken.traits.mglru_proportional_protection is proportional
        assert taken.traits.approximate_rss is (kernel != "7.2")
        assert taken.traits.over_kill is (kernel == "7.2")
        assert taken.traits.stale_dirty_counts is (kernel in ("6.12", "7.2"))
        for process in taken.processes.values():
            assert process.cgroup is None or process.cgroup in taken.cgroups
