"""The files of one process: stat, status, statm, smaps_rollup."""

import pytest

from memwarden.kernel import pid_smaps_rollup, pid_stat, pid_statm, pid_status
from memwarden.kernel.pid_stat import PidStat
from memwarden.kernel.pid_statm import PidStatm
from memwarden.kernel.pid_status import PidStatus
from tests.kernel.refused import refused

KIB = 1024
HOSTILE = [
    "bash",
    "a b",
    "(sd-pam)",
    ") S 1 (",
    "a\nb",
    "\\n",
    "))",
    "",
    " ",
    "tmux: server",
    "a\x0b\x85",
    "\udcff",
]
STAT = "{pid} ({comm}) S 1 42 42 0 -1 4194560 301 5 2 6 7 3 8 9 20 -5 4 0 83310 2998272 410 17{rest}"


@pytest.mark.parametrize("comm", HOSTILE)
@pytest.mark.parametrize("rest", ["", " 1 2 3\n", " 0" * 27 + "\n"])
def test_stat(comm, rest):
    assert pid_stat.parse(STAT.format(pid=42, comm=comm, rest=rest)) == PidStat(
        pid=42,
        comm=comm,
        state="S",
        ppid=1,
        flags=4194560,
        minor_faults=301,
        major_faults=2,
        user_ticks=7,
        system_ticks=3,
        nice=-5,
        threads=4,
        start_time_ticks=83310,
        total_vm_bytes=2998272,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "42 (bash",
        "42 bash) S 1 2 3\n",
        "x" + STAT.format(pid=42, comm="bash", rest="\n"),
        STAT.format(pid="", comm="bash", rest="\n"),
        STAT.format(pid=42, comm="bash", rest="\n").replace("83310", "x"),
        STAT.format(pid=42, comm="bash", rest="\n")[:60],
        STAT.format(pid=42, comm="bash", rest="\n").replace("S 1", "S -1"),
    ],
)
def test_stat_refused(text):
    assert refused(pid_stat.parse, text) == (0, text[:80])


STATUS = """Name:\tbash
Umask:\t0022
State:\tS (sleeping)
Tgid:\t42
Ngid:\t0
Pid:\t42
PPid:\t1
TracerPid:\t0
Uid:\t1000\t1001\t1002\t1003
Gid:\t0\t0\t0\t0
NSpid:\t42\t7
VmPeak:\t    9000 kB
VmSize:\t    2928 kB
VmLck:\t       8 kB
VmHWM:\t    1900 kB
VmRSS:\t    1856 kB
RssAnon:\t     116 kB
RssFile:\t    1730 kB
RssShmem:\t      10 kB
VmPTE:\t      44 kB
VmSwap:\t       4 kB
HugetlbPages:\t    2048 kB
Threads:\t3
CapEff:\t000001fffeffffff
"""
KERNEL_THREAD = (
    "Name:\tkthreadd\nState:\tI (idle)\nTgid:\t2\nPid:\t2\nPPid:\t0\nUid:\t0\t0\t0\t0\nThreads:\t1\n"
)


def test_status():
    assert pid_status.parse(STATUS) == PidStatus(
        name="bash",
        state="S",
        tgid=42,
        pid=42,
        ppid=1,
        uid=1000,
        threads=3,
        ns_pids=(42, 7),
        cap_effective=0x1FFFEFFFFFF,
        total_vm_bytes=2928 * KIB,
        peak_rss_bytes=1900 * KIB,
        rss_bytes=1856 * KIB,
        rss_anon_bytes=116 * KIB,
        rss_file_bytes=1730 * KIB,
        rss_shmem_bytes=10 * KIB,
        swap_bytes=4 * KIB,
        pgtables_bytes=44 * KIB,
        locked_bytes=8 * KIB,
        hugetlb_bytes=2048 * KIB,
    )


def test_status_of_a_kernel_thread_has_no_memory():
    assert pid_status.parse(KERNEL_THREAD) == PidStatus("kthreadd", "I", 2, 2, 0, 0, 1)


@pytest.mark.parametrize("order", [("VmPTE", "VmPMD"), ("VmPMD", "VmPTE")])
def test_page_tables_have_the_middle_directory_in_them(order):
    sizes = {"VmPTE": 44, "VmPMD": 12}
    text = KERNEL_THREAD + "".join(f"{key}:\t      {sizes[key]} kB\n" for key in order)
    assert pid_status.parse(text).pgtables_bytes == (44 + 12) * KIB


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        (r"a\nb", "a\nb"),
        (r"a\\nb", r"a\nb"),
        (r"a\\\nb", "a\\\nb"),
        (r"\\\\", r"\\"),
        ("a b) ", "a b) "),
        ("", ""),
        ("a\x0bb\x85c", "a\x0bb\x85c"),
        ("State:\tZ", "State:\tZ"),
    ],
)
def test_status_name(printed, name):
    status = pid_status.parse(STATUS.replace("bash", printed))
    assert (status.name, status.state) == (name, "S")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("VmRSS:\t    1856 kB", "VmRSS:\t    1856"),
        ("VmSwap:\t       4 kB", "VmSwap:\t       -4 kB"),
        ("Threads:\t3", "Threads:\t"),
        ("Uid:\t1000\t1001\t1002\t1003", "Uid:\tx\t1001\t1002\t1003"),
        ("NSpid:\t42\t7", "NSpid:\t42\t"),
        ("CapEff:\t000001fffeffffff", "CapEff:\t0x1"),
        ("State:\tS (sleeping)", "State:\t"),
    ],
)
def test_status_line_refused(good, bad):
    number = STATUS.split("\n").index(good) + 1
    assert refused(pid_status.parse, STATUS.replace(good, bad)) == (number, bad)


@pytest.mark.parametrize("key", ["Name", "State", "Tgid", "Pid", "PPid", "Uid", "Threads"])
def test_status_without_a_needed_line(key):
    text = "".join(line + "\n" for line in STATUS.splitlines() if not line.startswith(key + ":"))
    assert refused(pid_status.parse, text) == (0, text[:80])


@pytest.mark.parametrize("page", [4096, 65536])
def test_statm(page):
    parsed = pid_statm.parse("732 439 410 6 0 89 0\n", page_size=page)
    assert parsed == PidStatm(732 * page, 439 * page, 410 * page, 6 * page, 89 * page)


@pytest.mark.parametrize(
    "text", ["", "1 2 3 4 5 6\n", "1 2 3 4 5 6 7 8\n", "1 2 3 4 5 6 x\n", "-1 2 3 4 5 6 7\n"]
)
def test_statm_refused(text):
    assert refused(pid_statm.parse, text) == (0, text)


ROLLUP = "55b2207b1000-7ffda75a4000 ---p 00000000 00:00 0                          [rollup]\n"


def test_smaps_rollup():
    text = ROLLUP + "Rss:                1740 kB\nPss:                 303 kB\nOf_Kernel_9:      1 kB\n"
    assert pid_smaps_rollup.parse(text) == {"Rss": 1740 * KIB, "Pss": 303 * KIB}


def test_smaps_rollup_refused():
    assert refused(pid_smaps_rollup.parse, ROLLUP + "Pss: x kB\n") == (2, "Pss: x kB")
    assert refused(pid_smaps_rollup.parse, ROLLUP) == (0, ROLLUP[:80])
    assert refused(pid_smaps_rollup.parse, "") == (0, "")
