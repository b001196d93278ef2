"""This machine's own files, against what the kernel tells about the same things elsewhere."""

import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE

import pytest

from memwarden.kernel import (
    buddyinfo,
    cgroups,
    kmsg,
    lru_gen,
    meminfo,
    mountinfo,
    pid_cgroup,
    pid_oom_score,
    pid_oom_score_adj,
    pid_smaps_rollup,
    pid_stat,
    pid_statm,
    pid_status,
    psi,
    swaps,
    sysctl_vm,
    v1_memory_stat,
    v1_oom_control,
    vmstat,
    zoneinfo,
)

pytestmark = pytest.mark.live
PAGE = resource.getpagesize()
PROC = Path("/proc")


def text_of(path):
    """The text, or a skip where this machine has no such file or will not show it."""
    try:
        return Path(path).read_text(errors="surrogateescape")
    except OSError as error:
        pytest.skip(f"{path}: {error.strerror}")


def test_meminfo_agrees_with_sysconf():
    if "lxcfs" in text_of("/proc/self/mounts"):
        pytest.skip("lxcfs shows another meminfo than the machine's")
    figures = meminfo.parse(text_of("/proc/meminfo"))
    assert figures["MemTotal"] == os.sysconf("SC_PHYS_PAGES") * PAGE
    assert figures["MemFree"] <= figures["MemTotal"]


def test_zones():
    zones = zoneinfo.parse(text_of("/proc/zoneinfo"), page_size=PAGE)
    for zone in zones:
        assert zone.min_bytes <= zone.low_bytes <= zone.high_bytes
        assert zone.managed_bytes <= zone.present_bytes <= zone.spanned_bytes
    # Not equal to MemTotal: a kernel may hand its pages to the zones only when they are needed.
    assert any(zone.managed_bytes for zone in zones)


def test_buddies_are_part_of_the_free_pages():
    zones = {
        (zone.node, zone.name): zone for zone in zoneinfo.parse(text_of("/proc/zoneinfo"), page_size=PAGE)
    }
    for buddy in buddyinfo.parse(text_of("/proc/buddyinfo")):
        assert buddy.free_pages() * PAGE <= zones[buddy.node, buddy.name].present_bytes


def test_swaps_make_up_the_swap():
    areas = swaps.parse(text_of("/proc/swaps"))
    assert sum(area.size_bytes for area in areas) == meminfo.parse(text_of("/proc/meminfo"))["SwapTotal"]


def test_vmstat_counts_this_test():
    before, after = (vmstat.parse(text_of("/proc/vmstat")) for _ in range(2))
    assert 0 < before["pgfault"] <= after["pgfault"]
    assert before["oom_kill"] <= after["oom_kill"]


@pytest.mark.parametrize("name", ["memory", "cpu", "io"])
def test_pressure(name):
    pressure = psi.parse(text_of(f"/proc/pressure/{name}"))
    assert 0 <= pressure.some.avg10_pct <= 100
    assert pressure.full is None or pressure.full.total_us <= pressure.some.total_us


def test_this_process():
    stat = pid_stat.parse(text_of("/proc/self/stat"))
    status = pid_status.parse(text_of("/proc/self/status"))
    statm = pid_statm.parse(text_of("/proc/self/statm"), page_size=PAGE)
    assert stat.pid == status.pid == status.tgid == os.getpid()
    assert stat.ppid == status.ppid == os.getppid()
    assert (status.uid, status.ns_pids[-1]) == (os.getuid(), os.getpid())
    assert stat.comm == status.name == text_of("/proc/self/comm").removesuffix("\n")
    parts = status.rss_anon_bytes + status.rss_file_bytes + status.rss_shmem_bytes
    assert status.rss_bytes == parts
    assert 0 < statm.rss_bytes <= statm.total_vm_bytes


def test_every_process():
    seen = 0
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                stat, status = (entry / "stat").read_bytes(), (entry / "status").read_bytes()
            except OSError:
                continue  # it ended
            parsed = pid_stat.parse(stat.decode(errors="surrogateescape"))
            assert parsed.pid == int(entry.name)
            assert pid_status.parse(status.decode(errors="surrogateescape")).pid == int(entry.name)
            seen += 1
    assert seen > 1


def test_a_process_with_a_hostile_name():
    name = ") R 1\n(\\"
    program = f"open('/proc/self/comm', 'w').write({name!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdout.readline() == b"\n"
        stat = pid_stat.parse(text_of(f"/proc/{child.pid}/stat"))
        status = pid_status.parse(text_of(f"/proc/{child.pid}/status"))
        child.communicate(b"\n")
    assert (stat.comm, stat.ppid) == (name, os.getpid())
    assert (status.name, status.ppid) == (name, os.getpid())


def test_smaps_rollup_agrees_with_status():
    rollup = pid_smaps_rollup.parse(text_of("/proc/self/smaps_rollup"))
    # Rss here and in status are counted at different instants, and status lags by 64 pages per thread.
    assert rollup["Pss"] <= rollup["Rss"]
    assert rollup["Rss"] == pytest.approx(pid_status.parse(text_of("/proc/self/status")).rss_bytes, rel=0.2)


def test_oom_score_of_this_process():
    assert 0 <= pid_oom_score.parse(text_of("/proc/self/oom_score")) <= 2000
    assert pid_oom_score_adj.parse(text_of("/proc/self/oom_score_adj")) >= -1000


def test_where_the_cgroups_are():
    mounts = mountinfo.parse(text_of("/proc/self/mountinfo"))
    assert "/" in {mount.mount_point for mount in mounts}
    memberships = pid_cgroup.parse(text_of("/proc/self/cgroup"))
    controllers = cgroups.parse(text_of("/proc/cgroups"))
    for mount in mountinfo.cgroup_v1_memory(mounts):
        hierarchy = next(each.hierarchy for each in memberships if "memory" in each.controllers)
        assert controllers["memory"].hierarchy == hierarchy
        assert Path(mount.mount_point).is_dir()


def test_memory_of_v1():
    mounts = mountinfo.cgroup_v1_memory(mountinfo.parse(text_of("/proc/self/mountinfo")))
    if not mounts:
        pytest.skip("no cgroup v1 memory here")
    stat = v1_memory_stat.parse(text_of(f"{mounts[0].mount_point}/memory.stat"))
    assert stat.stat["anon"] > 0
    assert v1_oom_control.parse(text_of(f"{mounts[0].mount_point}/memory.oom_control")).under_oom is False


def test_settings():
    for name in sysctl_vm.NAMES:
        path = PROC / "sys/vm" / name
        if path.exists():
            sysctl_vm.parse(text_of(path))
    assert 0 <= sysctl_vm.parse(text_of("/proc/sys/vm/swappiness")) <= 200


def test_lru_gen():
    assert lru_gen.parse(text_of("/sys/kernel/mm/lru_gen/enabled")) & lru_gen.CORE in (0, 1)


def test_the_log_has_consecutive_records():
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        pytest.skip(f"/dev/kmsg: {error.strerror}")
    records = []
    try:
        while len(records) < 200:
            records.append(kmsg.parse(os.read(log, 8192).decode("utf-8", "surrogateescape")))
    except BlockingIOError:
        pass  # the end of the log
    finally:
        os.close(log)
    assert records
    for earlier, later in pairwise(records):
        assert kmsg.lost_between(earlier, later) == 0
