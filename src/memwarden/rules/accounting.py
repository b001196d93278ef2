"""What ``memory.current`` is made of: which figures of ``memory.stat`` add up to it, and how well.

``mm/memcontrol.c:memory_stat_format`` and the kernel's own test of the sum
(``tools/testing/selftests/cgroup/test_kmem.c``). Which keys are there decides, never a version. What must not
be added, because it is part of something else, is :data:`memwarden.kernel.memory_stat.PART_OF`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from memwarden.state.cgroup import Cgroup
from memwarden.state.traits import KernelTraits

_LAG_PAGES: Final = 64
"""Updates of statistics that each CPU may hold back (``mm/memcontrol.c:memcg_vmstats_needs_flush``)."""
_LAG_PAGES_5_10: Final = _LAG_PAGES + 4 * 32
"""There each CPU keeps up to 32 pages of each of the figures of the sum back, for good."""
_BATCH_PAGES: Final = 64
_STOCKS: Final = 7
"""``mm/memcontrol.c:NR_MEMCG_STOCK`` (v7.2): the cgroups that a CPU charges in advance for; before, one."""


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
        tolerance_bytes=tolerance_bytes(cgroup, traits, cpus=cpus),
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
    """How far the sum may be off while nothing is wrong: statistics that lag behind, and charges in advance.

    Up to 6.12 a CPU charges in advance for one cgroup at a time; ``mm/memcontrol.c:refill_stock`` (v7.2) does
    so for several, and what is charged for descendants is in the usage of their ancestors. That kernel is
    known by one of its keys. The kernel's own test allows 64 pages per CPU for both errors together, on a
    cgroup at rest with none below; 7.2 was seen to exceed that.
    """
    stat = cgroup.stat or {}
    known = _STOCKS if cgroup.descendants is None else min(1 + cgroup.descendants, _STOCKS)
    stocks = known if "pgscan_proactive" in stat else 1
    lag = _LAG_PAGES if "kernel" in stat else _LAG_PAGES_5_10
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
