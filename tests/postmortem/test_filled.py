"""What filled the memory: parts add up, nothing twice, the rest named."""

from __future__ import annotations

import pytest

from memwarden.postmortem.filled import Fill, Part, confidence_of, ordered, table_fill
from memwarden.postmortem.filled_memcg import memcg_fill, subtree, swapped_bytes
from memwarden.postmortem.filled_system import managed_bytes, nodes_fill, system_fill
from memwarden.units import MAX, MIB
from tests.postmortem.verdict_reports import (
    PAGES,
    memcg_facts,
    memcg_report,
    node_facts,
    report,
    system_report,
    task,
    victim,
    zone,
)


def mib(fill: Fill | None) -> dict[str, float]:
    assert fill is not None
    return {part.word: part.size_bytes / MIB for part in fill.parts}


def memcg(usage, stat=None, **fields):
    return memcg_fill(memcg_report(memcg_facts(usage, stat_mib=stat, **fields)))


class TestFill:
    def test_largest_may_be_what_nothing_explains(self):
        fill = Fill(100, (Part("anon", 40),), unexplained_bytes=60)
        assert fill.largest == Part("unexplained", 60)

    def test_nothing_has_no_largest(self):
        assert Fill(100, ()).largest is None
        assert Fill(None, ()).share(5) == 0.0

    def test_shares_are_of_the_parts_where_the_whole_is_not_known(self):
        assert Fill(None, ordered({"anon": 30, "kernel": 10})).share(30) == 0.75

    @pytest.mark.parametrize(
        ("size", "whole", "basis", "sure"),
        [
            (50, 100, "stat", "certain"),
            (49, 100, "stat", "likely"),
            (30, 100, "stat", "likely"),
            (29, 100, "stat", "possible"),
            (50, 100, "table", "likely"),
            (49, 100, "table", "possible"),
            (50, None, "stat", "likely"),
            (50, None, "table", "possible"),
        ],
    )
    def test_sureness_by_share(self, size, whole, basis, sure):
        part = Part("anon", size)
        fill = Fill(whole, (part,), basis=basis)
        assert confidence_of(fill, part) == sure

    def test_what_was_only_subtracted_is_never_certain(self):
        part = Part("kernel", 90)
        assert confidence_of(Fill(100, (part,), by_subtraction="kernel"), part) == "likely"


class TestMemcg:
    def test_v2_parts_take_shmem_out_of_file(self):
        fill = memcg(100, {"anon": 50, "file": 30, "shmem": 20, "kernel": 15, "slab": 9, "sock": 5})
        assert mib(fill) == {"anon": 50, "shmem": 20, "kernel": 15, "file": 10, "sockets": 5}
        assert fill.unexplained_bytes == 0

    def test_v1_totals_of_the_subtree_count(self):
        fill = memcg(100, {"rss": 1, "cache": 1, "total_rss": 70, "total_cache": 20, "total_shmem": 5})
        assert mib(fill) == {"anon": 70, "file": 15, "shmem": 5}
        assert fill.unexplained_bytes == 10 * MIB

    def test_old_descendants_are_summed(self):
        facts = memcg_facts(
            100,
            stat_mib={"rss": 10, "cache": 5},
            descendants={"/a": {"rss": 10 * MIB}, "/a/b": {"rss": 60 * MIB, "cache": 20 * MIB}},
        )
        assert subtree(facts) == {"rss": 70 * MIB, "cache": 25 * MIB}

    def test_old_v1_shmem_is_what_the_anonymous_lists_hold_beyond_rss(self):
        fill = memcg(100, {"rss": 40, "cache": 60, "active_anon": 30, "inactive_anon": 50})
        assert mib(fill) == {"anon": 40, "shmem": 40, "file": 20}

    def test_v1_kernel_memory_is_the_kmem_line(self):
        fill = memcg(100, {"rss": 30, "cache": 0}, kmem_usage_bytes=65 * MIB, kmem_limit_bytes=MAX)
        assert mib(fill) == {"kernel": 65, "anon": 30}
        assert fill.by_subtraction is None

    def test_before_5_18_kernel_memory_is_what_is_left(self):
        stat = {"anon": 40, "file": 0, "slab_reclaimable": 1, "slab_unreclaimable": 2, "kernel_stack": 1}
        fill = memcg(100, stat)
        assert mib(fill) == {"kernel": 60, "anon": 40}
        assert fill.by_subtraction == "kernel"

    def test_stacks_inside_vmalloc_count_once(self):
        fill = memcg(10, {"anon": 4, "kernel_stack": 1, "vmalloc": 3, "slab": 3})
        assert mib(fill)["kernel"] == 6

    def test_swap_cache_is_neither_anon_nor_file(self):
        stat = {"anon": 50, "kernel": 5, "inactive_anon": 90, "active_anon": 0, "swapcached": 40}
        fill = memcg(100, stat, swap_usage_bytes=MIB)
        assert mib(fill) == {"anon": 50, "swap cache": 40, "kernel": 5}
        assert fill.unexplained_bytes == 5 * MIB

    def test_before_swapcached_was_printed_it_is_inferred_where_something_is_in_swap(self):
        stat = {"anon": 50, "kernel": 5, "inactive_anon": 90}
        assert mib(memcg(100, stat, swap_usage_bytes=MIB))["swap cache"] == 40
        v1 = {"swap_usage_bytes": None, "memsw_usage_bytes": 101 * MIB}
        assert mib(memcg(100, stat, **v1))["swap cache"] == 40

    def test_pages_of_a_process_that_is_ending_are_on_the_lists_but_in_no_counter(self):
        fill = memcg(100, {"anon": 30, "kernel": 5, "inactive_anon": 90})
        assert mib(fill) == {"leaving": 60, "anon": 30, "kernel": 5}

    def test_a_small_difference_of_the_lists_is_only_lag(self):
        fill = memcg(100, {"anon": 90, "kernel": 5, "inactive_anon": 95})
        assert "leaving" not in mib(fill)

    def test_locked_and_dirty_memory_are_notes(self):
        fill = memcg(
            100,
            {"anon": 60, "file": 40, "kernel": 0, "unevictable": 55, "file_dirty": 30, "file_writeback": 4},
        )
        assert fill.unevictable_bytes == 55 * MIB
        assert fill.dirty_bytes == 34 * MIB
        assert memcg(100, {"rss": 60, "cache": 40, "dirty": 7, "writeback": 1}).dirty_bytes == 8 * MIB

    def test_statistics_that_were_cut_are_replaced_by_the_table(self):
        made = memcg_report(memcg_facts(100, stat_mib={"inactive_anon": 3}), task(1, 60), task(2, 30))
        fill = memcg_fill(made)
        assert mib(fill) == {"anon": 90}
        assert fill.basis == "table"
        assert fill.unexplained_bytes == 10 * MIB

    def test_v1_kmem_replaces_the_page_tables_of_the_table(self):
        facts = memcg_facts(100, kmem_usage_bytes=20 * MIB)
        fill = memcg_fill(memcg_report(facts, task(1, 60, pgtables_bytes=MIB)))
        assert mib(fill) == {"anon": 60, "kernel": 20}
        assert fill.unexplained_bytes == 20 * MIB

    def test_nothing_to_go_by(self):
        assert memcg_fill(memcg_report(None)) is None
        assert memcg_fill(memcg_report(memcg_facts(100))) is None
        assert memcg_fill(memcg_report(memcg_facts(None), task(1, 50))) is None

    def test_usage_that_is_not_printed_leaves_the_parts(self):
        fill = memcg(None, {"anon": 40, "kernel": 2}, limit=MAX)
        assert mib(fill) == {"anon": 40, "kernel": 2}
        assert fill.whole_bytes is None


class TestTable:
    def test_columns_since_6_8_tell_kinds_apart(self):
        row = task(1, 30, rss_anon_pages=10 * PAGES, rss_file_pages=5 * PAGES, rss_shmem_pages=15 * PAGES)
        assert mib(table_fill(report(tasks=(row,)), None)) == {"shmem": 15, "anon": 10, "file": 5}

    def test_shared_pages_cannot_make_more_than_what_was_charged(self):
        fill = table_fill(report(tasks=(task(1, 80), task(2, 80))), 100 * MIB)
        assert mib(fill) == {"anon": 100}

    def test_no_memory_in_any_row_is_nothing(self):
        assert table_fill(report(tasks=(task(1, 0, rss_pages=None),)), None) is None


class TestSwapped:
    def test_v2_prints_it(self):
        assert swapped_bytes(memcg_report(memcg_facts(100, swap_usage_bytes=9))) == 9

    def test_v1_is_memory_and_swap_less_memory(self):
        facts = memcg_facts(100, swap_usage_bytes=None, memsw_usage_bytes=130 * MIB)
        assert swapped_bytes(memcg_report(facts)) == 30 * MIB

    def test_with_swap_accounting_off_the_table_tells(self):
        facts = memcg_facts(100, swap_usage_bytes=None, memsw_usage_bytes=0)
        made = memcg_report(facts, task(1, 10, swap_pages=3), task(2, 10, swap_pages=None))
        assert swapped_bytes(made) == 3 * 4096

    def test_unknown_is_not_zero(self):
        assert swapped_bytes(memcg_report(memcg_facts(None, swap_usage_bytes=None))) is None
        assert swapped_bytes(report()) is None


class TestSystem:
    def test_anonymous_lists_hold_shared_memory_too(self):
        node = node_facts(
            1000, active_anon=300, inactive_anon=200, shmem=150, active_file=50, inactive_file=50, free=40,
            slab_reclaimable=20, slab_unreclaimable=60, pagetables=10, unevictable=5,
            counters={"isolated_anon": 10},
        )  # fmt: skip
        fill = system_fill(system_report(node))
        assert mib(fill) == {"anon": 360, "shmem": 150, "file": 100, "kernel": 90, "unevictable": 5}
        assert fill.free_bytes == 40 * MIB
        assert fill.unexplained_bytes == (1000 - 360 - 150 - 100 - 90 - 5 - 40) * MIB

    def test_locked_shared_memory_is_not_counted_twice(self):
        node = node_facts(1000, active_anon=50, inactive_anon=0, shmem=80, unevictable=40, free=0)
        assert mib(system_fill(system_report(node))) == {"shmem": 80, "unevictable": 10}

    def test_huge_pages_are_a_part(self):
        node = node_facts(1000, active_anon=100, hugepages=600, free=50)
        assert mib(system_fill(system_report(node)))["hugepages"] == 600

    def test_huge_pages_that_cannot_be_there_are_dropped(self):
        node = node_facts(1000, active_anon=800, hugepages=600, free=50)
        fill = system_fill(system_report(node))
        assert mib(fill) == {"anon": 800}
        assert fill.unexplained_bytes == 150 * MIB

    def test_parts_larger_than_the_machine_leave_the_whole_open(self):
        fill = system_fill(system_report(node_facts(1000, active_anon=1500, free=0)))
        assert fill.whole_bytes is None
        assert fill.unexplained_bytes == 0

    def test_the_list_of_slabs_counts_where_it_is_all_there_is(self):
        fill = system_fill(
            system_report(node_facts(None, swap_mib=None, slabs={"kmalloc-192": 700, "dentry": 50}))
        )
        assert mib(fill) == {"kernel": 750}
        assert fill.basis == "slab"

    def test_the_list_of_slabs_may_be_more_than_the_counter(self):
        node = node_facts(1000, active_anon=10, slab_unreclaimable=5, slabs={"kmalloc-64": 300}, free=0)
        assert mib(system_fill(system_report(node)))["kernel"] == 300

    def test_without_mem_info_the_table_counts(self):
        assert system_fill(system_report(None, task(1, 40))).basis == "table"
        assert system_fill(system_report(node_facts(None, swap_mib=None), victims=(victim(1),))) is None


class TestOldSystem:
    def test_one_list_for_anonymous_memory_and_files(self):
        node = node_facts(
            1000, pagecache=30, free=20, pagetables=5,
            counters={"Active": 600, "inactive": 200, "slab": 50, "free": 20},
        )  # fmt: skip
        fill = system_fill(system_report(node))
        assert mib(fill) == {"anon": 770, "kernel": 55, "file": 30}
        assert fill.unexplained_bytes == 125 * MIB

    def test_without_page_cache_the_lists_cannot_be_divided(self):
        assert system_fill(system_report(node_facts(1000, counters={"Active": 600}))) is None

    def test_divided_lists_count_by_themselves(self):
        node = node_facts(1000, active_anon=300, pagecache=30, counters={"Active": 600, "slab": 9})
        assert mib(system_fill(system_report(node))) == {"anon": 300, "kernel": 9}


class TestManaged:
    def test_old_zones_say_what_is_present(self):
        zones = [zone("DMA", 1, managed_bytes=None), zone("Normal", 1, managed_bytes=None)]
        assert managed_bytes(node_facts(None, zones=zones)) == 2048 * MIB
        cut = [zone("DMA", 1, managed_bytes=None, present_bytes=None)]
        assert managed_bytes(node_facts(None, zones=cut)) is None

    def test_zones_tell_best(self):
        zones = [zone("DMA", 1, managed_mib=15), zone("Normal", 1, managed_mib=985)]
        assert managed_bytes(node_facts(1200, reserved=100, zones=zones)) == 1000 * MIB

    def test_a_zone_that_was_cut_hides_a_part(self):
        zones = [zone("DMA", 1, managed_mib=15), zone("Normal", 1, managed_bytes=None)]
        assert managed_bytes(node_facts(1200, reserved=100, zones=zones)) == 1100 * MIB

    def test_zones_that_hold_less_than_what_was_counted_are_not_all(self):
        assert (
            managed_bytes(node_facts(1200, active_anon=700, zones=[zone("DMA", 1, managed_mib=15)]))
            == 1200 * MIB
        )

    def test_nothing_tells(self):
        assert managed_bytes(node_facts(None)) is None


class TestNodes:
    def test_only_the_zones_of_the_allowed_nodes_count(self):
        counters = {
            "active_anon": 600 * MIB,
            "inactive_file": 100 * MIB,
            "free": 20 * MIB,
            "slab_unreclaimable": 50 * MIB,
        }
        node = node_facts(4096, active_anon=3000, zones=[zone("Normal", 20, counters_bytes=counters)])
        fill = nodes_fill(report(scope="cpuset", node=node))
        assert mib(fill) == {"anon": 600, "file": 100, "kernel": 50}
        assert fill.whole_bytes == 1024 * MIB
        assert fill.unexplained_bytes == (1024 - 600 - 100 - 50 - 20) * MIB

    def test_a_cut_zone_line_tells_nothing(self):
        cut = node_facts(4096, zones=[zone("Normal", 20, managed_bytes=None)])
        assert nodes_fill(report(scope="cpuset", node=cut)) is None
        assert nodes_fill(report(scope="cpuset")) is None
