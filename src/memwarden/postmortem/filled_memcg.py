"""What a memory cgroup's usage is made of, by the statistics its report prints.

Names differ by generation (``mm/memcontrol.c:memory_stat_format`` and ``memcg1_stat_format``, v6.12): v2
prints ``anon file kernel sock``, v1 ``rss cache`` with ``total_*`` for the subtree; before 5.2 every
descendant has its own line. ``file`` and ``cache`` include shared memory. ``kernel`` came with v5.18; before,
it is what anon, file, sockets and swap cache leave of the usage, since nothing else is charged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memwarden.postmortem.filled import Fill, ordered, table_fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.postmortem.model import MemcgFacts, OomReport

KERNEL_ITEMS = ("percpu", "pagetables", "sec_pagetables", "zswap")


def memcg_fill(report: OomReport) -> Fill | None:
    """The cgroup's parts, from its statistics or, where the text lacks them, from the task table."""
    memcg = report.memcg
    if memcg is None:
        return None
    figures = subtree(memcg)
    sizes = _sizes(figures, memcg)
    itemised = "kernel" in figures or memcg.kmem_usage_bytes is not None
    parts = ordered(sizes)
    if not parts:
        # Without the usage no figure of the table would be a share of anything.
        filled = None if memcg.usage_bytes is None else table_fill(report, memcg.usage_bytes)
        return filled and _with_kmem(filled, memcg)
    explained = sum(part.size_bytes for part in parts)
    return Fill(
        memcg.usage_bytes,
        parts,
        unexplained_bytes=max(0, (memcg.usage_bytes or 0) - explained),
        unevictable_bytes=figures.get("unevictable", 0),
        dirty_bytes=figures.get("file_dirty", figures.get("dirty", 0))
        + figures.get("file_writeback", figures.get("writeback", 0)),
        by_subtraction=None if itemised else "kernel",
    )


def subtree(memcg: MemcgFacts) -> Mapping[str, int]:
    """Statistics of the whole subtree by plain names: ``total_x`` over ``x``, else descendants summed in."""
    totals = {name.removeprefix("total_"): value for name, value in memcg.stat.items() if "total_" in name}
    if totals:
        return {**memcg.stat, **totals}
    summed = dict(memcg.stat)
    for path, stat in memcg.descendants.items():
        if path != memcg.oom_path:
            for name, value in stat.items():
                summed[name] = summed.get(name, 0) + value
    return summed


def _sizes(figures: Mapping[str, int], memcg: MemcgFacts) -> dict[str, int]:
    anon = figures.get("anon", figures.get("rss"))
    if anon is None:
        return {}
    cache = figures.get("file", figures.get("cache", 0))
    shmem = figures.get("shmem", _shmem_from_lru(figures, anon, cache))
    sizes = {
        "anon": anon,
        "shmem": shmem,
        "file": max(0, cache - shmem),
        "sockets": figures.get("sock", 0),
        "hugepages": figures.get("hugetlb", 0),
    }
    kernel = _kernel_items(figures)
    rest = max(0, (memcg.usage_bytes or 0) - sum(sizes.values()) - kernel)
    unmapped = min(rest, _unmapped(figures, anon, shmem))
    # Swap cache without a mapping is charged but in neither anon nor file; the mapped rest is in anon.
    sizes["swap cache"] = min(unmapped, figures.get("swapcached", unmapped if _swaps(memcg) else 0))
    sizes["leaving"] = unmapped - sizes["swap cache"]
    if memcg.kmem_usage_bytes is not None:
        kernel = max(kernel, memcg.kmem_usage_bytes)
    elif "kernel" not in figures and "rss" not in figures:
        # Before v5.18 page tables, pipe buffers and other pages of the kernel were charged but not itemised.
        kernel += rest - unmapped
    return {**sizes, "kernel": kernel}


def _shmem_from_lru(figures: Mapping[str, int], anon: int, cache: int) -> int:
    """Before v4.13 no ``shmem`` was printed: it is what the anonymous lists hold beyond ``rss``."""
    lists = figures.get("active_anon", 0) + figures.get("inactive_anon", 0)
    return min(cache, max(0, lists - anon))


def _unmapped(figures: Mapping[str, int], anon: int, shmem: int) -> int:
    """What the anonymous lists hold beside anon and shmem: swap cache, or pages of an ending process.

    A difference below a sixteenth is only that the counters are not read at one instant.
    """
    lists = figures.get("active_anon", 0) + figures.get("inactive_anon", 0)
    found = max(0, lists - anon - shmem)
    return found if found * 16 >= lists else 0


def _swaps(memcg: MemcgFacts) -> bool:
    return bool(memcg.swap_usage_bytes) or (memcg.memsw_usage_bytes or 0) > (memcg.usage_bytes or 0)


def _kernel_items(figures: Mapping[str, int]) -> int:
    if "kernel" in figures:
        return figures["kernel"]
    slab = figures.get("slab", figures.get("slab_reclaimable", 0) + figures.get("slab_unreclaimable", 0))
    stacks = max(figures.get("kernel_stack", 0), figures.get("vmalloc", 0))  # stacks are vmalloc'ed
    return slab + stacks + sum(figures.get(name, 0) for name in KERNEL_ITEMS)


def _with_kmem(fill: Fill, memcg: MemcgFacts) -> Fill:
    """v1 tells the kernel's share even where the statistics were cut: it replaces the table's page tables."""
    if memcg.kmem_usage_bytes is None:
        return fill
    sizes = {part.word: part.size_bytes for part in fill.parts} | {"kernel": memcg.kmem_usage_bytes}
    parts = ordered(sizes)
    rest = max(0, (memcg.usage_bytes or 0) - sum(part.size_bytes for part in parts))
    return Fill(memcg.usage_bytes, parts, unexplained_bytes=rest, basis="table")


def with_swap(fill: Fill | None, both_bytes: int | None) -> Fill | None:
    """The parts of memory and swap together: what is in swap is one more part of ``both_bytes``."""
    if fill is None or fill.whole_bytes is None or both_bytes is None:
        return fill
    swapped = max(0, both_bytes - fill.whole_bytes)
    parts = ordered({**{part.word: part.size_bytes for part in fill.parts}, "swapped": swapped})
    return replace(fill, whole_bytes=fill.whole_bytes + swapped, parts=parts)


def swapped_bytes(report: OomReport) -> int | None:
    """What the cgroup has in swap: ``swap: usage`` (v2), memory+swap less memory (v1), or the table's sum."""
    memcg = report.memcg
    if memcg is not None:
        if memcg.swap_usage_bytes is not None:
            return memcg.swap_usage_bytes
        both, memory = memcg.memsw_usage_bytes, memcg.usage_bytes
        # With swap accounting off the line reads 0, which no cgroup with memory can have.
        if both is not None and memory is not None and both >= memory:
            return both - memory
    pages = [task.swap_pages for task in report.tasks if task.swap_pages is not None]
    return sum(pages) * report.host.page_size_bytes if pages else None
