"""Events of the whole machine since boot: ``/proc/vmstat``.

::

    nr_free_pages 5583625
    pgmajfault 2361
    oom_kill 0

Kernel: ``mm/vmstat.c:vmstat_show``. Only counters are taken, in the kernel's own unit (pages or
events); the ``nr_*`` gauges are pages of what ``/proc/meminfo`` and ``/proc/zoneinfo`` have in bytes.
"""

from typing import Final, TypedDict, cast

from memwarden.kernel import flat_keyed


class Vmstat(TypedDict, total=False):
    """Counts since boot; a key the kernel does not print is missing."""

    oom_kill: int
    pgfault: int
    pgmajfault: int
    pgpgin: int
    pgpgout: int
    pswpin: int
    pswpout: int
    swpin_zero: int
    swpout_zero: int
    zswpin: int
    zswpout: int
    zswpwb: int
    allocstall_dma: int
    allocstall_dma32: int
    allocstall_normal: int
    allocstall_movable: int
    allocstall_device: int
    pgscan_kswapd: int
    pgscan_direct: int
    pgscan_khugepaged: int
    pgscan_proactive: int
    pgscan_direct_throttle: int
    pgscan_anon: int
    pgscan_file: int
    pgsteal_kswapd: int
    pgsteal_direct: int
    pgsteal_khugepaged: int
    pgsteal_proactive: int
    pgsteal_anon: int
    pgsteal_file: int
    pgrefill: int
    pgactivate: int
    pgdeactivate: int
    slabs_scanned: int
    kswapd_inodesteal: int
    kswapd_low_wmark_hit_quickly: int
    kswapd_high_wmark_hit_quickly: int
    pageoutrun: int
    drop_pagecache: int
    drop_slab: int
    workingset_refault_anon: int
    workingset_refault_file: int
    workingset_activate_anon: int
    workingset_activate_file: int
    workingset_restore_anon: int
    workingset_restore_file: int
    workingset_nodereclaim: int
    compact_stall: int
    compact_fail: int
    compact_success: int
    thp_fault_alloc: int
    thp_fault_fallback: int
    unevictable_pgs_mlocked: int
    unevictable_pgs_munlocked: int


KEYS: Final = frozenset(Vmstat.__annotations__)


def parse(text: str, *, path: str = "<vmstat>") -> Vmstat:
    """Parse the file; gauges and unknown counters are ignored."""
    return cast("Vmstat", flat_keyed.parse(text, KEYS, path=path))
