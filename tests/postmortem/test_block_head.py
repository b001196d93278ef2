"""Header and CPU line: every age, anything as a comm, cut lines."""

from __future__ import annotations

import pytest

from memwarden.postmortem.blocks.cpu import CpuLine, parse_cpu, parse_process
from memwarden.postmortem.blocks.header import Header, parse_header

COMMS = [
    "cc1",
    "CPU 11/KVM",
    "node /opt/www/p",
    "tmux: server",
    "runc:[2:INIT]",
    "((sd-pam))",
    "a invoked b",
    "täsk",
]


@pytest.mark.parametrize("comm", COMMS)
def test_a_comm_may_hold_anything(comm: str):
    header = parse_header(f"{comm} invoked oom-killer: gfp_mask=0xd0, order=3, oom_score_adj=12")
    assert header == Header(comm, 0xD0, None, 3, 12, None, None)


@pytest.mark.parametrize(
    ("tail", "header"),
    [
        ("gfp_mask=0x201da, order=0, oomkilladj=-17", Header("x", 0x201DA, None, 0, None, -17)),
        ("gfp_mask=0x201da, order=0, oom_adj=2", Header("x", 0x201DA, None, 0, None, 2)),
        ("gfp_mask=0xd0, order=0, oom_adj=0, oom_score_adj=7", Header("x", 0xD0, None, 0, 7, 0)),
        ("gfp_mask=0x0(), order=0, oom_score_adj=0", Header("x", 0, (), 0, 0)),
        ("gfp_mask=0xcc0(A|B), order=-1, oom_score_adj=0", Header("x", 0xCC0, ("A", "B"), -1, 0)),
        (
            "gfp_mask=0xcc0(A), nodemask=0-1,3,  order=0, oom_score_adj=0",
            Header("x", 0xCC0, ("A",), 0, 0, None, "0-1,3"),
        ),
        ("gfp_mask=0xcc0(A), nodemask=(null), order=0", Header("x", 0xCC0, ("A",), 0, nodemask="(null)")),
        ("gfp_mask=0x", Header("x")),
    ],
)
def test_headers_of_all_ages_and_cut_ones(tail: str, header: Header):
    assert parse_header(f"x invoked oom-killer: {tail}") == header


def test_the_words_alone_are_a_header_whose_figures_are_lost():
    assert parse_header("x invoked oom-killer") == Header("x")


def test_before_2_6_19_the_header_names_nobody():
    assert parse_header("oom-killer: gfp_mask=0x201d2, order=0") == Header(None, 0x201D2, None, 0)


@pytest.mark.parametrize(
    "text", ["x invoked oom-killers today", "x" * 65 + " invoked oom-killer: order=0", "oom-killer"]
)
def test_other_sentences_are_no_headers(text: str):
    assert parse_header(text) is None


@pytest.mark.parametrize("comm", [comm for comm in COMMS if comm != "täsk"])
@pytest.mark.parametrize(
    ("line", "kernel"),
    [
        ("CPU: 3 PID: 41 Comm: {} Not tainted 5.14.0-427.el9.x86_64 #1", "5.14.0-427.el9.x86_64"),
        ("CPU: 3 PID: 41 Comm: {} Kdump: loaded Tainted: G      D W  OE     6.1.0 #1", "6.1.0"),
        ("CPU: 3 UID: 0 PID: 41 Comm: {} Not tainted 6.12.1 #1 PREEMPT(lazy)", "6.12.1"),
        ("Pid: 41, comm: {} Not tainted 2.6.32-754.el6.x86_64 #1", "2.6.32-754.el6.x86_64"),
        ("CPU: 3 PID: 41 Comm: {} Tainted: P", None),
    ],
)
def test_cpu_lines_of_all_ages(comm: str, line: str, kernel: str | None):
    assert parse_cpu(line.format(comm)) == CpuLine(41, comm, kernel)


def test_a_cpu_line_cut_behind_the_comm():
    assert parse_cpu("CPU: 3 PID: 41 Comm: kworker/0:2 ") == CpuLine(41, "kworker/0:2", None)


@pytest.mark.parametrize("text", ["CPU: Testing write buffer coherency: ok", "Pid: none"])
def test_other_lines_about_cpus(text: str):
    assert parse_cpu(text) is None


@pytest.mark.parametrize(
    ("line", "kernel"),
    [
        ("CPU: 0 Not tainted 2.6.28 #1", "2.6.28"),
        ("CPU: 1    Not tainted  (3.0.8 #1)", "3.0.8"),
        ("CPU: 1    Tainted: P        W     (2.6.35.7 #2)", "2.6.35.7"),
        ("CPU: 1    Not tainted", None),
    ],
)
def test_cpu_lines_that_name_nobody(line: str, kernel: str | None):
    assert parse_cpu(line) == CpuLine(None, None, kernel)


def test_the_line_that_names_the_task_instead():
    assert parse_process("Process a (b) c (pid: 41, task: 0000000000, ksp: 00)") == ("a (b) c", 41)
    assert parse_process("Process 41 exited") is None
