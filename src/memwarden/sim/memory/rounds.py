"""One cgroup's anonymous pages in their order, where it is reclaimed alone and nobody comes back to them.

Who writes to a page leaves the accessed bit, and new pages come behind all others, so that a list is gone
round in two ways: first of all past pages that were not looked at yet, which stay, and then, as many pages
long, from the oldest on to swap. The classic lists look at each and move it behind the others
(``mm/vmscan.c:folio_check_references``: ``FOLIOREF_KEEP``; ``page_check_references`` in 5.10), one priority
after the other. The multi-generational LRU gives nothing from its two youngest generations
(``MIN_NR_GENS``): when those before are empty it is aged twice, once at a priority, which a walk of the page
tables does (``get_nr_to_scan``, ``try_to_inc_max_seq``), and then all that was there is old.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg

CLUSTER: Final = 32
"""``SWAP_CLUSTER_MAX``: the least that a reclaim asks for."""
MIN_BATCH: Final = 64
"""``MIN_LRU_BATCH``: the least that MGLRU takes of a list."""
PRIORITIES: Final = 13
"""``DEF_PRIORITY`` and those below it: at each, twice as much of a list is scanned as at the one before."""
AGINGS: Final = 2
"""So many times the multi-generational LRU is aged until what is young may go."""


class Found(NamedTuple):
    """Of a reclaim: pages that may go, that were looked at and stay, and at how many priorities."""

    go: int
    stay: int
    rounds: int


class Order:
    """Runs of pages, the oldest first: how many, and whether they were looked at, or aged."""

    def __init__(self, memcg: Memcg) -> None:
        self._held = [one for one in memcg.holdings if one.resident and one.kind != "locked"]
        self.size = sum([one.resident for one in self._held])
        self.runs = memcg.order
        seen = sum([one.seen for one in self._held])
        if sum([pages for pages, old in self.runs if old]) != seen:
            self.runs.clear()
            self.runs.extend([(seen, True)] if seen else [])
        new = self.size - sum([pages for pages, _ in self.runs])
        if new < 0:
            self.runs.clear()
            self.runs.extend([(seen, True), (self.size - seen, False)])
        elif new:
            self._behind(new, seen=False)

    def look(self, pages: int) -> tuple[int, int]:
        """Look at so many of the oldest: those that were seen before go, and others stay, behind all."""
        go = stay = 0
        while go + stay < pages and self.runs:
            count, old = self.runs.popleft()
            some = min(count, pages - go - stay)
            if some < count:
                self.runs.appendleft((count - some, old))
            if old:
                go += some
            else:
                stay += some
                self._behind(some, seen=True)
        self.size -= go
        _note(self._held, stay)
        return go, stay

    def cold(self) -> int:
        """Pages at the old end that were seen, or aged."""
        return self.runs[0][0] if self.runs and self.runs[0][1] else 0

    def age(self) -> None:
        """All that is there may go."""
        self.runs.clear()
        if self.size:
            self.runs.append((self.size, True))
        for one in self._held:
            one.seen = one.resident

    def _behind(self, pages: int, *, seen: bool) -> None:
        if self.runs and self.runs[-1][1] == seen:
            pages += self.runs.pop()[0]
        self.runs.append((pages, seen))


def _note(held: list[Holding], stay: int) -> None:
    """So many of the pages of all were seen; those that go are taken off by who takes them."""
    for one in held:
        some = min(one.resident - one.seen, stay)
        one.seen += some
        stay -= some


def alone(memcg: Memcg) -> bool:
    """Whether all its anonymous pages were written once, and nobody comes back to them."""
    return not memcg.shmem and all(one.touch_us == inf for one in memcg.holdings if one.resident)


def classic(memcg: Memcg, want: int, share: tuple[int, int]) -> Found:
    """What one reclaim finds on an inactive list (``shrink_lruvec``): at each priority in steps of a cluster.

    ``share``: that of a list's size which is looked at, but at the last priority (``get_scan_count``).
    """
    order, go, stay, rounds = Order(memcg), 0, 0, 0
    while go < want and rounds < PRIORITIES:
        rounds += 1
        pages = order.size >> PRIORITIES - rounds
        if rounds < PRIORITIES:
            pages = pages * share[0] // share[1]
        here = 0
        while pages > 0 and here < want:
            some, kept = order.look(min(pages, CLUSTER))
            here += some
            stay += kept
            pages -= CLUSTER
        go += here
    return Found(go, stay, rounds)


def generations(memcg: Memcg, want: int, *, exact: bool) -> Found:
    """The same of the multi-generational LRU; ``exact``: all of a priority's share, and no more."""
    order, go, rounds, agings = Order(memcg), 0, 0, 0
    while go < want and rounds < PRIORITIES:
        rounds += 1
        pages = order.size >> PRIORITIES - rounds
        # At the default priority no aging is run.
        if rounds > 1 and not order.cold():
            agings += 1
            if agings == AGINGS:
                order.age()
            continue
        if not exact:
            pages = -(-pages // MIN_BATCH) * MIN_BATCH
        go += order.look(min(pages, order.cold()))[0]
    return Found(go, 0, rounds)
