"""The second chance of anonymous pages: what was used since it was mapped stays when it is first looked at.

Who writes to a page leaves the accessed bit in its page table. The classic lists keep such a page, and clear
the bit (``mm/vmscan.c:folio_check_references``, ``page_check_references`` in 5.10); the multi-generational
LRU takes it to the youngest generation (``walk_mm``, ``lru_gen_look_around``). So each is looked at twice
before it goes, and a cgroup whose list is gone round more slowly than its sibling's, since it is protected,
may give nothing while the sibling gives pages again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg


OLD: Final = 4
"""Aged is what has less than so small a part that is old (``should_run_aging``: ``MIN_NR_GENS`` + 2)."""


def age(memcg: Memcg) -> int:
    """Walk the page tables of a cgroup's programs, if few of their pages are old; how many were walked.

    Then all that was there may go (``mm/vmscan.c:try_to_inc_max_seq``, ``walk_mm``).
    """
    held = [one for one in memcg.holdings if one.resident and one.kind == "anon"]
    pages = sum([one.resident for one in held])
    if sum([one.seen for one in held]) * OLD >= pages:
        return 0
    for one in held:
        one.seen = one.ahead = one.seen_ahead = one.resident
    return pages


def look(memcg: Memcg, pages: int, most: int) -> tuple[int, int]:
    """Look at up to ``pages`` anonymous ones, until ``most`` may go: how many may, and how many stay."""
    go = stay = 0
    held = [one for one in memcg.holdings if one.resident and one.kind != "locked"]
    total = sum([one.resident for one in held])
    for one in held:
        some, kept = _look(one, -(-pages * one.resident // total), most - go)
        go += some
        stay += kept
    return go, stay


def _look(held: Holding, pages: int, most: int) -> tuple[int, int]:
    """The same for one holding, whose pages are on the list in any order."""
    if held.kind == "shmem":  # written by calls: no page table knows
        return min(pages, held.resident, most), 0
    go = stay = 0
    while pages > 0 and go < most:
        if not held.ahead:
            held.ahead, held.seen_ahead = held.resident, held.seen
        some = min(pages, held.ahead)
        seen = some * held.seen_ahead // held.ahead if some < held.ahead else held.seen_ahead
        if seen > most - go:
            seen = most - go
            some = min(some, -(-seen * held.ahead // held.seen_ahead))
        held.ahead -= some
        held.seen_ahead -= seen
        held.seen += some - seen
        pages -= some
        go += seen
        stay += some - seen
        if held.resident <= go:
            break
    return go, stay
