"""The memory blocks of a draft, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from memwarden.postmortem.model import MemcgFacts, NodeFacts, ZoneFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.postmortem.draft import Draft, MemInfoDraft

_KIB: Final = 1024
_Value = TypeVar("_Value", int, str)


def memcg_facts(draft: Draft) -> MemcgFacts | None:
    """The cgroup whose limit was hit; ``None`` where the report speaks of none."""
    memcg, usage = draft.memcg, draft.memcg.usage
    path = _limit_path(draft)
    if path is None and not usage and not memcg.stat:
        return None
    own, swap, memsw, kmem = usage.get("usage"), usage.get("swap"), usage.get("memsw"), usage.get("kmem")
    protection = memcg.protection or (None, None)
    return MemcgFacts(
        oom_path=path,
        usage_bytes=own.usage_bytes if own else None,
        limit_bytes=own.limit_bytes if own else None,
        failcnt=own.failcnt if own else None,
        swap_usage_bytes=swap.usage_bytes if swap else None,
        swap_limit_bytes=swap.limit_bytes if swap else None,
        swap_failcnt=swap.failcnt if swap else None,
        memsw_usage_bytes=memsw.usage_bytes if memsw else None,
        memsw_limit_bytes=memsw.limit_bytes if memsw else None,
        memsw_failcnt=memsw.failcnt if memsw else None,
        kmem_usage_bytes=kmem.usage_bytes if kmem else None,
        kmem_limit_bytes=kmem.limit_bytes if kmem else None,
        kmem_failcnt=kmem.failcnt if kmem else None,
        min_protection_bytes=protection[0],
        low_protection_bytes=protection[1],
        stat=dict(memcg.stat),
        descendants=dict(memcg.descendants),
    )


def _limit_path(draft: Draft) -> str | None:
    if draft.oom_kill is not None and draft.oom_kill.oom_memcg is not None:
        return draft.oom_kill.oom_memcg
    return draft.memcg.limit_path or draft.memcg.stats_path


def node_facts(mem: MemInfoDraft, page_size: int) -> NodeFacts | None:
    """The machine's memory summed over nodes; ``None`` without a Mem-Info block."""
    if mem.empty():
        return None
    counters = {name: pages * page_size for name, pages in mem.counters_pages.items()}
    figures = _Figures(counters, mem)
    huge = [pool.total * pool.size_kb * _KIB for pool in mem.huge]

    def pages(what: str) -> int | None:
        return mem.pages[what] * page_size if what in mem.pages else None

    return NodeFacts(
        ram_bytes=pages("pages RAM"),
        free_bytes=figures.of("free"),
        total_swap_bytes=_kb(mem.swap_kb.get("Total")),
        free_swap_bytes=_kb(mem.swap_kb.get("Free")),
        active_anon_bytes=figures.of("active_anon"),
        inactive_anon_bytes=figures.of("inactive_anon"),
        active_file_bytes=figures.of("active_file"),
        inactive_file_bytes=figures.of("inactive_file"),
        unevictable_bytes=figures.of("unevictable"),
        shmem_bytes=figures.of("shmem"),
        slab_reclaimable_bytes=figures.of("slab_reclaimable"),
        slab_unreclaimable_bytes=figures.of("slab_unreclaimable"),
        pagetables_bytes=figures.of("pagetables"),
        hugepages_bytes=sum(huge) if huge else None,
        reserved_bytes=pages("pages reserved"),
        swap_cache_bytes=pages("pages in swap cache"),
        pagecache_bytes=pages("total pagecache pages"),
        counters_bytes=counters,
        zones=zones_of(mem),
        unreclaimable_slabs_bytes=dict(mem.slabs),
        allocations_bytes=dict(mem.allocations),
    )


class _Figures:
    """One figure by its printed name: the head's counter, else the sum over nodes, else over zones."""

    def __init__(self, counters: dict[str, int], mem: MemInfoDraft) -> None:
        self._counters = {name.lower(): value for name, value in counters.items()}
        self._nodes = [kb for _, kb in mem.nodes_kb]
        self._zones = [zone.kb for zone, _ in mem.zones]

    def of(self, name: str) -> int | None:
        if name in self._counters:
            return self._counters[name]
        return (
            _sum_kb(self._nodes, name)
            if any(name in kb for kb in self._nodes)
            else _sum_kb(self._zones, name)
        )


def _sum_kb(lines: Iterable[dict[str, int]], name: str) -> int | None:
    values = [kb[name] for kb in lines if name in kb]
    return sum(values) * _KIB if values else None


def _kb(kb: int | None) -> int | None:
    return None if kb is None else kb * _KIB


def zones_of(mem: MemInfoDraft) -> tuple[ZoneFacts, ...]:
    """Zones in printed order, each with its reserve and free list where these were printed."""
    lists = {(entry.node, entry.name): entry for entry in mem.free_lists}
    zones = []
    for zone, reserve in mem.zones:
        byte = {name: kb * _KIB for name, kb in zone.kb.items()}
        free = lists.pop((zone.node, zone.name), None)
        zones.append(
            ZoneFacts(
                zone.node,
                zone.name,
                byte.get("free"),
                byte.get("min"),
                byte.get("low"),
                byte.get("high"),
                byte.get("reserved_highatomic"),
                byte.get("present"),
                byte.get("managed"),
                byte.get("free_cma"),
                reserve,
                byte,
                zone.all_unreclaimable,
                None if free is None else _sizes(free.blocks),
                None if free is None else _sizes(free.letters) or None,
            )
        )
    zones.extend(
        ZoneFacts(node, name, free_list=_sizes(free.blocks), free_types=_sizes(free.letters) or None)
        for (node, name), free in lists.items()
    )
    return tuple(zones)


def _sizes(blocks: dict[int, _Value]) -> dict[int, _Value]:
    return {kb * _KIB: value for kb, value in blocks.items()}
