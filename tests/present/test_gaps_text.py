"""Gaps in plain words."""

from __future__ import annotations

import pytest

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.present.gaps_text import plain
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot

PSI = Psi(PsiLine(0.0, 0.0, 0.0, 0), None)
WHOLE = Snapshot(Instant(0), cgroup_mode=CgroupMode.V2, memory_pressure=PSI)


def saying(*gaps, **changes):
    return plain(WHOLE._replace(gaps=gaps, **changes))


def test_a_machine_without_gaps_says_nothing():
    assert saying() == []


def test_files_this_kernel_never_had_are_not_complained_about():
    assert saying(Gap("/sys/fs/cgroup/a/memory.peak", GapReason.NO_FILE)) == []


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (
            Gap("/proc/pressure/memory", GapReason.NO_FILE),
            "no PSI: this kernel was built without it or booted",
        ),
        (Gap("/proc/pressure/memory", GapReason.NOT_SUPPORTED, "EOPNOTSUPP"), "boot with psi=1 to have it"),
        (
            Gap("/proc/pressure/memory", GapReason.NOT_PERMITTED),
            "no PSI: /proc/pressure/memory may not be read",
        ),
        (
            Gap("/proc/pressure/memory", GapReason.MALFORMED, "no some or full line: 'x'"),
            "/proc/pressure/memory is not what the kernel prints (no some or full line: 'x')",
        ),
    ],
)
def test_pressure_is_missing_for_a_reason(gap, words):
    [sentence] = saying(gap, memory_pressure=None)
    assert words in sentence


def test_processes_are_counted_not_their_files():
    gaps = [
        Gap(f"/proc/{pid}/{name}", GapReason.NOT_PERMITTED)
        for pid in (1, 22)
        for name in ("smaps_rollup", "stat")
    ]
    assert saying(*gaps) == [
        "2 processes could not be read in full (no permission): run as root to see all of it"
    ]


def test_other_files_are_named_up_to_three():
    gaps = [Gap(f"/sys/{name}", GapReason.NOT_PERMITTED) for name in "abcde"]
    assert saying(*gaps) == ["not permitted: /sys/a, /sys/b, /sys/c and 2 more"]


def test_pressure_files_of_cgroups_are_said_once_for_the_machine():
    gaps = [Gap(f"/sys/fs/cgroup/{name}/memory.pressure", GapReason.NOT_SUPPORTED) for name in "abc"]
    gaps.append(Gap("/sys/fs/cgroup", GapReason.NOT_SUPPORTED, "only v2 has it"))
    assert saying(*gaps) == []
    assert saying(*gaps, Gap("/x", GapReason.NOT_SUPPORTED)) == ["not supported here: /x"]


def test_malformed_files_are_shown_and_the_rest_counted():
    said = saying(*[Gap(f"/{number}\x1b", GapReason.MALFORMED, "bad") for number in range(5)])
    assert said[0] == "/0\\x1b is not what the kernel prints (bad)"
    assert said[3:] == ["and 2 more files that are not what the kernel prints"]


def test_what_ended_meanwhile_is_counted():
    assert saying(Gap("/proc/9/stat", GapReason.GONE)) == [
        "1 file vanished while being read, as processes and cgroups ended"
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cgroup_mode": CgroupMode.V1}, "memory is on cgroup v1"),
        ({"cgroup_mode": CgroupMode.HYBRID}, "memory is on cgroup v1"),
        ({"cgroup_mode": CgroupMode.NONE}, "only the machine as a whole is shown"),
        ({"host": HostFacts(container_view="lxcfs")}, "lxcfs is mounted over /proc"),
        ({"host": HostFacts(container_view="dock\x1ber")}, "the inside of a container (dock\\x1ber)"),
    ],
)
def test_what_kind_of_machine_costs_answers(change, words):
    [sentence] = saying(**change)
    assert words in sentence
