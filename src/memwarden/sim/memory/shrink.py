"""Reclaim: which cgroups, which lists, which pages.

``mm/vmscan.c``: ``shrink_node_memcgs`` walks the cgroups below the target, each scanned in proportion to its
lists less what is protected; ``get_scan_count`` divides between file and anonymous; ``shrink_folio_list``
drops clean file pages, skips dirty ones and those under writeback, and swaps anonymous pages out.
"""

from __future__ import annotations

from math import exp, inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from memwarden.sim.memory.protected import protections
from memwarden.sim.result import Kind
from memwarden.sim.world.swapping import swap_out
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World

CLUSTER: Final = 32
"""``SWAP_CLUSTER_MAX``: the least that a reclaim asks for."""
QUEUE_US: Final = 20_000.0
"""What may wait to be written to swap before whoever reclaims has to wait for the device."""
DIRECT, KSWAPD = "direct", "kswapd"


class Payer(Protocol):
    """Who reclaims: ``reclaim`` is processor time in it, ``wait`` time asleep; both stall on memory."""

    reclaim: float
    wait: float


class Lists(NamedTuple):
    """What of one cgroup reclaim may look at: pages to scan, file and anonymous."""

    memcg: Memcg
    file: int
    anon: int
    scan: float


def shrink(world: World, target: Memcg, want: int, payer: Payer, *, swappiness: int | None = None) -> int:
    """Free ``want`` pages below ``target`` if possible; how many were freed. 0: nothing can be."""
    payer.reclaim += world.machine.pass_us
    freed = _passes(world, target, want, payer, swappiness)
    if freed:
        world.say(Kind.RECLAIM, target.path, amount=freed, stretch=True)
    return freed


def _passes(world: World, target: Memcg, want: int, payer: Payer, swappiness: int | None) -> int:
    guarded = protections(world, target) if world.protected else {}
    spared: list[Memcg] = []
    freed = 0
    for below_low in (False, True):
        while freed < want:
            lists = _lists(world, target, guarded, spared, swappiness, below_low=below_low)
            got = _round(world, target, lists, want - freed, payer=payer, swappiness=swappiness)
            freed += got
            if not got:
                break
        # do_try_to_free_pages: memory.low gives way when a whole pass freed nothing.
        if freed or not spared:
            break
        if not below_low:
            for memcg in spared:
                memcg.count("low")
    return freed


def _lists(
    world: World,
    target: Memcg,
    guarded: dict[Memcg, tuple[int, int]],
    spared: list[Memcg],
    swappiness: int | None,
    *,
    below_low: bool,
) -> list[Lists]:
    """Every cgroup that may be scanned, and how much of it."""
    traits = world.machine.traits
    found = []
    spared.clear()
    for memcg in target.subtree:
        least, low = guarded.get(memcg, (0, 0))
        if memcg is target and traits.stale_protection_bug:
            least = memcg.stale_min
        elif memcg is not target and guarded:
            memcg.stale_min = least
        if least and memcg.usage <= least:
            continue
        if low and memcg.usage <= low and not below_low:
            spared.append(memcg)
            continue
        file = memcg.inactive_file + memcg.active_file
        anon = _anon(world, memcg, target, swappiness)
        size: float = file + anon
        if not size:
            size = memcg.slab
        if not size:
            continue
        room: float = inf
        if (least or low) and memcg is not target:
            protected = least if below_low or low <= least else low
            room = memcg.usage - least
            if not traits.mglru or traits.mglru_proportional_protection:
                # get_scan_count: the nearer to the protection, the less; at least SWAP_CLUSTER_MAX.
                kept = size - size * protected / (memcg.usage + 1)
                size = max(kept, min(size, CLUSTER))
        found.append(Lists(memcg, file, anon, min(size, room) or 1))
    return found


def _anon(world: World, memcg: Memcg, target: Memcg, swappiness: int | None) -> int:
    """Anonymous pages and shmem that can go to swap; 0 where swap is full, or not to be used."""
    wanted = world.machine.swappiness if swappiness is None else swappiness
    if not world.swap_total or (wanted == 0 and (target.parent is not None or swappiness is not None)):
        return 0
    return min(memcg.anon - memcg.locked + memcg.shmem, world.swap_room(memcg))


def _round(
    world: World, target: Memcg, lists: list[Lists], want: int, *, payer: Payer, swappiness: int | None
) -> int:
    """Scan each list in proportion, until enough was freed."""
    total = sum([one.scan for one in lists])
    freed = 0
    for one in lists:
        share = min(-int(-want * one.scan // total), want - freed, max(int(one.scan), 1))
        if share <= 0:
            break
        freed += _slab(world, one, share, payer)
        file_pages, anon_pages = split(world, one, share, swappiness, target)
        got = drop_file(world, one.memcg, file_pages, payer)
        got += swap(world, one.memcg, anon_pages, payer)
        one.memcg.counts["pgsteal"] += got
        freed += got
    return freed


def split(world: World, lists: Lists, want: int, swappiness: int | None, target: Memcg) -> tuple[int, int]:
    """How many file pages and how many anonymous ones (``get_scan_count``)."""
    memcg, file, anon, _ = lists
    if not anon:
        return min(want, file), 0
    if not file:
        return 0, min(want, anon)
    if target.parent is None and file + world.free <= world.marks.high_pages:
        return 0, min(want, anon)  # "file is tiny"
    if memcg.inactive_file >= want:
        return want, 0  # cache_trim_mode: there is cold cache, whatever swappiness says
    wanted = world.machine.swappiness if swappiness is None else swappiness
    costs = memcg.cost_anon + memcg.cost_file
    anon_cost, file_cost = costs + memcg.cost_anon, costs + memcg.cost_file
    anon_weight = wanted * (anon_cost + file_cost + 1) / (anon_cost + 1) * anon
    file_weight = (200 - wanted) * (anon_cost + file_cost + 1) / (file_cost + 1) * file
    anon_pages = min(round(want * anon_weight / (anon_weight + file_weight)), anon)
    file_pages = min(want - anon_pages, file)
    return file_pages, min(want - file_pages, anon)


def drop_file(world: World, memcg: Memcg, want: int, payer: Payer) -> int:
    """Drop clean page cache: what was used once, then what was used again."""
    freed = 0
    for name in ("inactive", "active"):
        for part in sorted(memcg.files.values(), key=lambda part: -getattr(part, name)):
            pages = min(getattr(part, name), want - freed)
            if pages <= 0:
                break
            setattr(part, name, getattr(part, name) - pages)
            world.files[part.name].evicted += pages
            freed += pages
            if name == "inactive":
                memcg.inactive_file -= pages
            else:
                memcg.active_file -= pages
    if freed:
        world.uncharge(memcg, freed)
        memcg.counts["pgscan"] += freed
        payer.reclaim += freed * world.machine.reclaim_us
    return freed


def swap(world: World, memcg: Memcg, want: int, payer: Payer) -> int:
    """Swap anonymous pages out: a page that was used since it was looked at before gets a second chance."""
    want = min(want, world.swap_room(memcg))
    held = [one for one in memcg.holdings if one.resident and one.kind != "locked"]
    if want <= 0 or not held:
        return 0
    resident = [one.resident for one in held]
    weighted, scanned = _chances(world, memcg, held, resident, want)
    total, freed, written = sum(weighted), 0, 0
    for one, weight in zip(held, weighted, strict=True):
        pages = min(-int(-want * weight // total), one.resident, want - freed)
        if pages > 0:
            written += swap_out(world, one, pages)
            freed += pages
    memcg.counts["pgscan"] += scanned
    payer.reclaim += scanned * world.machine.reclaim_us + freed * world.machine.swap_us
    disk = world.machine.swap
    if written and disk is not None and disk.ram_ratio is None:
        queue = world.swap_disk.write_us(world.now + payer.reclaim + payer.wait, written * 4096)
        payer.wait += max(queue - QUEUE_US, 0.0)
    return freed


def _chances(
    world: World, memcg: Memcg, held: list[Holding], resident: list[int], want: int
) -> tuple[list[float], int]:
    """How many pages of each holding would be taken if all were looked at, and how many have to be.

    The list is gone round once in ``size / rate``, where the rate is what reclaim took in about the last
    second; of pages that are used ``touch_us`` apart, a share of exp(-round / touch_us) was not used in one
    round. When too few are found, rounds follow one another faster (a lower priority).
    """
    last, rate = memcg.turn
    rate = rate * exp((last - world.now) / SECOND_US) + want
    memcg.turn = (world.now, rate)
    turn_us = sum(resident) / rate * SECOND_US
    while True:
        weighted = [
            pages * exp(-turn_us / one.touch_us) if one.touch_us else 0.0
            for one, pages in zip(held, resident, strict=True)
        ]
        if sum(weighted) >= want:
            break
        turn_us /= 2
        if turn_us < 1:
            weighted = [float(pages) for pages in resident]
            break
    return weighted, max(want, int(want * sum(resident) / max(sum(weighted), 1.0)))


def _slab(world: World, lists: Lists, want: int, payer: Payer) -> int:
    """Dentries and inodes, beside everything else: ``do_shrink_slab`` takes twice the share of the lists."""
    memcg = lists.memcg
    if not memcg.slab:
        return 0
    size = lists.file + lists.anon
    pages = min(memcg.slab, 2 * want * memcg.slab // size + 1 if size else want)
    memcg.slab -= pages
    world.uncharge(memcg, pages)
    payer.reclaim += pages * world.machine.reclaim_us
    return pages
