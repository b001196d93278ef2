"""What the machine's memory is made of, by the Mem-Info block (``mm/show_mem.c:show_free_areas``, v6.12).

The anonymous lists hold shared memory too (it needs swap like anonymous memory does), so shared memory is
taken out of them. The whole is what the page allocator manages: the zones' ``managed``, else pages RAM
less pages reserved. The rest that nothing explains is memory that drivers took from the page
allocator without a counter: graphics, virtual-machine balloons, leaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.filled import Fill, ordered, table_fill

if TYPE_CHECKING:
    from memwarden.postmortem.model import NodeFacts, OomReport


ZONE_KERNEL: Final = ("slab_reclaimable", "slab_unreclaimable", "kernel_stack", "pagetables", "bounce")
"""Kernel memory that zone lines have told at one time or another (all of it up to 4.7)."""

CONTRADICTION: Final = 110
"""Percent of the whole that parts may add up to: counters lag, but a tenth too much is a contradiction."""


def system_fill(report: OomReport) -> Fill | None:
    """The machine's parts; from the table of unreclaimable slabs or of tasks where Mem-Info is missing."""
    node = report.node
    if node is None or not _has_lists(node):
        return _slab_fill(node) or table_fill(report, None)
    sizes = _sizes(node)
    whole = managed_bytes(node)
    huge = sizes["hugepages"]
    free = (node.free_bytes or 0) + node.counters_bytes.get("free_pcp", 0)
    explained = sum(sizes.values()) + free
    if whole is not None and explained - huge > whole * CONTRADICTION // 100:
        whole = None
    if whole is not None and huge and explained > whole * CONTRADICTION // 100:
        # The text contradicts itself (edited, or of two machines): the pool cannot be there.
        explained -= huge
        sizes["hugepages"] = 0
    return Fill(
        whole,
        ordered(sizes),
        free_bytes=free,
        unexplained_bytes=max(0, whole - explained) if whole is not None else 0,
        unevictable_bytes=sizes["unevictable"],
        dirty_bytes=node.counters_bytes.get("dirty", 0) + node.counters_bytes.get("writeback", 0),
        basis="mem-info",
    )


def nodes_fill(report: OomReport) -> Fill | None:
    """The parts of the nodes that counted: a cpuset's or policy's report prints only their zones.

    (``mm/show_mem.c:show_mem_node_skip``, v6.12.) Zones do not tell shared memory from anonymous.
    """
    zones = [] if report.node is None else [zone for zone in report.node.zones if zone.name != "Device"]
    if not zones or any(zone.managed_bytes is None or zone.free_bytes is None for zone in zones):
        return None
    sums: dict[str, int] = {}
    for zone in zones:
        for name, amount in zone.counters_bytes.items():
            sums[name] = sums.get(name, 0) + amount
    sizes = {
        "anon": sums.get("active_anon", 0) + sums.get("inactive_anon", 0),
        "file": sums.get("active_file", 0) + sums.get("inactive_file", 0),
        "unevictable": sums.get("unevictable", 0),
        "kernel": sum(sums.get(name, 0) for name in ZONE_KERNEL),
    }
    whole = sum(zone.managed_bytes or 0 for zone in zones)
    free = sums.get("free", 0) + sums.get("free_pcp", 0)
    rest = max(0, whole - free - sum(sizes.values()))
    return Fill(whole, ordered(sizes), free_bytes=free, unexplained_bytes=rest, basis="zones")


def _has_lists(node: NodeFacts) -> bool:
    lists = (node.active_anon_bytes, node.inactive_anon_bytes, node.slab_unreclaimable_bytes)
    return any(one is not None for one in lists) or _undivided(node) is not None


def _undivided(node: NodeFacts) -> int | None:
    """Before 2.6.28 there was one active and one inactive list for anonymous memory and files together."""
    active = node.counters_bytes.get("Active")
    if active is None or node.pagecache_bytes is None or node.active_anon_bytes is not None:
        return None
    return active + node.counters_bytes.get("inactive", 0)


def _sizes(node: NodeFacts) -> dict[str, int]:
    counters = node.counters_bytes
    anon = (node.active_anon_bytes or 0) + (node.inactive_anon_bytes or 0) + counters.get("isolated_anon", 0)
    file = (node.active_file_bytes or 0) + (node.inactive_file_bytes or 0) + counters.get("isolated_file", 0)
    if (both := _undivided(node)) is not None:
        file = min(both, node.pagecache_bytes or 0)
        anon = both - file
    shmem = node.shmem_bytes or 0
    # Locked and hugetlb-backed shared memory is on the unevictable list: never more there than shmem itself.
    locked_shmem = max(0, min(shmem - anon, node.unevictable_bytes or 0))
    kernel = (
        (node.slab_reclaimable_bytes or 0)
        + max(node.slab_unreclaimable_bytes or 0, sum(node.unreclaimable_slabs_bytes.values()))
        + (node.pagetables_bytes or 0)
        + sum(counters.get(name, 0) for name in ("sec_pagetables", "bounce", "kernel_stack"))
        + (counters.get("slab", 0) if node.slab_unreclaimable_bytes is None else 0)  # up to 2.6.31
    )
    return {
        "anon": max(0, anon - shmem),
        "shmem": shmem,
        "file": file,
        "kernel": kernel,
        "unevictable": (node.unevictable_bytes or 0) - locked_shmem,
        "hugepages": node.hugepages_bytes or 0,
    }


def managed_bytes(node: NodeFacts) -> int | None:
    """What the page allocator hands out: the zones' managed memory, else pages RAM less pages reserved.

    Last, what the zones hold at all. Zones are taken only where every zone of the text says it, since a
    cut line would hide a part.
    """
    managed = [zone.managed_bytes for zone in node.zones if zone.name != "Device"]
    known = [size for size in managed if size is not None]
    if managed and len(known) == len(managed):
        by_zones = sum(known)
        # Elided zones: the header's free memory cannot exceed what the zones hold.
        if by_zones >= sum(_counted(node)):
            return by_zones
    if node.ram_bytes is not None:
        return node.ram_bytes - (node.reserved_bytes or 0)
    # Up to 3.7 zones say what is present only, holes of the kernel's own included.
    present = [zone.present_bytes for zone in node.zones]
    return sum(size or 0 for size in present) if present and None not in present else None


def _counted(node: NodeFacts) -> tuple[int, ...]:
    return (
        node.free_bytes or 0,
        node.active_anon_bytes or 0,
        node.inactive_anon_bytes or 0,
        node.active_file_bytes or 0,
        node.inactive_file_bytes or 0,
        node.unevictable_bytes or 0,
        node.slab_reclaimable_bytes or 0,
        node.slab_unreclaimable_bytes or 0,
    )


def _slab_fill(node: NodeFacts | None) -> Fill | None:
    """The kernel lists unreclaimable slabs only when they exceed all pages of processes and files together.

    (``mm/oom_kill.c:should_dump_unreclaim_slab``, v6.12)
    """
    if node is None or not node.unreclaimable_slabs_bytes:
        return None
    return Fill(None, ordered({"kernel": sum(node.unreclaimable_slabs_bytes.values())}), basis="slab")
