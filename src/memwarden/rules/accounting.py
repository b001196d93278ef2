"""What ``memory.current`` is made of: which figures of ``memory.stat`` add up to it, and how well.

``mm/memcontrol.c:memory_stat_format`` and the kernel's own test of the sum
(``tools/testing/selftests/cgroup/test_kmem.c``). Which keys are there decides, never a version. What must not
be added, because it is part of something else, is :data:`memwarden.kernel.memory_stat.PART_OF`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from memwarden.state.cgroup import Cgroup
from memwarden.state.traits import KernelTraits

_UPDATES: Final = 64
"""``mm/memcontrol.c:memcg_rstat_updated`` (v6.12): updates that a CPU collects before it counts them, and for
each CPU the number counted up to which a reader does not flush (``memcg_vmstats_needs_flush``)."""
_FIGURES: Final = 7
"""Of the sum before 5.18: anon, file, two of slab, stacks, per-CPU memory, sockets."""
_V1_FIGURES: Final = 2
"""Cache and rss; kernel memory has a counter of its own."""
_BATCH_PAGES: Final = 64
_STOCKS: Final = 7
"""``mm/memcontrol.c:NR_MEMCG_STOCK`` (v7.2): the cgroups that a CPU charges in advance for; before, one."""
_ON_THE_WAY: Final = 31
"""``mm/swap.c:folio_add_lru`` (v7.2): pages a CPU collects (``struct folio_batch``) for the LRU lists."""

_UNSLABBED: Final = ("kernel_stack", "pagetables", "percpu")
KERNEL_KEYS: Final = ("kernel", "slab", "slab_reclaimable", "slab_unreclaimable", *_UNSLABBED)
"""The figures of ``memory.stat`` that :func:`kernel_bytes` asks for."""


class Accounting(NamedTuple):
    """The sum, in bytes.

    ``parts`` are disjoint. ``unexplained_bytes`` is usage without them: above 0 by what is charged and in no
    figure (at most ``uncounted_bytes``), and off either way by what the statistics lag (``lag_bytes``).
    ``swapcached_bytes`` may be in the rest as well.

    ``itemised`` is false where the kernel charges memory that no figure shows, and then nothing bounds the
    rest from above: on 5.10 every page allocated with ``__GFP_ACCOUNT`` is charged
    (``mm/page_alloc.c:__alloc_pages_nodemask``), those of page tables, pipes and vmalloc among them, and v2
    has no counter of kernel memory to compare with. A cgroup of full pipes was recorded with 60 MiB of rest.
    From below it is bounded there, too.
    """

    usage_bytes: int
    parts: tuple[tuple[str, int], ...]
    unexplained_bytes: int
    uncounted_bytes: int
    lag_bytes: int
    itemised: bool
    swapcached_bytes: int

    @property
    def tolerance_bytes(self) -> int:
        """By how much the usage may exceed its parts while nothing is wrong."""
        return self.uncounted_bytes + self.lag_bytes

    @property
    def holds(self) -> bool:
        """Whether the sum is right within the tolerance."""
        if self.unexplained_bytes < -self.lag_bytes:
            return False
        return not self.itemised or self.unexplained_bytes <= self.tolerance_bytes + self.swapcached_bytes


def account(cgroup: Cgroup, traits: KernelTraits, *, cpus: int, flushed: bool = False) -> Accounting | None:
    """Add up a cgroup's memory; ``None`` when its usage or statistics could not be read.

    ``flushed`` says that the statistics were flushed when they were read, or nothing has changed since.
    """
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
        uncounted_bytes=_uncounted_pages(cgroup, traits) * cpus * traits.page_size_bytes,
        lag_bytes=_lag_pages(cgroup, traits, flushed=flushed) * cpus * traits.page_size_bytes,
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
    return slab + sum(stat.get(key, 0) for key in _UNSLABBED), False


def _uncounted_pages(cgroup: Cgroup, traits: KernelTraits) -> int:
    """Pages for each CPU that are in the usage and in no figure, most of them charged in advance.

    ``mm/memcontrol.c:try_charge`` takes a batch (``MEMCG_CHARGE_BATCH``: 32 pages on 5.10, 64 later), of
    which ``refill_stock`` keeps the rest: up to 6.12 for one cgroup at a time, on 7.2 for several, and what
    is charged for descendants is in the usage of their ancestors. And a page that is unmapped on its way to
    an LRU list stays charged until it gets there: ``mm/mmap.c:unmap_region`` (v6.12) sees to it first, that
    of ``mm/vma.c`` (v7.2) does not. That kernel is known by one of its keys.
    """
    batch = traits.charge_batch_pages or _BATCH_PAGES
    if "pgscan_proactive" not in (cgroup.stat or {}):
        return batch
    stocks = _STOCKS if cgroup.descendants is None else min(1 + cgroup.descendants, _STOCKS)
    return stocks * batch + _ON_THE_WAY


def _lag_pages(cgroup: Cgroup, traits: KernelTraits, *, flushed: bool) -> int:
    """Pages by which the figures may be off for each CPU, either way.

    Since Linux kernel commit 2d146aa3aa84 ("mm: memcontrol: switch to rstat") (in v5.13), statistics are
    collected per CPU and flushed every 2 s (``FLUSH_TIME``), by a reader that finds enough of them, and on
    6.1 and 6.12 by whoever reads ``cpu.stat``. Flushed, they are exact: the kernel's own test of the sum
    (``tools/testing/selftests/cgroup/test_kmem.c:MAX_VMSTAT_ERROR``) allows for the charges in advance alone,
    64 pages per CPU. Before, and as far as v1's keys can tell, each CPU keeps up to a batch of each figure of
    each cgroup for good (``__mod_memcg_state``, v5.10).
    """
    if "kernel" in (cgroup.stat or {}):
        return 0 if flushed else 2 * _UPDATES
    figures = _V1_FIGURES if cgroup.version == 1 else _FIGURES
    below = len(cgroup.children) if cgroup.descendants is None else cgroup.descendants
    return figures * (1 + below) * (traits.charge_batch_pages or _BATCH_PAGES)


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
