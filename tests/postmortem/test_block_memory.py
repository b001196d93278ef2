"""The cgroup block, Mem-Info, slab caches, the task table."""

from __future__ import annotations

import pytest

from memwarden.postmortem.blocks import memcg, meminfo, slab, tasks
from memwarden.units import MAX

KIB = 1024


@pytest.mark.parametrize(
    "printed_kb",
    [
        9007199254740988,  # 4 KiB pages: (2^63 - 1) / 4096 pages
        9007199254740928,  # 64 KiB pages
        9007199254740976,  # 16 KiB pages
        9007199254740991,  # RESOURCE_MAX of 2.6 and 3.x: 2^63 - 1 bytes
        18014398509481983,  # the same, unsigned
        8589934588,  # 32-bit: 2^31 - 1 pages
    ],
)
def test_numbers_that_mean_no_limit(printed_kb: int):
    assert memcg.limit_of_kb(printed_kb) is MAX


def test_the_largest_limit_that_is_one():
    assert memcg.limit_of_kb(9007199254740927) == 9007199254740927 * KIB
    assert memcg.limit_of_kb(0) == 0


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("memory: usage 8kB, limit 16kB, failcnt 3", memcg.Usage(8 * KIB, 16 * KIB, 3)),
        ("memory+swap: usage 8kB, limit 9007199254740988kB, failcnt 0", memcg.Usage(8 * KIB, MAX, 0)),
        ("swap: usage 8kB, limit 16kB", memcg.Usage(8 * KIB, 16 * KIB, None)),
        ("kmem: usage 8kB, limit 16", None),
    ],
)
def test_usage(text: str, usage: memcg.Usage | None):
    assert memcg.parse_usage(text) == usage


def test_whose_limit():
    assert memcg.parse_task_in("Task in /a b killed as a result of limit of /a") == ("/a b", "/a")
    assert memcg.parse_task_in("Memory limit reached of cgroup /a") == (None, "/a")
    assert memcg.parse_task_in("Task in /a killed as a") is None


def test_statistics_on_one_line_and_on_many():
    one = "Memory cgroup stats for /a b: cache:1KB rss:2KB swap:0KB"
    assert memcg.parse_stats(one) == ("/a b", {"cache": KIB, "rss": 2 * KIB, "swap": 0})
    assert memcg.parse_stats("Memory cgroup stats for /a:") == ("/a", {})
    assert memcg.parse_stats("Memory cgroup stats: cache:1KB") == (None, {"cache": KIB})
    assert memcg.parse_stats("Memory cgroup stats for /a") == (None, {})
    assert memcg.parse_stat("anon 12") == ("anon", 12)
    assert memcg.parse_stat("anon twelve") is None
    assert memcg.parse_protection("Memory cgroup min protection 4kB -- low protection 8kB") == (
        4 * KIB,
        8 * KIB,
    )
    assert memcg.parse_protection("Memory cgroup min protection 4kB") is None


ZONE = (
    "free:1kB min:2kB low:3kB high:4kB reserved_highatomic:5KB isolated(anon):6kB shmem_thp: 7kB "
    "free_cma:8k B"
)


@pytest.mark.parametrize("place", ["Node 1 ", ""])
@pytest.mark.parametrize("name", ["DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"])
def test_zones(place: str, name: str):
    zone = meminfo.parse_zone(f"{place}{name} {ZONE} all_unreclaimable? yes")
    figures = {"free": 1, "min": 2, "low": 3, "high": 4, "reserved_highatomic": 5, "isolated(anon)": 6}
    figures |= {"shmem_thp": 7, "free_cma": 8}
    assert zone == meminfo.Zone(1 if place else 0, name, figures, True)


def test_free_lists():
    text = "Node 1 Normal: 8939*4kB (UMEC) 0*8kB 5*16kB (C) 0* 32kB = 35836kB"
    got = meminfo.parse_zone(text)
    assert got is not None
    assert got[:3] == (1, "Normal", {4: 8939, 8: 0, 16: 5, 32: 0})


@pytest.mark.parametrize(
    "text", ["Node 0 DMA per-cpu:", "Node 0 DMA: empty", "Normalised", "Node 0 Fast free:1kB"]
)
def test_lines_that_are_neither(text: str):
    assert meminfo.parse_zone(text) is None


def test_nodes():
    got = meminfo.parse_node("Node 2 active_anon:1kB shmem_thp: 2kB all_unreclaimable? no")
    assert got == (2, {"active_anon": 1, "shmem_thp": 2}, False)
    assert meminfo.parse_node("Node 2 Normal free:1kB") is None
    assert meminfo.parse_node("Node 2 inactive_anon:1kB") == (2, {"inactive_anon": 1}, None)


def test_what_else_the_block_holds():
    assert meminfo.parse_reserve("lowmem_reserve[]: 0 3191 15659") == (0, 3191, 15659)
    assert meminfo.parse_reserve("lowmem_reserve[]:") == ()
    pool = "Node 1 hugepages_total=5 hugepages_free=1 hugepages_surp=2 hugepages_size=2048kB"
    assert meminfo.parse_hugepages(pool) == meminfo.HugePages(1, 5, 1, 2, 2048)
    assert meminfo.parse_hugepages("Node 1 hugepages_total=5") is None
    assert meminfo.parse_pages("4294967 pages RAM") == ("pages RAM", 4294967)
    assert meminfo.parse_pages("7 total pagecache pages") == ("total pagecache pages", 7)
    assert meminfo.parse_pages("seven pages RAM") is None
    assert meminfo.parse_swap("Free swap  = 12kB") == ("Free", 12)
    assert meminfo.parse_swap("Total swap = 34kB") == ("Total", 34)
    assert meminfo.parse_swap("Free swap:   56kB") == ("Free", 56)
    assert meminfo.parse_swap("Free swap  = lots") is None


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("kmalloc-192         15683546KB   15683546KB", ("kmalloc-192", 15683546 * KIB)),
        ("page->ptl                153KB        293KB", ("page->ptl", 293 * KIB)),
        ("btrfs_delayed_extent_op         75KB         76KB", ("btrfs_delayed_extent_op", 76 * KIB)),
        ("kmalloc-192         15683546KB", None),
    ],
)
def test_slab_caches(text: str, cache: tuple[str, int] | None):
    assert slab.parse_slab(text) == cache


@pytest.mark.parametrize(
    ("text", "site", "size"),
    [
        (
            "3176243200   247900 mm/slub.c:2264 func:alloc_slab_page",
            "mm/slub.c:2264 func:alloc_slab_page",
            3176243200,
        ),
        ("1.50 GiB   511334 fs/x.c:82 [xfs] func:alloc", "fs/x.c:82 [xfs] func:alloc", 3 << 29),
        ("20.0MiB   511334 fs/x.c:82 func:alloc", "fs/x.c:82 func:alloc", 20 << 20),
    ],
)
def test_tagged_allocations(text: str, site: str, size: int):
    assert slab.parse_allocation(text) == (site, size)


@pytest.mark.parametrize("text", ["1.2.3 MiB 7 a.c:1 func:f", "12 a.c func:f"])
def test_lines_that_are_no_allocations(text: str):
    assert slab.parse_allocation(text) is None


COLUMNS = (
    "uid",
    "tgid",
    "total_vm",
    "rss",
    "(01)nrss",
    "pgtables_bytes",
    "swapents",
    "oom_score_adj",
    "name",
)


def test_columns_by_their_names():
    head = "[  pid  ]   uid  tgid total_vm      rss (01)nrss  pgtables_bytes swapents oom_score_adj name"
    assert tasks.parse_columns(head) == COLUMNS
    assert tasks.parse_columns("[ pid ] tgid") == ()


@pytest.mark.parametrize("name", ["a", "Web Content", "a) b]", ""])
def test_rows_under_a_column_nobody_knows(name: str):
    row = tasks.parse_row(
        f"[   1011]     7  1011   220005     8589     1872   823296        3          -5 {name}", 4, COLUMNS
    )
    assert row == tasks.RawRow(4, 1011, [7, 1011, 220005, 8589, 1872, 823296, 3, -5], name)
    built = tasks.row_builder(COLUMNS, 4096)(row)
    assert (built.rss_pages, built.pgtables_bytes, built.swap_pages, built.oom_score_adj) == (
        8589,
        823296,
        3,
        -5,
    )
    assert (built.rss_anon_pages, built.oom_adj, built.badness_pages) == (None, None, None)


@pytest.mark.parametrize(
    "text", ["[ 1] 2 3", "[ x] 1 2 3 4 5 6 7 8 a", "[ 1] 1 2 3 4 5 6 7 eight a", "[ 1] a 2 3 4 5 6 7 8"]
)
def test_rows_that_do_not_fit(text: str):
    assert tasks.parse_row(text, 1, COLUMNS) is None


def test_page_tables_in_pages_up_to_4_14():
    columns = ("uid", "tgid", "total_vm", "rss", "nr_ptes", "nr_pmds", "swapents", "oom_score_adj", "name")
    row = tasks.parse_row("[ 1] 0 1 9 8 7 2 0 0 x", 1, columns)
    assert row is not None
    assert tasks.row_builder(columns, 65536)(row).pgtables_bytes == 9 * 65536
    older = ("uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name")
    row = tasks.parse_row("[ 1] 0 1 9 8 7 -17 x", 1, older)
    assert row is not None
    built = tasks.row_builder(older, 4096)(row)
    assert (built.oom_adj, built.pgtables_bytes) == (-17, None)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("[ 1] 0 1 9 8 3 -17 x", "cpu"),
        ("[ 1] 0 1 9 8 22 360 -1000 x", "nr_ptes"),
        ("[ 1] 0 1 9 8 57344 360 -1000 x", "pgtables_bytes"),
        ("[ 1] 0 1 9 8 22 3 360 -1000 x", "nr_pmds"),
        ("[ 1] 0 1 9 8 7 1 0 57344 360 -1000 Web Content", "rss_shmem"),
        ("[ 1] 0 1 9 8 7 -17 -1000 x", "oom_adj"),
        ("[ 1] 0 1 9 8 7 0 0 x", "?"),
    ],
)
def test_the_columns_of_a_table_whose_head_is_lost(row: str, column: str):
    columns = tasks.guess_columns(row)
    assert column in columns
    assert tasks.parse_row(row, 1, columns) is not None


@pytest.mark.parametrize(
    "row",
    ["[ 1] 0 1 9 8 57344 360 -1000 531", "[ 1] 0 1 9 x", "[ 1] 1 2 3 4 5 6 7 8 9 10 11 12 13 x", "[ 1] x"],
)
def test_rows_that_no_kernel_printed(row: str):
    assert tasks.guess_columns(row) == ()
