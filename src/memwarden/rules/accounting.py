"""What ``memory.current`` is made of: which figures of ``memory.stat`` add up to it, and how well.

``mm/memcontrol.c:memory_stat_format`` and the kernel's own test of the sum
(``tools/testing/selftests/cgroup/test_kmem.c``). Which keys are there decides, never a version. What must not
be added, because it is part of something else, is :data:`memwarden.kernel.memory_stat.PART_OF`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.state.cgroup import Cgroup
    from memwarden.state.traits import KernelTraits

_LAG_PAGES: Final = 64
"""Updates of a statistic that each CPU may hold back (``MEMCG_CHARGE_BATCH`` in ``memcg_vmstats_needs_flush``)."""
_BATCH_PAGES: Final = 64
_STOCKED_CGROUPS: Final = 7
"""``NR_MEMCG_STOCK`` (v7.2): the cgroups that each CPU may have charged in advance; before, one."""
_V5_10_DELTA_PAGES: Final = 32


class Accounting(NamedTuple):
    """The sum, in bytes.

    ``parts`` are disjoint. ``unexplained_bytes`` is usage without them, below 0 when the statistics are ahead
    of the counter. ``itemised`` is false where the kernel charges memory that it does not itemise (page
    tables on 5.10): a rest is then normal. ``swapcached_bytes`` may be in the rest as well.
    """

    usage_bytes: int
    parts: tuple[tuple[str, int], ...]
    unexplained_bytes: int
    tolerance_bytes: int
    itemised: bool
    swapcached_bytes: int

    @property
    def holds(self) -> bool:
        """Whether the sum is right within the tolerance."""
        if self.unexplained_bytes < -self.tolerance_bytes:
            return False
        return not self.itemised or self.unexplained_bytes <= self.tolerance_bytes + self.swapcached_bytes


def account(cgroup: Cgroup, traits: KernelTraits, *, cpus: int) -> Accounting | None:
    """Add up a cgroup's memory; ``None`` when its usage or statistics could not be read."""
    if cgroup.current_bytes is None or cgroup.stat is None:
        return None
    stat: Mapping[str, int] = {key: value for key, value in cgroup.stat.items() if isinstance(value, int)}
    kernel, itemised = kernel_bytes(stat)
    if cgroup.version == 1:
        # v1 prints no kernel memory among the statistics; it has a counter of its own.
        kernel, itemised = cgroup.v1_kmem_current_bytes or 0, cgroup.v1_kmem_current_bytes is not None
    parts = (
        ("anon", stat.get("anon", 0)),
        ("file", stat.get("file", 0)),
        ("kernel", kernel),
        ("sock", stat.get("sock", 0)),
        ("hugetlb", stat.get("hugetlb", 0)),
    )
    return Accounting(
        usage_bytes=cgroup.current_bytes,
        parts=parts,
        unexplained_bytes=cgroup.current_bytes - sum(size for _, size in parts),
        tolerance_bytes=tolerance_bytes(stat, traits, cpus=cpus, descendants=cgroup.descendants or 0),
        itemised=itemised,
        swapcached_bytes=stat.get("swapcached", 0),
    )


def kernel_bytes(stat: Mapping[str, int]) -> tuple[int, bool]:
    """Kernel memory among the statistics, and whether that is all of it.

    ``kernel`` (5.18) says it in one figure. Before, slab, stacks and per-CPU memory are itemised, page
    tables from 5.11 only, vmalloc never.
    """
    if "kernel" in stat:
        return stat["kernel"], True
    slab = stat.get("slab", stat.get("slab_reclaimable", 0) + stat.get("slab_unreclaimable", 0))
    others = ("kernel_stack", "pagetables", "percpu")
    return slab + sum(stat.get(key, 0) for key in others), False


def tolerance_bytes(cgroup: Cgroup, traits: KernelTraits, *, cpus: int) -> int:
    """How far the sum may be off while nothing is wrong.

    Usage counts what each CPU has charged in advance, for this cgroup or one below it: a batch of pages, and on
    kernels with ``pgscan_proactive`` (7.2) a batch for each of up to seven cgroups. Statistics lag behind by
    up to 64 pages per CPU; without ``kernel`` (5.10), by 32 of each of the figures, for good. The kernel's own
    test allows 64 pages per CPU for both together, on a cgroup that is at rest and has none below.
    """
    stat = cgroup.stat or {}
    known = _STOCKED_CGROUPS if cgroup.descendants is None else cgroup.descendants + 1
    stocks = min(known, _STOCKED_CGROUPS) if "pgscan_proactive" in stat else 1
    lag = _LAG_PAGES if "kernel" in stat else _LAG_PAGES + 4 * _V5_10_DELTA_PAGES
    batch = traits.charge_batch_pages or _BATCH_PAGES
    return (lag + stocks * batch) * cpus * traits.page_size_bytes


class LruGap(NamedTuple):
    """What the LRU lists hold beyond the pages that are accounted, in bytes; all near 0 on a quiet cgroup.

    ``total_bytes``: all five lists without anon and file; may reach ``swapcached``. ``anon_bytes`` and
    ``file_bytes``: the same by type, ``None`` while some pages are unevictable, whose type no list tells.
    MADV_FREE moves pages from the first to the second.
    """

    total_bytes: int
    anon_bytes: int | None
    file_bytes: int | None


def lru_gap(stat: Mapping[str, int]) -> LruGap | None:
    """Check the LRU lists against anon, file and shmem; ``None`` where a list is not printed."""
    lists = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable", "anon", "file")
    if any(key not in stat for key in lists):
        return None
    on_anon = stat["inactive_anon"] + stat["active_anon"]
    on_file = stat["inactive_file"] + stat["active_file"]
    shmem = stat.get("shmem", 0)
    total = on_anon + on_file + stat["unevictable"] - stat["anon"] - stat["file"]
    if stat["unevictable"]:
        return LruGap(total, None, None)
    return LruGap(total, on_anon - stat["anon"] - shmem, on_file - stat["file"] + shmem)
