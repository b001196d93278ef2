"""Swap: which pages are in slots, which of those still in memory, compressed."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from memwarden.sim.world.memcg import NO_LIMIT

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World


def swap_out(world: World, held: Holding, pages: int) -> int:
    """Move pages of a holding to swap; how many of them went to the device, the others to zswap."""
    memcg = held.memcg
    held.resident -= pages
    held.swapped += pages
    if held.kind == "shmem":
        memcg.shmem -= pages
    else:
        memcg.anon -= pages
    world.uncharge(memcg, pages)
    memcg.swap_own += pages
    world.swap_used += pages
    for above in memcg.chain:
        above.swap += pages
    memcg.counts["pswpout"] += pages
    kept = min(pages, _zswap_room(world, memcg))
    if kept:
        held.zswapped += kept
        memcg.counts["zswpout"] += kept
        _pool(world, memcg, kept)
    return pages - kept


def unswap(world: World, held: Holding, pages: int) -> int:
    """Free slots of a holding; how many of the pages were in zswap."""
    memcg = held.memcg
    kept = held.zswapped * pages // held.swapped if pages < held.swapped else held.zswapped
    held.swapped -= pages
    held.zswapped -= kept
    memcg.swap_own -= pages
    world.swap_used -= pages
    for above in memcg.chain:
        above.swap -= pages
    if kept:
        _pool(world, memcg, -kept)
    return kept


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
