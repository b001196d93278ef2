"""What the memory of a cgroup is made of: ``memory.stat`` of cgroup v2, hierarchical.

::

    anon 1323008
    file 4628480
    kernel 540672
    shmem 0
    inactive_file 3051520
    workingset_refault_file 0
    pgfault 2706

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``mm/memcontrol.c:memory_stat_format``. The order
of lines and the set of keys differ between kernels: parse by key. A key is missing where the
kernel does not print it. Figures lag behind by up to two seconds (6.1 and later) or, on 5.10, by
up to 32 pages per CPU and cgroup for as long as nothing else changes.
"""

from typing import Final, TypedDict, cast

from memwarden.kernel import flat_keyed


class MemoryBytes(TypedDict, total=False):
    """The keys that are bytes now in use."""

    anon: int
    file: int
    kernel: int
    kernel_stack: int
    pagetables: int
    sec_pagetables: int
    percpu: int
    sock: int
    vmalloc: int
    shmem: int
    zswap: int
    zswapped: int
    zswap_incomp: int
    file_mapped: int
    file_dirty: int
    file_writeback: int
    swapcached: int
    anon_thp: int
    file_thp: int
    shmem_thp: int
    inactive_anon: int
    active_anon: int
    inactive_file: int
    active_file: int
    unevictable: int
    slab_reclaimable: int
    slab_unreclaimable: int
    slab: int
    hugetlb: int


class MemoryCounts(TypedDict, total=False):
    """The keys that count events since the cgroup was made.

    ``workingset_refault``, ``_activate`` and ``_restore`` were split into ``_anon`` and ``_file`` in 5.9.
    """

    workingset_refault_anon: int
    workingset_refault_file: int
    workingset_activate_anon: int
    workingset_activate_file: int
    workingset_restore_anon: int
    workingset_restore_file: int
    workingset_nodereclaim: int
    workingset_refault: int
    workingset_activate: int
    workingset_restore: int
    pgscan: int
    pgscan_kswapd: int
    pgscan_direct: int
    pgscan_khugepaged: int
    pgscan_proactive: int
    pgsteal: int
    pgsteal_kswapd: int
    pgsteal_direct: int
    pgsteal_khugepaged: int
    pgsteal_proactive: int
    pgdemote_kswapd: int
    pgdemote_direct: int
    pgdemote_khugepaged: int
    pgdemote_proactive: int
    pgpromote_success: int
    pgfault: int
    pgmajfault: int
    pgrefill: int
    pgactivate: int
    pgdeactivate: int
    pglazyfree: int
    pglazyfreed: int
    pswpin: int
    pswpout: int
    swpin_zero: int
    swpout_zero: int
    zswpin: int
    zswpout: int
    zswpwb: int
    thp_fault_alloc: int
    thp_collapse_alloc: int
    thp_swpout: int
    thp_swpout_fallback: int
    numa_pages_migrated: int
    numa_pte_updates: int
    numa_hint_faults: int


class MemoryStat(MemoryBytes, MemoryCounts, total=False):
    """Bytes and counts of one cgroup and everything below it."""


BYTES: Final = frozenset(MemoryBytes.__annotations__)
COUNTS: Final = frozenset(MemoryCounts.__annotations__)
KEYS: Final = BYTES | COUNTS

PART_OF: Final = {
    "shmem": "file",
    "file_mapped": "file",
    "file_dirty": "file",
    "file_writeback": "file",
    "file_thp": "file",
    "anon_thp": "anon",
    "shmem_thp": "shmem",
    "kernel_stack": "kernel",
    "pagetables": "kernel",
    "sec_pagetables": "kernel",
    "percpu": "kernel",
    "vmalloc": "kernel",
    "slab": "kernel",
    "slab_reclaimable": "slab",
    "slab_unreclaimable": "slab",
    "zswap": "kernel",
    "zswap_incomp": "zswap",
}
"""Which bytes are counted in which other key too, and so must not be added to it.

What is left adds up to ``memory.current``: ``anon + file + kernel + sock`` (and ``hugetlb``, which is printed
only where it is accounted). The five LRU lists are another view of the same pages. ``zswapped`` is the size
before compression of what is no longer here; ``swapcached`` overlaps ``anon`` as far as it is mapped.
5.10 prints no ``kernel``: its parts stand for it, without page tables and vmalloc.
"""


def parse(text: str, *, path: str = "<memory.stat>") -> MemoryStat:
    """Parse ``memory.stat``; keys of kernels that are not known are ignored."""
    return cast("MemoryStat", flat_keyed.parse(text, KEYS, path=path))
