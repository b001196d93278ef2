"""What memory.current is made of."""

from __future__ import annotations

import pytest

from memwarden.kernel.memory_stat import BYTES, PART_OF
from memwarden.rules.accounting import LruGap, account, kernel_bytes, lru_gap
from memwarden.state.traits import KernelTraits
from memwarden.units import MIB
from tests.rules.machines import cgroup

TRAITS = KernelTraits()


def test_sum_with_kernel_in_one_figure():
    stat = {"anon": 30 * MIB, "file": 60 * MIB, "kernel": 5 * MIB, "sock": MIB, "slab": 4 * MIB, "shmem": MIB}
    found = account(cgroup("/a", current_bytes=98 * MIB, stat=stat), TRAITS, cpus=2)
    assert found is not None
    assert dict(found.parts) == {
        "anon": 30 * MIB, "file": 60 * MIB, "kernel": 5 * MIB, "sock": MIB, "hugetlb": 0,
    }  # fmt: skip
    assert found.unexplained_bytes == 2 * MIB
    # 64 pages of 4 KiB charged in advance for each of 2 CPUs, and 64 + 64 updates of statistics.
    assert (found.uncounted_bytes, found.lag_bytes) == (64 * 2 * 4096, 128 * 2 * 4096)
    assert found.tolerance_bytes == 192 * 2 * 4096
    assert found.itemised
    assert not found.holds


@pytest.mark.parametrize(
    ("flushed", "error_kib", "holds"),
    [
        (False, 0, True),
        (False, 1536, True),  # 192 pages x 2 CPUs
        (False, 1537, False),
        (False, -1024, True),  # 128 pages x 2 CPUs
        (False, -1025, False),
        (True, 512, True),  # MAX_VMSTAT_ERROR of test_kmem.c: 64 pages x 2 CPUs
        (True, 513, False),
        (True, 0, True),
        (True, -1, False),  # charges in advance are in the usage, never in the figures
    ],
)
def test_sum_holds_within_the_tolerance_either_way(flushed, error_kib, holds):
    one = cgroup("/a", current_bytes=10 * MIB + error_kib * 1024, stat={"anon": 10 * MIB, "kernel": 0})
    found = account(one, TRAITS, cpus=2, flushed=flushed)
    assert found is not None
    assert found.holds is holds


def test_7_2_charges_in_advance_for_several_cgroups_on_each_cpu():
    # Recorded on 7.2.13 with 2 CPUs: a limit with four cgroups below it; one stock per CPU does not explain
    # it.
    stat = {"anon": 96_260_096, "file": 0, "kernel": 253_952, "sock": 0, "pgscan_proactive": 0}
    one = cgroup("/t", current_bytes=97_517_568, stat=stat, descendants=4)
    found = account(one, TRAITS, cpus=2, flushed=True)
    assert found is not None
    assert (found.unexplained_bytes, found.holds) == (1_003_520, True)
    assert found.tolerance_bytes == (5 * 64 + 31) * 2 * 4096
    # NR_MEMCG_STOCK is 7, however many cgroups there are.
    many = account(cgroup("/t", current_bytes=97_517_568, stat=stat, descendants=40), TRAITS, cpus=2)
    assert many is not None
    assert many.tolerance_bytes == (128 + 7 * 64 + 31) * 2 * 4096
    unknown = account(cgroup("/t", current_bytes=97_517_568, stat=stat), TRAITS, cpus=2)
    assert unknown is not None
    assert unknown.tolerance_bytes == many.tolerance_bytes


def test_7_2_keeps_pages_charged_that_are_unmapped_on_their_way_to_the_lru():
    # Recorded on 7.2.13 with 2 CPUs, on a cgroup with none below, right after memory was given back and with
    # the statistics flushed: 149 pages in no figure, more than 64 pages x 2 CPUs.
    stat = {"anon": 130_785_280, "file": 0, "kernel": 299_008, "sock": 0, "pgscan_proactive": 0}
    one = cgroup("/t", current_bytes=131_694_592, stat=stat, descendants=0)
    found = account(one, TRAITS, cpus=2, flushed=True)
    assert found is not None
    assert (found.unexplained_bytes // 4096, found.holds) == (149, True)
    assert found.tolerance_bytes == (64 + 31) * 2 * 4096


def test_swap_cache_that_is_not_mapped_is_charged_but_not_itemised():
    one = cgroup("/a", current_bytes=14 * MIB, stat={"anon": 10 * MIB, "kernel": 0, "swapcached": 4 * MIB})
    found = account(one, TRAITS, cpus=1)
    assert found is not None
    assert (found.unexplained_bytes, found.swapcached_bytes, found.holds) == (4 * MIB, 4 * MIB, True)


def test_hugetlb_counts_where_it_is_accounted():
    one = cgroup("/a", current_bytes=4 * MIB, stat={"anon": 0, "kernel": 0, "hugetlb": 4 * MIB})
    found = account(one, TRAITS, cpus=1)
    assert found is not None
    assert found.unexplained_bytes == 0


def test_5_10_itemises_neither_page_tables_nor_vmalloc():
    stat = {"anon": 10 * MIB, "file": 0, "slab": 3 * MIB, "kernel_stack": MIB, "percpu": MIB}
    found = account(cgroup("/a", current_bytes=40 * MIB, stat=stat), TRAITS, cpus=2)
    assert found is not None
    assert dict(found.parts)["kernel"] == 5 * MIB
    assert (found.unexplained_bytes, found.itemised, found.holds) == (25 * MIB, False, True)
    # Each CPU charges 32 pages in advance and keeps 32 of each of 7 figures back, of each cgroup below, too;
    # no flush changes that.
    traits = KernelTraits(charge_batch_pages=32)
    batch = account(cgroup("/a", current_bytes=0, stat=stat), traits, cpus=2, flushed=True)
    assert batch is not None
    assert (batch.uncounted_bytes, batch.lag_bytes) == (32 * 2 * 4096, 7 * 32 * 2 * 4096)
    parent = account(cgroup("/a", current_bytes=0, stat=stat, descendants=2), traits, cpus=2)
    assert parent is not None
    assert parent.lag_bytes == 3 * batch.lag_bytes
    # Statistics further ahead of usage are wrong on every kernel.
    ahead = cgroup("/a", current_bytes=15 * MIB - batch.lag_bytes, stat=stat)
    for usage, holds in ((ahead.current_bytes, True), (ahead.current_bytes - 1, False)):
        behind = account(ahead._replace(current_bytes=usage), traits, cpus=2)
        assert behind is not None
        assert behind.holds is holds


def test_kernel_memory_by_the_keys_that_are_there():
    assert kernel_bytes({"kernel": 7, "slab": 5}) == (7, True)
    assert kernel_bytes({"slab": 5, "pagetables": 3, "kernel_stack": 1}) == (9, False)
    assert kernel_bytes({"slab_reclaimable": 2, "slab_unreclaimable": 3}) == (5, False)
    assert kernel_bytes({}) == (0, False)


def test_v1_has_a_counter_for_kernel_memory():
    stat = {"anon": 10 * MIB, "file": 5 * MIB}
    one = cgroup("/a", version=1, current_bytes=18 * MIB, v1_kmem_current_bytes=3 * MIB, stat=stat)
    found = account(one, TRAITS, cpus=2)
    assert found is not None
    assert (found.unexplained_bytes, found.itemised) == (0, True)
    assert found.lag_bytes == 2 * 64 * 2 * 4096  # a batch of cache and one of rss, on each of 2 CPUs
    without = account(cgroup("/a", version=1, current_bytes=18 * MIB, stat=stat), TRAITS, cpus=2)
    assert without is not None
    assert (without.unexplained_bytes, without.itemised, without.holds) == (3 * MIB, False, True)


def test_unread_figures():
    assert account(cgroup("/a", stat={"anon": 1}), TRAITS, cpus=1) is None
    assert account(cgroup("/a", current_bytes=1), TRAITS, cpus=1) is None


def test_the_parts_are_disjoint():
    found = account(cgroup("/a", current_bytes=0, stat={"anon": 0, "kernel": 0}), TRAITS, cpus=1)
    assert found is not None
    names = {name for name, _ in found.parts}
    assert not names & set(PART_OF)
    # Whatever is bytes and part of nothing else is in the sum, but for the lists, which are another view of
    # the same pages, and two that are not resident or only partly.
    lists = {"inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"}
    assert BYTES - set(PART_OF) - lists - {"swapcached", "zswapped"} == names


LISTS = {
    "anon": 30, "file": 70, "shmem": 10, "unevictable": 0,
    "inactive_anon": 25, "active_anon": 15, "inactive_file": 50, "active_file": 10,
}  # fmt: skip


def test_lru_lists_hold_what_is_accounted():
    # anon lists 40 = anon 30 + shmem 10; file lists 60 = file 70 - shmem 10.
    assert lru_gap(LISTS) == LruGap(0, 0, 0)
    # 5 bytes of anonymous memory after MADV_FREE stand on the inactive file list.
    assert lru_gap(LISTS | {"inactive_anon": 20, "inactive_file": 55}) == LruGap(0, -5, 5)
    # 7 of swap cache that is not mapped.
    assert lru_gap(LISTS | {"inactive_anon": 32}) == LruGap(7, 7, 0)
    # Pages that are locked have no type.
    assert lru_gap(LISTS | {"unevictable": 30, "inactive_anon": 0, "active_anon": 10}) == LruGap(
        0, None, None
    )
    assert lru_gap({"anon": 1}) is None
