"""Blocks as they stand in reports: what is kept, what is passed over, what is not understood."""

from __future__ import annotations

import pytest

from tests.postmortem.texts import HEADER, KILL, SUMMARY, dmesg, only, reports

KIB = 1024
USAGE = "memory: usage 4kB, limit 4kB, failcnt 0"
DRESSES = [dmesg, lambda *lines: "\n".join(lines)]
"""With fronts most lines are read quickly, without them one by one: both must say the same."""


@pytest.fixture(params=DRESSES, ids=["fronts", "bare"])
def dress(request):
    return request.param


def test_tagged_allocations_and_slab_caches(dress):
    report = only(
        dress(
            HEADER,
            "Mem-Info:",
            "active_anon:1 inactive_anon:2 isolated_anon:0",
            "Memory allocations:",
            "  3176243200   247900 mm/slub.c:2264 func:new_slab",
            "    20.0 MiB    51133 fs/xfs/xfs_icache.c:82 [xfs] func:xfs_inode_alloc",
            "Unreclaimable slab info:",
            "Name                      Used          Total",
            "kmalloc-192         15683546KB   15683547KB",
            "page->ptl                153KB        293KB",
            KILL,
        )
    )
    assert report.node is not None
    assert report.node.allocations_bytes == {
        "mm/slub.c:2264 func:new_slab": 3176243200,
        "fs/xfs/xfs_icache.c:82 [xfs] func:xfs_inode_alloc": 20 << 20,
    }
    assert report.node.unreclaimable_slabs_bytes == {"kmalloc-192": 15683547 * KIB, "page->ptl": 293 * KIB}
    assert report.source.unparsed_lines == 0


def test_lines_that_carry_nothing_we_need_are_understood(dress):
    report = only(
        dress(
            HEADER,
            "COMPACTION is disabled!!!",
            "oom_policy=default",
            "Process postgres (pid: 9, task: 0000, ksp: 0000)",
            "Stack:",
            " ffff880182272f10 00000000021dcb0a ffff880418207938",
            "Exception stack(0xc2821fb0 to 0xc2821ff8)",
            "1fa0: 00000000 00000000",
            "Code: 0f 0b 90",
            " unwind_backtrace from show_stack+0xb/0xc",
            " dump_stack_lvl (lib/dump_stack.c:123 (discriminator 1))",
            "[c00000037540f730] [c00000000127ec44] dump_stack_lvl+0x88/0xc4 (unreliable)",
            "GPR00: 0000000000000000 0000000000000000",
            "Mem-Info:",
            "Node 0 DMA per-cpu:",
            "CPU    0: hi:    0, btch:   1 usd:   0",
            "Swap cache stats: add 1, delete 1, find 1/1",
            "56640 pages shared",
            "excessive unreclaimable slab but cannot dump stats",
            "OOM victim 7 (a) is already exiting. Skip killing the task",
            "oom killer 7 (a) has mm pinned by 8 (b)",
            KILL,
        )
    )
    assert report.source.unparsed_lines == 0


def test_figures_that_stand_twice_keep_the_first(dress):
    report = only(
        dress(
            HEADER,
            USAGE,
            USAGE.replace("4kB", "8kB"),
            "anon 1",
            "anon 2",
            "file 0",
            "Mem-Info:",
            "free:1",
            "free:2",
            KILL,
        )
    )
    assert report.memcg is not None
    assert (report.memcg.usage_bytes, report.memcg.stat) == (4 * KIB, {"anon": 1, "file": 0})
    assert report.node is not None
    assert report.node.free_bytes == 4096


@pytest.mark.parametrize(
    "line",
    [
        "Task in /a killed as",
        "memory: usage 4kB, limit",
        "Memory cgroup min protection 4kB",
        "Node 0 hugepages_total=5",
        "Node 0 DMA",
        "Free swap  = lots",
        "Total swap = ",
        "anon 12",
        "kmalloc-192  9KB  9KB",
        "oom_reaper: attempts=10",
        "Tasks in /a are going",
        "Kill process 7 [a]",
        "[ 7] 1 2 3 4 5",
        "CPU: Testing write buffer coherency: ok",
        "x cpuset= mems_allowed=0",
        "1.2.3 MiB 7 a.c:1 func:f",
        "x invoked oom-killers",
    ],
)
def test_lines_that_are_cut_or_in_the_wrong_place_count_as_not_understood(line: str):
    report = only(dmesg(HEADER, line, "eth0: up", KILL))
    assert report.source.unparsed_lines == 2


@pytest.mark.parametrize(
    "line", ["Tasks in /a are going", "Task in /a killed as", "Kill process 7 [a]", "oom_reaper: x"]
)
def test_a_cut_line_begins_no_report(line: str):
    assert reports(dmesg(line, "memory", "lled process group")) == []


def test_statistics_of_descendants_and_without_a_path():
    line = "Memory cgroup stats for {}: cache:1KB rss:{}KB"
    report = only(dmesg(HEADER, line.format("/a", 1), line.format("/a/b", 2), line.format("/a", 1), KILL))
    assert report.memcg is not None
    assert (report.memcg.oom_path, report.memcg.stat) == ("/a", {"cache": KIB, "rss": KIB})
    assert report.memcg.descendants == {"/a/b": {"cache": KIB, "rss": 2 * KIB}}
    nameless = only(dmesg(HEADER, line.format("/a", 1), "Memory cgroup stats: cache:9KB", KILL))
    assert nameless.memcg is not None
    assert nameless.memcg.stat == {"cache": KIB, "rss": KIB}


def test_nodes_and_zones_add_up_where_the_head_is_lost():
    report = only(
        dmesg(
            HEADER,
            "Node 0 active_anon:4kB shmem:8kB all_unreclaimable? no",
            "Node 1 active_anon:16kB shmem:32kB all_unreclaimable? yes",
            "lowmem_reserve[]: 1 2",
            "Node 0 DMA free:1kB min:2kB low:3kB high:4kB inactive_file:5kB",
            "Node 1 Normal free:10kB min:20kB low:30kB high:40kB inactive_file:50kB",
            "Node 1 Movable: 3*4kB (M) = 12kB",
            KILL,
        )
    )
    node = report.node
    assert node is not None
    assert (node.active_anon_bytes, node.shmem_bytes) == (20 * KIB, 40 * KIB)
    assert (node.free_bytes, node.inactive_file_bytes, node.active_file_bytes) == (11 * KIB, 55 * KIB, None)
    assert [(zone.node, zone.name, zone.free_list) for zone in node.zones] == [
        (0, "DMA", None),
        (1, "Normal", None),
        (1, "Movable", {4096: 3}),
    ]
    assert node.hugepages_bytes is None


def test_huge_pages_of_all_nodes_and_sizes():
    pool = "Node {} hugepages_total={} hugepages_free=0 hugepages_surp=0 hugepages_size={}kB"
    report = only(dmesg(HEADER, "Mem-Info:", pool.format(0, 2, 1048576), pool.format(1, 3, 2048), KILL))
    assert report.node is not None
    assert report.node.hugepages_bytes == (2 << 30) + 3 * (2 << 20)


def test_a_block_of_someone_else_is_passed_over_line_by_line():
    failure = "cron: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL), nodemask=(null)"
    report = only(
        dmesg(
            HEADER,
            failure,
            "Mem-Info:",
            "free:1",
            "Node 0 active_anon:4kB",
            "Node 0 DMA free:1kB",
            "lowmem_reserve[]: 1 2",
            "DMA free:1kB",
            "7 pages RAM",
            "Free swap  = 4kB",
            "12 1 a.c:1 func:f",
            KILL,
        )
    )
    assert report.node is None
    assert report.source.unparsed_lines == 1


def test_the_cpuset_line_and_the_summary_agree_on_the_cpuset():
    line = "postgres cpuset=/ mems_allowed=0-3"
    assert (only(dmesg(HEADER, line, KILL)).cpuset, only(dmesg(HEADER, line, KILL)).mems_allowed) == (
        "/",
        "0-3",
    )
    assert only(dmesg(HEADER, line, SUMMARY, KILL)).mems_allowed == "0"
    nodemask = HEADER.replace("order=0", "nodemask=1, order=0")
    assert only(dmesg(nodemask, KILL)).nodemask == "1"
    assert only(dmesg(nodemask, SUMMARY)).nodemask == "(null)"


def test_the_invoker_of_a_report_without_its_header_is_on_the_cpu_line():
    report = only(dmesg("x cpuset=/ mems_allowed=0", "Pid: 9, comm: cron Not tainted 2.6.32 #1", KILL))
    assert (report.invoker.comm, report.invoker.pid, report.invoker.gfp_mask) == ("cron", 9, None)
    old = "oom-killer: gfp_mask=0x201d2, order=0"
    report = only(dmesg(old, "Pid: 9, comm: cron Not tainted 2.6.18 #1", "Killed process 7 (a)"))
    assert (report.invoker.comm, report.invoker.pid, report.invoker.gfp_mask) == ("cron", 9, 0x201D2)


def test_all_rows_stay_in_printed_order_with_their_lines():
    head = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
    rows = [
        f"[{pid:7d}]     0 {pid:5d}      734 {pid:8d}    45056        0             0 a"
        for pid in range(40, 10, -1)
    ]
    report = only(dmesg(HEADER, head, *rows, KILL))
    assert [(row.line, row.pid) for row in report.tasks] == [(3 + n, 40 - n) for n in range(30)]
    marked = [mark.line for mark in report.marks if mark.kind == "task"]
    assert marked == [3 + n for n in range(20)]
    assert report.tasks_listed == 30


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        (
            ["CPU: 0 Not tainted 2.6.28 #1", "Process postgres (pid: 9, task: 00000000, ksp: 00)"],
            ("postgres", 9, "2.6.28"),
        ),
        (
            ["CPU: 0 Not tainted 2.6.28 #1", "Process cron (pid: 9, task: 00000000, ksp: 00)"],
            ("postgres", None, "2.6.28"),
        ),
        (["CPU: 0 Not tainted 2.6.28 #1", "Process 9 exited"], ("postgres", None, "2.6.28")),
        (["Process postgres (pid: 9, task: 00000000)"], ("postgres", None, None)),
    ],
)
def test_machines_that_name_the_task_apart(lines: list[str], who: tuple[str | None, int | None, str | None]):
    report = only(dmesg(HEADER, *lines, KILL))
    assert (report.invoker.comm, report.invoker.pid, report.host.kernel) == who


RHEL_5 = """\
httpd invoked oom-killer: gfp_mask=0x201d2, order=0, oomkilladj=0
 [<ffffffff800c6013>] out_of_memory+0x8e/0x2f3
Mem-info:
Node 0 DMA per-cpu:
cpu 0 hot: high 0, batch 1 used:0
cpu 0 cold: high 0, batch 1 used:0
Node 0 HighMem per-cpu: empty
Free pages:       45600kB (0kB HighMem)
Active:1010 inactive:2020 dirty:0 writeback:0 free:11400 slab:6070 mapped-file:1 mapped-anon:3030
Node 0 DMA free:10852kB min:8kB low:8kB high:12kB active:0kB inactive:0kB present:10468kB pages_scanned:0
lowmem_reserve[]: 0 3254 8052 8052
Node 0 DMA: 3*4kB 4*8kB = 44kB
Swap cache: add 7, delete 7, find 0/0, race 0+0
Free swap  = 0kB
Total swap = 2031608kB
Free swap:            0kB
2097152 pages of RAM
50000 reserved pages
1234 pages shared
919 pages swap cached
Out of memory: Killed process 4321, UID 500, (java).
"""


def test_the_memory_of_rhel_5():
    report = only(RHEL_5)
    node = report.node
    assert node is not None
    assert (node.ram_bytes, node.reserved_bytes, node.swap_cache_bytes) == (
        2097152 * 4096,
        50000 * 4096,
        919 * 4096,
    )
    assert node.counters_bytes["mapped-anon"] == 3030 * 4096
    assert (report.victims[0].pid, report.victims[0].uid, report.victims[0].comm) == (4321, 500, "java")
    assert (report.source.complete, report.source.unparsed_lines) == (True, 0)


@pytest.mark.parametrize(
    "line",
    [
        "** 12 printk messages dropped **",
        "** 12 printk messages dropped ** [  100.5] usb 1-1: reset",
    ],
)
def test_messages_that_the_console_dropped(line: str):
    zone = "Node 0 DMA free:1kB min:2kB low:3kB high:4kB"
    assert only(dmesg(HEADER, "Mem-Info:", zone, KILL)).source.complete
    assert not only(dmesg(HEADER, "Mem-Info:", zone) + f"{line}\n" + dmesg(KILL)).source.complete
    assert only(dmesg(HEADER, "Mem-Info:", zone, "** note **", KILL)).source.complete


@pytest.mark.parametrize(
    ("line", "complete"),
    [
        ("systemd-journald[9]: Missed 114 kernel messages", False),
        ("rsyslogd: imjournal: 1234 messages lost due to rate-limiting", False),
        ("systemd-journald[9]: Suppressed 31 messages from kernel", False),
        ("sshd[9]: Accepted publickey", True),
    ],
)
def test_messages_that_a_logger_lost(line: str, complete: bool):
    front = "May  9 14:52:38 a"
    lines = [HEADER, "Mem-Info:", "Node 0 DMA free:1kB min:2kB low:3kB high:4kB"]
    text = "".join(f"{front} kernel: {message}\n" for message in lines)
    report = only(f"{text}{front} {line}\n{front} kernel: {KILL}\n{front} {line}\n")
    assert report.source.complete is complete
