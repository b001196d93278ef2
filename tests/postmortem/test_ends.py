"""How reports end, what they say about the scope, and what the text leaves open."""

from __future__ import annotations

import pytest

from tests.postmortem.texts import HEADER, KILL, MEMCG_KILL, SUMMARY, dmesg, only, reports

NOBODY = "Out of memory and no killable processes..."
DEADLOCK = "Kernel panic - not syncing: System is deadlocked on memory"


def test_nobody_could_be_killed():
    report = only(dmesg(HEADER, NOBODY))
    assert (report.killed, report.no_killable, report.panic, report.scope) == (False, True, False, "unknown")


@pytest.mark.parametrize(
    ("panic", "no_killable"),
    [
        (DEADLOCK, False),
        ("Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled", False),
        ("Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled", False),
        ("Kernel panic - not syncing: out of memory. Compulsory panic_on_oom is selected.", False),
        ("Kernel panic - not syncing: Out of memory and no killable processes...", True),
    ],
)
def test_panics_of_the_oom_killer(panic: str, no_killable: bool):
    report = only(dmesg(HEADER, panic))
    assert (report.killed, report.panic, report.no_killable, report.scope) == (
        False,
        True,
        no_killable,
        "system",
    )


def test_another_panic_is_none_of_ours():
    report = only(dmesg(HEADER, "Kernel panic - not syncing: Attempted to kill init!"))
    assert (report.panic, report.killed) == (False, None)
    assert reports(dmesg("Kernel panic - not syncing: Attempted to kill init!")) == []


def test_a_panic_alone_names_the_task_below_it():
    text = dmesg(
        "Kernel panic - not syncing: Out of memory and no killable processes...",
        "CPU: 4 PID: 1 Comm: swapper/4 Not tainted 4.12.14-197.18-default #1",
    )
    report = only(text)
    assert (report.invoker.comm, report.invoker.pid, report.host.kernel) == (
        "swapper/4",
        1,
        "4.12.14-197.18-default",
    )


@pytest.mark.parametrize(
    ("lines", "scope", "from_text"),
    [
        ([SUMMARY], "memcg", True),
        ([SUMMARY.replace("CONSTRAINT_MEMCG", "CONSTRAINT_NONE")], "memcg", True),
        (
            [
                "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=a,pid=7,uid=0"
            ],
            "system",
            True,
        ),
        (["oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=a,mems_allowed=1"], "cpuset", True),
        (["oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=1,task=a,pid=7,uid=0"], "mempolicy", True),
        (
            ["oom-kill:constraint=CONSTRAINT_OWN,nodemask=1,global_oom,task_memcg=/,task=a,pid=7,uid=0"],
            "system",
            True,
        ),
        (["oom-kill:constraint=CONSTRAINT_OWN,nodemask=1,task=a,pid=7,uid=0"], "unknown", False),
        ([MEMCG_KILL], "memcg", True),
        ([KILL], "system", True),
        (["Task in /a killed as a result of limit of /b"], "memcg", True),
        (["memory: usage 4kB, limit 4kB, failcnt 0"], "memcg", True),
        (["Memory cgroup stats for /a:"], "memcg", True),
        (["No available memory in cpuset: kill process 7 (a) score 9 or a child"], "cpuset", True),
        (["No available memory (MPOL_BIND): kill process 7 (a) score 9 or a child"], "mempolicy", True),
        ([HEADER], "unknown", False),
        ([HEADER, "Call Trace:", " mem_cgroup_out_of_memory+0x1/0x2"], "memcg", False),
        ([HEADER, "Call Trace:", " __alloc_frozen_pages_noprof+0x1/0x2"], "system", False),
        ([HEADER, "Call Trace:", " ? mem_cgroup_out_of_memory+0x1/0x2"], "unknown", False),
        ([HEADER, "Mem-Info:", "active_anon:1 inactive_anon:2"], "system", False),
        ([HEADER.replace("order=0", "order=-1")], "system", False),
        ([HEADER, "Workqueue: events moom_callback"], "system", False),
    ],
)
def test_scopes(lines: list[str], scope: str, from_text: bool):
    report = only(dmesg(*lines))
    assert (report.scope, report.scope_from_text) == (scope, from_text)


@pytest.mark.parametrize(
    ("lines", "manual"),
    [
        ([HEADER.replace("order=0", "order=-1")], True),
        ([HEADER, "Workqueue: events moom_callback"], True),
        ([HEADER, "Call Trace:", " moom_callback+0x1/0x2"], True),
        ([HEADER, "Workqueue: writeback wb_workfn"], False),
    ],
)
def test_sysrq(lines: list[str], manual: bool):
    assert only(dmesg(*lines)).manual is manual


ZERO = HEADER.replace("0xcc0(GFP_KERNEL)", "0x0()")
FAULT = " pagefault_out_of_memory+0x1/0x2"


@pytest.mark.parametrize(
    ("lines", "raised"),
    [
        ([ZERO], True),
        ([HEADER], False),
        ([ZERO, "Call Trace:", FAULT], True),
        ([HEADER, "Call Trace:", FAULT], True),
        ([ZERO, "Call Trace:", " bpf_oom_kill+0x1/0x2", " out_of_memory+0x1/0x2"], False),
        ([ZERO, "Call Trace:", " mem_cgroup_oom_synchronize+0x1/0x2", FAULT], False),
        ([ZERO, "Call Trace:", " __alloc_pages+0x1/0x2", FAULT], False),
        ([ZERO, "memory: usage 4kB, limit 4kB, failcnt 0"], False),
        ([KILL], False),
    ],
)
def test_the_page_fault_path(lines: list[str], raised: bool):
    assert only(dmesg(*lines)).page_fault_path is raised


MIDDLE = ["Mem-Info:", "Node 0 DMA free:1kB min:2kB low:3kB high:4kB"]


@pytest.mark.parametrize(
    ("lines", "complete"),
    [
        ([HEADER, *MIDDLE, KILL], True),
        ([HEADER, "memory: usage 4kB, limit 4kB, failcnt 0", KILL], True),
        ([HEADER, *MIDDLE, NOBODY, DEADLOCK], True),
        ([HEADER, *MIDDLE], False),
        ([HEADER, KILL], False),
        ([*MIDDLE, KILL], False),
        (["postgres invoked oom-killer", *MIDDLE, KILL], False),
        ([HEADER, "...", *MIDDLE, KILL], False),
        ([HEADER, "<snip>", *MIDDLE, KILL], False),
        ([HEADER, *MIDDLE, KILL.partition(" anon-rss")[0]], False),
        ([HEADER, *MIDDLE, "[ pid ]   uid  tgid total_vm      rss oom_score_a", KILL], False),
        (
            [
                HEADER,
                *MIDDLE,
                "[   70]     0    70     1000      500       9        0             0 make",
                KILL,
            ],
            False,
        ),
    ],
)
def test_a_report_is_complete_when_nothing_is_missing(lines: list[str], complete: bool):
    assert only(dmesg(*lines)).source.complete is complete


def test_blocks_that_an_excerpt_puts_behind_the_kill_still_count():
    text = dmesg(
        SUMMARY.replace("MEMCG", "NONE"), KILL, "...", "Unreclaimable slab info:", "kmalloc-192  9KB  9KB"
    )
    found = reports(text)
    assert len(found) == 1
    assert found[0].node is not None
    assert found[0].node.unreclaimable_slabs_bytes == {"kmalloc-192": 9 * 1024}


def test_the_time_and_place_of_a_report_are_those_of_its_first_line():
    report = only(
        f"May  9 14:52:38 db1 kernel: [  100.000001] {HEADER}\nMay  9 14:52:39 db1 kernel: {KILL}\n"
    )
    assert (report.when.monotonic_us, report.when.wall) == (100_000_001, "May  9 14:52:38")
    assert report.host.name == "db1"


def test_where_nothing_is_said_nothing_is_known():
    report = only(HEADER)
    assert (report.when.monotonic_us, report.when.wall, report.host.name, report.host.kernel) == (None,) * 4
    assert (report.memcg, report.node, report.tasks, report.victims, report.task_path) == (
        None,
        None,
        (),
        (),
        None,
    )
    assert (report.host.page_size_bytes, report.host.page_size_basis) == (4096, "assumed")


def test_marks_tell_the_lines_that_facts_rest_on():
    text = dmesg(HEADER, "memory: usage 4kB, limit 4kB, failcnt 0", "anon 12", "file 0", SUMMARY, MEMCG_KILL)
    assert [(mark.kind, mark.line) for mark in only(text).marks] == [
        ("header", 1),
        ("usage", 2),
        ("stat-line", 3),
        ("oom-kill", 5),
        ("kill", 6),
    ]


def test_suppressed_callbacks_are_marked():
    text = dmesg(HEADER, "oom_kill_process: 21 callbacks suppressed", "oom_kill_process: odd", KILL)
    report = only(text)
    assert [mark.kind for mark in report.marks] == ["header", "suppressed", "kill"]
    assert report.source.unparsed_lines == 1
