"""The small files of the cgroup core: events, stat, procs, controllers, cpu.stat, io.stat."""

import pytest

from memwarden.kernel import cgroup_events, cgroup_procs, cgroup_stat, controllers, cpu_stat, io_stat
from memwarden.kernel.cgroup_events import CgroupEvents
from tests.kernel.refused import refused


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("populated 1\nfrozen 0\n", CgroupEvents(populated=True, frozen=False)),
        ("populated 0\nfrozen 1\n", CgroupEvents(populated=False, frozen=True)),
        ("populated 0\n", CgroupEvents(populated=False, frozen=None)),
        ("populated 0\nof_kernel_9 7\n", CgroupEvents(populated=False, frozen=None)),
    ],
)
def test_events(text, events):
    assert cgroup_events.parse(text) == events


@pytest.mark.parametrize("text", ["frozen 0\n", "populated 2\n", "populated 0\nfrozen 2\n"])
def test_events_refused(text):
    assert refused(cgroup_events.parse, text) == (0, text)


def test_events_line_refused():
    assert refused(cgroup_events.parse, "populated 1\nfrozen\n") == (2, "frozen")


def test_stat_of_6_1():
    assert cgroup_stat.parse("nr_descendants 3\nnr_dying_descendants 1\n") == {
        "nr_descendants": 3,
        "nr_dying_descendants": 1,
    }


def test_stat_of_6_12_has_each_controller():
    text = (
        "nr_descendants 3\nnr_subsys_cpu 4\nnr_subsys_memory 4\n"
        "nr_dying_descendants 1\nnr_dying_subsys_cpu 0\nnr_dying_subsys_memory 1\n"
    )
    assert cgroup_stat.parse(text) == {
        "nr_descendants": 3,
        "nr_subsys_memory": 4,
        "nr_dying_descendants": 1,
        "nr_dying_subsys_memory": 1,
    }


def test_stat_refused():
    assert refused(cgroup_stat.parse, "nr_subsys_cpu 4\n") == (0, "nr_subsys_cpu 4\n")


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("", ()),
        ("1\n", (1,)),
        ("4242\n17\n4194304\n", (4242, 17, 4194304)),  # v2: order of joining, not of pids
        ("0\n0\n17", (0, 0, 17)),  # of another pid namespace
    ],
)
def test_procs(text, pids):
    assert cgroup_procs.parse(text) == pids


@pytest.mark.parametrize("text", ["\n", "1\n\n", "1\n\n2\n", "1 2\n", "-1\n", "x\n", "1\n2x\n", "1\x0b2\n"])
def test_procs_refused(text):
    assert refused(cgroup_procs.parse, text) == (0, text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("\n", ()),
        ("", ()),
        (
            "cpuset cpu io memory hugetlb pids rdma misc dmem\n",
            ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc", "dmem"),
        ),
        ("perf_event", ("perf_event",)),
    ],
)
def test_controllers(text, names):
    assert controllers.parse(text) == names


@pytest.mark.parametrize("text", ["67108864\n", "memory,cpu\n", "mémoire\n", "\0\n", "a=b\n"])
def test_controllers_refused(text):
    assert refused(controllers.parse, text) == (0, text)


def test_cpu_stat():
    text = (
        "usage_usec 9\nuser_usec 6\nsystem_usec 3\ncore_sched.force_idle_usec 1\n"
        "nr_periods 2\nnr_throttled 1\nthrottled_usec 5\n"
    )
    assert cpu_stat.parse(text) == {
        "usage_usec": 9,
        "user_usec": 6,
        "system_usec": 3,
        "nr_periods": 2,
        "nr_throttled": 1,
        "throttled_usec": 5,
    }


def test_cpu_stat_refused():
    assert refused(cpu_stat.parse, "usage_usec -9\n") == (1, "usage_usec -9")


FIGURES = "rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"
PARSED = {"rbytes": 1, "wbytes": 2, "rios": 3, "wios": 4, "dbytes": 5, "dios": 6}


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("", {}),
        (f"8:0 {FIGURES}\n", {"8:0": PARSED}),
        (f"8:0 {FIGURES}\n253:16 rbytes=7\n", {"8:0": PARSED, "253:16": {"rbytes": 7}}),
        (f"8:0 {FIGURES} cost.usage=77 cost.wait=0\n", {"8:0": PARSED}),
        ("7:0 \n8:0 rbytes=7\n", {"8:0": {"rbytes": 7}}),  # a device that did nothing
        ("7:0 7:1 8:0 rbytes=7\n", {"8:0": {"rbytes": 7}}),  # the same, its line not ended
        ("8:0 use_delay=0 delay_nsec=0 delayed=max\n", {}),
    ],
)
def test_io_stat(text, devices):
    assert io_stat.parse(text) == devices


@pytest.mark.parametrize(
    "line",
    [
        "rbytes=1",
        "sda rbytes=1",
        "8: rbytes=1",
        ":0",
        "8:0 rbytes=",
        "8:0 rbytes=-1",
        "8:0 rbytes=max",
        "8:0 x",
    ],
)
def test_io_stat_refused(line):
    assert refused(io_stat.parse, f"7:0 rbytes=1\n{line}\n") == (2, line)
