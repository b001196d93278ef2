"""Key lists per kernel: memory.stat as mm/memcontrol.c of that version prints it, in its order."""

import pytest

from memwarden.kernel import memory_stat
from memwarden.kernel.memory_stat import BYTES, COUNTS, KEYS, PART_OF, MemoryStat
from tests.kernel.refused import refused

V5_10 = """anon file kernel_stack percpu sock shmem file_mapped file_dirty file_writeback anon_thp
inactive_anon active_anon inactive_file active_file unevictable slab_reclaimable
slab_unreclaimable slab workingset_refault_anon workingset_refault_file
workingset_activate_anon workingset_activate_file workingset_restore_anon
workingset_restore_file workingset_nodereclaim pgfault pgmajfault pgrefill pgscan pgsteal
pgactivate pgdeactivate pglazyfree pglazyfreed thp_fault_alloc thp_collapse_alloc"""
V6_1 = """kernel pagetables sec_pagetables vmalloc zswap zswapped swapcached file_thp shmem_thp
pgscan_kswapd pgscan_direct pgsteal_kswapd pgsteal_direct zswpin zswpout"""
V6_12 = """pgdemote_kswapd pgdemote_direct pgdemote_khugepaged pgpromote_success pgscan_khugepaged
pgsteal_khugepaged swpin_zero swpout_zero zswpwb thp_swpout thp_swpout_fallback
numa_pages_migrated numa_pte_updates numa_hint_faults"""
V7_2 = "zswap_incomp hugetlb pgdemote_proactive pgsteal_proactive pgscan_proactive pswpin pswpout"
# Counts of pages or events; all else is bytes (mm/memcontrol.c:memcg_page_state_output_unit).
COUNTED = ("workingset_", "pg", "pswp", "swp", "zswp", "thp_", "numa_")


@pytest.mark.parametrize(
    "versions", [(V5_10,), (V5_10, V6_1), (V5_10, V6_1, V6_12), (V5_10, V6_1, V6_12, V7_2)]
)
def test_every_key_of_each_kernel_is_taken(versions):
    keys = [key for version in versions for key in version.split()]
    text = "".join(f"{key} {number * 4096}\n" for number, key in enumerate(keys))
    assert memory_stat.parse(text) == {key: number * 4096 for number, key in enumerate(keys)}


def test_bytes_and_counts_share_no_key_and_are_told_apart_by_name():
    assert BYTES | COUNTS == KEYS == set(MemoryStat.__annotations__)
    assert {key for key in KEYS if key.startswith(COUNTED)} - {"pagetables"} == COUNTS


def test_parts_lead_up_to_what_memory_current_is_the_sum_of():
    lists = {"inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable"}
    assert (
        set(PART_OF) | lists | {"anon", "file", "kernel", "sock", "hugetlb", "zswapped", "swapcached"}
        == BYTES
    )
    for key in PART_OF:
        while key in PART_OF:
            key = PART_OF[key]  # noqa: PLW2901 - climbs to the top
        assert key in {"anon", "file", "kernel"}


def test_unknown_keys_are_ignored():
    assert memory_stat.parse("anon 1\nof_kernel_9 2\n") == {"anon": 1}


def test_refused():
    assert refused(memory_stat.parse, "anon 1\nfile \n") == (2, "file ")
    assert refused(memory_stat.parse, "cache 1\n") == (0, "cache 1\n")
