"""Swap: which pages are in slots, which of those still in memory, compressed."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from memwarden.sim.world.memcg import NO_LIMIT, PAGE

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World


def swap_out(world: World, held: Holding, pages: int, now: float) -> None:
    """Move pages of a holding to swap, at ``now``.

    Those that zswap, zram or a disk that is memory takes are free at once, and those that still have their
    slots. Others for a disk stay charged, in the swap cache, until the device wrote them and reclaim looks at
    them again (``pageout``, ``folio_end_writeback``; ``written``).
    """
    memcg, swap, backed = held.memcg, world.machine.swap, held.clean(pages)
    held.drop(pages, seen=pages)
    held.swapped += pages
    if held.kind == "shmem":
        memcg.shmem -= pages
    else:
        memcg.anon -= pages
    if backed:
        held.backed -= backed
        held.fresh = min(held.fresh, held.backed)
        world.backed -= backed
        world.uncharge(memcg, backed)
        pages -= backed
    memcg.swap_own += pages
    world.swap_used += pages
    for above in memcg.chain:
        above.swap += pages
    memcg.counts["pswpout"] += pages
    kept = min(pages, _zswap_room(world, memcg))
    if kept:
        held.zswapped += kept
        memcg.counts["zswpout"] += kept
    waits = swap is not None and swap.ram_ratio is None and not swap.synchronous
    written = pages - kept if waits else 0
    world.uncharge(memcg, pages - written)
    if kept:
        _pool(world, memcg, kept)
    if written:
        done = now + world.swap_disk.write_us(now, written * PAGE) + world.swap_disk.disk.latency_us
        held.writes.append((done, written))
        held.leaving += written
        memcg.leaving += written


def keep_slots(world: World, held: Holding, pages: int) -> None:
    """Pages that came back from a disk, and are only looked at, keep their slots.

    Where swap is more than half full they do not (``mm/memory.c:should_try_to_free_swap``,
    ``mem_cgroup_swap_full``).
    """
    held.swapped -= pages
    _recall(world, held)
    held.backed += pages
    held.fresh += pages
    world.backed += pages


def on_disk(world: World) -> bool:
    """Whether what is swapped is on a disk, all of it."""
    swap = world.machine.swap
    return swap is not None and swap.ram_ratio is None and world.machine.zswap is None


def swap_full(world: World, memcg: Memcg) -> bool:
    """``mem_cgroup_swap_full``: more than half of swap is used, or of what a cgroup may use."""
    return world.swap_free * 2 < world.swap_total or any(
        above.swap * 2 >= min(above.swap_high, above.swap_max) for above in memcg.chain
    )


def free_slots(world: World, held: Holding, pages: int) -> None:
    """Slots of pages that are in memory."""
    held.backed -= pages
    held.fresh = min(held.fresh, held.backed)
    world.backed -= pages
    held.memcg.swap_own -= pages
    world.swap_used -= pages
    for above in held.memcg.chain:
        above.swap -= pages


def written(world: World, memcg: Memcg, want: int, now: float) -> int:
    """Free up to ``want`` pages that the device has written by ``now``; how many."""
    freed = 0
    for held in memcg.holdings:
        while held.writes and held.writes[0][0] <= now and freed < want:
            done, pages = held.writes.popleft()
            some = min(pages, want - freed)
            if some < pages:
                held.writes.appendleft((done, pages - some))
            freed += some
            held.leaving -= some
    memcg.leaving -= freed
    world.uncharge(memcg, freed)
    return freed


def next_written(memcg: Memcg) -> float:
    """When the device is through with the next of a cgroup's pages; there are some."""
    return min([held.writes[0][0] for held in memcg.holdings if held.writes])


def unswap(world: World, held: Holding, pages: int) -> int:
    """Free slots of a holding; how many of the pages were in zswap."""
    memcg = held.memcg
    kept = held.zswapped * pages // held.swapped if pages < held.swapped else held.zswapped
    held.swapped -= pages
    held.zswapped -= kept
    _recall(world, held)
    memcg.swap_own -= pages
    world.swap_used -= pages
    for above in memcg.chain:
        above.swap -= pages
    if kept:
        _pool(world, memcg, -kept)
    return kept


def _recall(world: World, held: Holding) -> None:
    """Pages that were on their way are back, or free, before they were written: the last that were sent.

    They are found in the swap cache (``do_swap_page``); what they were charged as is given back, since who
    brings them back has been charged anew.
    """
    missing = held.leaving - (held.swapped - held.zswapped)
    if missing <= 0:
        return
    held.leaving -= missing
    held.memcg.leaving -= missing
    world.uncharge(held.memcg, missing)
    while missing:
        done, pages = held.writes.pop()
        if pages > missing:
            held.writes.append((done, pages - missing))
        missing -= min(pages, missing)


def _pool(world: World, memcg: Memcg, pages: int) -> None:
    """``obj_cgroup_charge_zswap``: what is compressed is charged to its cgroup."""
    assert world.machine.zswap is not None
    memcg.zswapped += pages
    world.zswapped += pages
    pool = ceil(memcg.zswapped / world.machine.zswap.ratio)
    world.charge(memcg, pool - memcg.zswap_pool)
    memcg.zswap_pool = pool


def _zswap_room(world: World, memcg: Memcg) -> int:
    """Uncompressed pages that the pool still takes (``zswap_store``: its share of RAM, memory.zswap.max)."""
    zswap = world.machine.zswap
    if zswap is None:
        return 0
    room = int(zswap.pool_share * world.ram * zswap.ratio) - world.zswapped
    for above in memcg.chain:
        if above.zswap_max != NO_LIMIT:
            pool = sum([below.zswap_pool for below in above.subtree])
            room = min(room, int((above.zswap_max - pool) * zswap.ratio))
    return max(room, 0)
