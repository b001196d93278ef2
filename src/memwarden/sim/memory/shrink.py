"""Reclaim: which cgroups, which lists, which pages.

``mm/vmscan.c``: ``shrink_node_memcgs`` walks the cgroups below the target, each scanned in proportion to its
lists less what is protected; ``get_scan_count`` divides between file and anonymous; ``shrink_folio_list``
drops clean file pages, skips dirty ones and those under writeback, and swaps anonymous pages out.
"""

from __future__ import annotations

from math import ceil, exp, inf, log2
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from memwarden.sim.memory.protected import protections
from memwarden.sim.memory.referenced import age, look
from memwarden.sim.memory.rounds import CLUSTER, MIN_BATCH, PRIORITIES, alone, classic, generations
from memwarden.sim.result import Kind
from memwarden.sim.world.swapping import next_written, swap_out, written
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World

ROUND: Final = 256
"""Of the lists no more than so small a part is looked at in a turn, so that all are gone round in step."""
LISTS: Final = (("inactive", None), ("active", None))
"""In which order file pages go: what was used once, then what was used again; mapped or not."""
COLDEST: Final = (("inactive", False), ("active", False), ("inactive", True), ("active", True))
"""Of the multi-generational LRU: those that page tables know last."""


class Payer(Protocol):
    """Who reclaims: ``reclaim`` is processor time in it, ``wait`` time asleep; both stall on memory."""

    reclaim: float
    wait: float


class Lists(NamedTuple):
    """What of one cgroup reclaim may look at: pages to scan, file and anonymous.

    ``turn_us``: how long it takes to go round the lists of several cgroups; ``None`` where it is alone.
    ``least``: pages that stay, however many are looked at, since they are protected.
    """

    memcg: Memcg
    file: int
    anon: int
    scan: float
    turn_us: float | None = None
    least: int = 0

    @property
    def room(self) -> float:
        """Pages that may still go."""
        return max(self.memcg.usage - self.memcg.leaving - self.least, 0) if self.least else inf


def shrink(
    world: World,
    target: Memcg,
    want: int,
    payer: Payer,
    *,
    swappiness: int | None = None,
    times: int = 1,
    done: int | None = None,
) -> int:
    """Free ``want`` pages below ``target`` if possible; how many were freed. 0: nothing can be.

    It stands for so many ``times`` that reclaim is asked for its share of them. ``done``: it is kswapd's, who
    freed so many since it was woken.
    """
    if done is not None and world.machine.age_us is not None and world.swap_free:
        # Of MGLRU. It begins below the default priority, at which it would get away without (get_nr_to_scan).
        payer.reclaim += sum([age(memcg) for memcg in target.subtree]) * world.machine.age_us
    freed, rounds = _passes(world, target, (want, times), payer, swappiness)
    if done is not None and freed >= want:
        rounds = kswapd_rounds(world, done + freed) - kswapd_rounds(world, done)
    payer.reclaim += world.machine.pass_us * rounds / PRIORITIES * times
    if freed:
        for above in target.chain:
            above.freed_us = world.now
        world.say(Kind.RECLAIM, target.path, amount=freed, stretch=True)
    return freed


def _passes(
    world: World, target: Memcg, asked: tuple[int, int], payer: Payer, swappiness: int | None
) -> tuple[int, int]:
    """Pages freed, and at how many priorities. ``asked`` for so many, in so many reclaims."""
    want, times = asked
    guarded = protections(world, target) if world.protected else {}
    spared: list[Memcg] = []
    freed = rounds = vain = 0
    priority = PRIORITIES - 1
    for below_low in (False, True):
        while freed < want:
            lists = _lists(world, target, guarded, spared, swappiness, below_low=below_low)
            if not rounds and lists:
                asked_for = want // times
                if ordered(world, target, lists):
                    want, rounds = in_order(world, lists[0].memcg, asked_for, payer, swappiness)
                else:
                    pages, rounds = priorities(world, target, lists, asked_for, swappiness)
                    want = max(want, pages * times)
            back = _written(world, lists, want - freed, payer)
            world.stolen += back if target.parent is None else 0
            freed += back
            leaving = [one.memcg for one in lists if one.memcg.leaving]
            missing = want - freed - sum([memcg.leaving for memcg in leaving])
            got = sent = stayed = 0
            if missing > 0:
                got, sent, stayed = _round(
                    world, target, lists, missing, payer=payer, swappiness=swappiness, vain=vain
                )
                freed += got
            # Each priority looks at twice as much as the one before.
            vain = vain + 1 if stayed and not got and not sent else 0
            if got or sent or stayed or freed >= want:
                continue
            if not leaving:
                break
            priority -= 1
            if priority >= 0 and _goes_on(world, target, lists, priority, payer=payer, swappiness=swappiness):
                continue
            _wait(world, target, leaving, payer)
        # do_try_to_free_pages: memory.low gives way when a whole pass freed nothing.
        if freed or not spared:
            break
        if not below_low:
            for memcg in spared:
                memcg.count("low")
    if freed < want and target.parent is None:
        freed += _code(world, want - freed, payer)
    return freed, rounds if freed >= want else PRIORITIES


def priorities(
    world: World, target: Memcg, lists: list[Lists], want: int, swappiness: int | None = None
) -> tuple[int, int]:
    """Pages that one reclaim takes when it is asked for ``want``, and at how many priorities it looks.

    At each it looks at ``size >> priority`` of every list, in steps of ``SWAP_CLUSTER_MAX``, and goes on to
    the next while all of them together gave less than was asked for: of one list of 4096 pages 1 + 2 + 4 +
    8 + 16 are less than 32, and then come 32 (``do_try_to_free_pages``, ``get_scan_count``,
    ``shrink_lruvec``). With ``partial_walks`` it ends at the cgroup with which it is enough, and the next
    one begins behind that (``shrink_node_memcgs``, ``mem_cgroup_iter``). Where all is anonymous, and one
    cgroup's, only its share is looked at, as if there were files. MGLRU takes ``MIN_LRU_BATCH`` of a list at
    the least, which mostly is enough at once (``evict_folios``, ``scan_folios``); where it is exact, all of
    its share and no more. Of the machine's reclaim no more is taken than asked for.
    """
    if target.parent is None:
        size = sum([one.scan for one in lists])
        return want, min(ceil(log2(want * (1 << PRIORITIES - 1) / size + 1.0)), PRIORITIES)
    mglru = world.machine.traits.mglru
    # It counts folios there: those of files are large, so that one of them is mostly enough.
    exact = mglru and world.machine.traits.mglru_exact is True and not any(one.file for one in lists)
    batch = MIN_BATCH if mglru else CLUSTER
    # SCAN_FRACT, when what was reclaimed so far was anonymous, too: of its costs and those of files two
    # thirds are its own (anon_cost, file_cost), and half of its swappiness counts against that of files.
    wanted = world.machine.swappiness if swappiness is None else swappiness
    single = not mglru and len(lists) == 1 and lists[0].anon and not lists[0].file
    taken = 0
    for rounds in range(1, PRIORITIES + 1):
        most = ceil((want - taken) / batch) * batch
        for one in _walk(target, lists):
            pages = int(one.scan) >> PRIORITIES - rounds
            if single and rounds < PRIORITIES:
                pages = pages * wanted // (400 - wanted)
            if mglru and pages and not exact:
                pages = min(ceil(pages / batch) * batch, int(one.scan))
            taken += pages if exact else min(pages, most)
            if taken >= want and world.machine.traits.partial_walks:
                target.walked = one.memcg
                return taken, rounds
        target.walked = None
        if taken >= want:
            break
    return max(taken, want), rounds


def _walk(target: Memcg, lists: list[Lists]) -> list[Lists]:
    """Those that are still to come where the last walk was left."""
    if target.walked is None or len(lists) < 2:
        return lists
    return lists[next((at + 1 for at, one in enumerate(lists) if one.memcg is target.walked), 0) :]


def ordered(world: World, target: Memcg, lists: list[Lists]) -> bool:
    """Whether anonymous pages go in their order: for a limit, of one cgroup that has nothing else.

    They have to be free at once when they are swapped: what is on its way is found again, and passed over.
    """
    one, swap = lists[0], world.machine.swap
    return (
        target.parent is not None
        and len(lists) == 1
        and one.anon > 0
        and not one.file
        and swap is not None
        and (swap.synchronous or swap.ram_ratio is not None)
        and alone(one.memcg)
    )


def in_order(world: World, memcg: Memcg, want: int, payer: Payer, swappiness: int | None) -> tuple[int, int]:
    """Pages that such a reclaim takes, and at how many priorities it looks; others that it looks at stay."""
    traits = world.machine.traits
    if traits.mglru:
        found = generations(memcg, want, exact=traits.mglru_exact is True)
    else:
        # SCAN_FRACT: as in priorities, once pages were swapped; that is its cost (lru_note_cost).
        wanted = world.machine.swappiness if swappiness is None else swappiness
        found = classic(memcg, want, (wanted, 400 - wanted if memcg.counts["pswpout"] else 200))
    memcg.counts["pgscan"] += found.stay
    payer.reclaim += found.stay * world.machine.reclaim_us
    return found.go, found.rounds


def kswapd_rounds(world: World, freed: int) -> int:
    """At how many priorities kswapd has looked when it has freed so many pages since it was woken.

    It goes from one to the next until the high watermark is reached (``balance_pgdat``). Where the
    multi-generational LRU is, it does not begin at ``DEF_PRIORITY``, but where it may find as many pages as
    the high watermark, not below half of that (``set_initial_priority``).
    """
    size = max(sum([m.inactive_file + m.active_file + _anon(world, m, world.root, None) for m in
                    world.root.subtree]), 1)  # fmt: skip
    priority = PRIORITIES - 1
    if world.machine.traits.mglru:
        found = size.bit_length() - 1 - (world.marks.high_pages - 1).bit_length()
        priority = min(max(found, priority // 2), priority)
    return min(ceil(log2(freed * (1 << priority) / size + 1.0)), priority + 1)


def _code(world: World, want: int, payer: Payer) -> int:
    """Pages that programs execute from, after all others; how many were freed.

    They are in use again and again, and kept while others can be had (``shrink_active_list``: ``VM_EXEC``).
    At the last priorities they are looked at more often than those use them who wait for this to end.
    """
    pages = drop_file(world, world.root, min(want, world.code), payer)
    world.root.counts["pgsteal"] += pages
    world.scanned += pages
    world.stolen += pages
    return pages


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
        if traits.stale_protection_bug:
            if memcg is target:
                least, low = memcg.stale
            elif memcg.usage:  # mem_cgroup_calculate_protection passes over who has none
                memcg.stale = least, low
        if least and memcg.usage <= least:
            continue
        if low and memcg.usage <= low and not below_low:
            spared.append(memcg)
            continue
        file = memcg.inactive_file + memcg.active_file - (world.code if memcg.parent is None else 0)
        anon = _anon(world, memcg, target, swappiness)
        size: float = file + anon
        if not size:
            size = memcg.slab
        if not size:
            continue
        if (least or low) and memcg is not target:
            protected = least if below_low or low <= least else low
            if not traits.mglru or traits.mglru_proportional_protection:
                # get_scan_count: the nearer to the protection, the less; at least SWAP_CLUSTER_MAX.
                kept = size - size * protected / (memcg.usage + 1)
                size = max(kept, min(size, CLUSTER))
        found.append(Lists(memcg, file, anon, size, least=0 if memcg is target else least))
    return found


def _anon(world: World, memcg: Memcg, target: Memcg, swappiness: int | None) -> int:
    """Anonymous pages and shmem that can go to swap; 0 where swap is full, or not to be used.

    All of them are looked at, however few there is room for (``get_scan_count``: ``lruvec_lru_size``,
    ``can_reclaim_anon_pages``).
    """
    wanted = world.machine.swappiness if swappiness is None else swappiness
    if not world.swap_total or (wanted == 0 and (target.parent is not None or swappiness is not None)):
        return 0
    return (memcg.anon - memcg.locked + memcg.shmem if world.swap_room(memcg) else 0) + memcg.leaving


def _round(
    world: World,
    target: Memcg,
    lists: list[Lists],
    want: int,
    *,
    payer: Payer,
    swappiness: int | None,
    vain: int = 0,
) -> tuple[int, int, int]:
    """Scan each list in proportion: pages that were freed, that are on their way to swap, and that stay.

    Of several cgroups' anonymous pages so many are looked at, however few are missing, twice as many for each
    round before that was in ``vain``.
    """
    if world.machine.traits.mglru:
        lists = _cold(lists) or lists
    lists = _unused(world, lists, want)
    total = sum([one.scan for one in lists])
    # Less than half a page of each: then the first ones give one.
    least = 0.5 if max([one.scan for one in lists], default=0.0) * want >= total / 2 else 0.0
    looks = max(min(MIN_BATCH << vain, int(total) // ROUND), MIN_BATCH, want)
    freed = sent = stayed = 0
    for one in lists:
        part = want * one.scan / total
        most = min(want - freed - sent, max(int(one.scan), 1), one.room)
        share = int(min(ceil(part), most)) if part >= least else 0
        if share <= 0:
            continue
        counts, before = one.memcg.counts, one.memcg.counts["pgscan"]
        freed += _slab(world, one, share, payer)
        file_pages, anon_pages = split(world, one, int(min(share, one.room)), swappiness, target)
        got = drop_file(world, one.memcg, file_pages, payer)
        if anon_pages and one.turn_us is not None:
            most = int(min(want - freed - sent - got, one.room))
            anon_pages, stay = look(one.memcg, max(round(looks * one.scan / total), 1), most)
            payer.reclaim += stay * world.machine.reclaim_us
            counts["pgscan"] += stay
            stayed += stay
        free, on_way = swap(world, one.memcg, anon_pages, payer, one.turn_us)
        got += free
        sent += on_way
        counts["pgsteal"] += got
        if target.parent is None:
            # scan_folios: what a limit makes a cgroup reclaim is in memory.stat only, not in vmstat.
            world.scanned += counts["pgscan"] - before
            world.stolen += got
        freed += got
    return freed, sent, stayed


def _cold(lists: list[Lists]) -> list[Lists]:
    """Of the multi-generational LRU, where anonymous pages could go too: the cache that is read and written.

    Such pages are of the oldest generation from the start, and reading them again keeps them there
    (``lru_gen_add_folio``, ``folio_mark_accessed``); those in page tables begin in the youngest, and no
    cgroup is aged while others have older ones (``get_nr_to_scan``: "try to get away with not aging at the
    default priority"). So they go first, whatever swappiness says (``isolate_folios``).
    """
    found = []
    for one in lists:
        cold = [part.inactive + part.active for part in one.memcg.files.values() if not part.mapped]
        file = min(one.file, sum(cold))
        if file:
            found.append(one._replace(file=file, anon=0, scan=one.scan * file / (one.file + one.anon)))
    return found


def _unused(world: World, lists: list[Lists], want: int) -> list[Lists]:
    """Of several cgroups' anonymous pages those that were not used since they were last looked at.

    All are gone round in the same time (``shrink_node_memcgs`` scans each in proportion to its size); pages
    that were used meanwhile go back to the list (``shrink_folio_list``: ``FOLIOREF_ACTIVATE``), so that a
    cgroup whose pages are in use gives few, and others more.
    """
    several = [one for one in lists if one.anon]
    if len(several) < 2:
        return lists
    rate, resident = float(want), 0
    for one in several:
        rate += _rate(world, one.memcg)
        resident += one.memcg.anon - one.memcg.locked + one.memcg.shmem
    turn_us = resident / rate * SECOND_US
    found = [
        one._replace(anon=int(one.anon * _left(one.memcg, turn_us)), turn_us=turn_us) if one.anon else one
        for one in lists
    ]
    found = [
        new._replace(scan=old.scan * (new.file + new.anon) / (old.file + old.anon)) if old.anon else old
        for old, new in zip(lists, found, strict=True)
    ]
    return found if any(one.file or one.anon for one in found) else lists


def _left(memcg: Memcg, turn_us: float) -> float:
    """The share of a cgroup's anonymous pages that nobody uses for so long."""
    held = [one for one in memcg.holdings if one.resident and one.kind != "locked"]
    unused = sum([one.resident * exp(-turn_us / one.touch_us) for one in held if one.touch_us])
    return unused / max(sum([one.resident for one in held]), 1)


def _rate(world: World, memcg: Memcg) -> float:
    """Anonymous pages that reclaim took here in about the last second."""
    last, rate = memcg.turn
    return rate * exp((last - world.now) / SECOND_US)


def split(world: World, lists: Lists, want: int, swappiness: int | None, target: Memcg) -> tuple[int, int]:
    """How many file pages and how many anonymous ones (``get_scan_count``)."""
    memcg, file, anon = lists[:3]
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
    freed = unmapped = 0
    for name, mapped in COLDEST if world.machine.traits.mglru else LISTS:
        parts = [part for part in memcg.files.values() if mapped in (None, part.mapped)]
        for part in sorted(parts, key=lambda part: -getattr(part, name)):
            pages = min(getattr(part, name), want - freed)
            if pages <= 0:
                break
            setattr(part, name, getattr(part, name) - pages)
            world.files[part.name].evicted += pages
            world.code -= pages if part.code else 0
            freed += pages
            unmapped += pages if part.mapped else 0
            if name == "inactive":
                memcg.inactive_file -= pages
            else:
                memcg.active_file -= pages
    if freed:
        world.uncharge(memcg, freed)
        memcg.counts["pgscan"] += freed
        payer.reclaim += freed * world.machine.reclaim_us + unmapped * world.machine.unmap_us
    return freed


def _goes_on(
    world: World, target: Memcg, lists: list[Lists], priority: int, *, payer: Payer, swappiness: int | None
) -> bool:
    """Whether more was sent while nothing of what was sent before is written.

    MGLRU waits for none of it in a cgroup's reclaim: it goes on to the next priority, and sends all that it
    finds there, whatever comes back meanwhile (``evict_folios``, ``should_abort_scan``). The classic lists
    have few inactive pages, and wait (``reclaim_throttle``).
    """
    if target.parent is None or not world.machine.traits.mglru:
        return False
    want = max(int(sum([one.scan for one in lists if one.anon])) >> priority, MIN_BATCH)
    return any(_round(world, target, lists, want, payer=payer, swappiness=swappiness))


def _written(world: World, lists: list[Lists], want: int, payer: Payer) -> int:
    """Free what was on its way to swap and is written by now."""
    freed = 0
    for one in lists:
        if one.memcg.leaving and freed < want:
            most = min(want - freed, one.memcg.usage - one.least)
            got = written(world, one.memcg, most, _time(world, payer))
            one.memcg.counts["pgsteal"] += got
            freed += got
    payer.reclaim += freed * world.machine.reclaim_us
    return freed


def _wait(world: World, target: Memcg, memcgs: list[Memcg], payer: Payer) -> None:
    """All that could be freed is on its way to the device: until it is through with the first of it.

    In a cgroup reclaim looks again and again, since nobody is throttled for anonymous pages there; for the
    machine it sleeps (``reclaim_throttle``, ``congestion_wait`` in 5.10).
    """
    wait = max(min([next_written(memcg) for memcg in memcgs]) - _time(world, payer), 0.0) + 1.0
    if target.parent is None:
        payer.wait += wait
    else:
        payer.reclaim += wait


def _time(world: World, payer: Payer) -> float:
    """The time at which whoever reclaims will have done what it did so far."""
    return world.now + payer.reclaim + payer.wait


def swap(
    world: World, memcg: Memcg, want: int, payer: Payer, turn_us: float | None = None
) -> tuple[int, int]:
    """Swap anonymous pages out: how many are free at once (zswap, zram), and how many are on their way.

    A page on its way to a disk is not free (``shrink_folio_list`` skips it). One that was used since it was
    looked at before gets a second chance.
    """
    want = min(want, world.swap_room(memcg))
    held = [one for one in memcg.holdings if one.resident and one.kind != "locked"]
    if want <= 0 or not held:
        return 0, 0
    weighted, scanned = _chances(world, memcg, held, want, turn_us)
    moved = min(want, sum([one.resident for one in held]))
    payer.reclaim += scanned * world.machine.reclaim_us + moved * world.machine.swap_us
    total, sent, before, backed = sum(weighted), 0, memcg.leaving, world.backed
    for one, weight in zip(held, weighted, strict=True):
        pages = min(-int(-want * weight // total), one.resident, want - sent)
        if pages > 0:
            swap_out(world, one, pages, _time(world, payer))
            sent += pages
    payer.reclaim -= (backed - world.backed) * world.machine.swap_us
    memcg.counts["pgscan"] += scanned
    on_way = memcg.leaving - before
    return sent - on_way, on_way


def _chances(
    world: World, memcg: Memcg, held: list[Holding], want: int, turn_us: float | None
) -> tuple[list[float], int]:
    """How many pages of each holding would be taken if all were looked at, and how many have to be.

    The list is gone round once in ``size / rate``, where the rate is what reclaim took in about the last
    second, or in ``turn_us`` where several cgroups are gone round; of pages that are used ``touch_us`` apart,
    a share of exp(-round / touch_us) was not used in one round. When too few are found, rounds follow one
    another faster (a lower priority).
    """
    resident = [one.resident for one in held]
    rate = _rate(world, memcg) + want
    memcg.turn = (world.now, rate)
    turn_us = sum(resident) / rate * SECOND_US if turn_us is None else turn_us
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
    pages = int(min(memcg.slab, lists.room, 2 * want * memcg.slab // size + 1 if size else want))
    memcg.slab -= pages
    world.uncharge(memcg, pages)
    payer.reclaim += pages * world.machine.reclaim_us
    return pages
