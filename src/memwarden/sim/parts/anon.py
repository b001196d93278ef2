"""Anonymous memory: growth, steps, a collected heap, a spike, locked memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory.charge import take
from memwarden.sim.parts.swapin import bring_back
from memwarden.sim.scenario import Mlock
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import NO_LIMIT, PAGE
from memwarden.sim.world.process import Task, release
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import Grow, Sawtooth, Spike, Steps
    from memwarden.sim.world.process import Proc

FAST_US: Final = 5_000
"""What a task that has no pace of its own does at a time."""
TABLE: Final = 512
"""Pages that a page of page tables maps (``PTRS_PER_PTE``); it is charged, too (``mm/memory.c:__pte_alloc``,
``GFP_PGTABLE_USER``)."""


class Filler(Task):
    """Takes pages into one holding: ``pace`` in pages per second, or ``None`` for as fast as it goes."""

    __slots__ = ("held", "pace", "tables")

    def __init__(self, proc: Proc, pace: float | None, kind: str = "anon") -> None:
        super().__init__(proc)
        self.pace = pace
        self.tables = 0
        """Pages of page tables; they stay until the process ends."""
        self.held = Holding(proc.memcg, kind)
        proc.holdings.append(self.held)

    def fill(self, left: int) -> float:
        """Take a chunk of what is left; how long to sleep to keep the pace."""
        machine, memcg, held, pace = self.world.machine, self.proc.memcg, self.held, self.pace
        want = int(FAST_US / machine.fault_us if pace is None else pace * self.chunk_us / SECOND_US)
        got = take(self, memcg, min(want, left) or 1, huge=machine.thp)
        if machine.page_tables:
            got -= self._map(got)
        memcg.anon += got
        if held.kind == "locked":
            memcg.locked += got
        held.resident += got
        memcg.counts["pgfault"] += got
        self.cpu += got * machine.fault_us
        self.proc.tally.moved += got
        return 0.0 if pace is None else self.rest_us(got * SECOND_US / pace)

    def _map(self, got: int) -> int:
        """How many of the pages that were charged are page tables for the others."""
        more = min(max(-(-(self.held.total + got) // TABLE) - self.tables, 0), got)
        self.tables += more
        self.proc.kernel += more
        self.proc.memcg.kernel += more
        return more


class Growth(Filler):
    """``Grow`` and ``Mlock``."""

    __slots__ = ("limit",)

    def __init__(self, proc: Proc, part: Grow | Mlock) -> None:
        locked = isinstance(part, Mlock)
        super().__init__(proc, pages_per_s(part.rate_bps), "locked" if locked else "anon")
        amount = part.amount_bytes if isinstance(part, Mlock) else part.limit_bytes
        self.limit = NO_LIMIT if amount is None else amount // PAGE

    def work(self) -> float | None:
        """Take more, up to the limit."""
        left = self.limit - self.held.total
        return self.fill(left) if left > 0 else None


class Stepping(Filler):
    """``Steps``."""

    __slots__ = ("every_us", "limit", "next_us", "step", "top")

    def __init__(self, proc: Proc, part: Steps) -> None:
        super().__init__(proc, None)
        self.step = max(part.step_bytes // PAGE, 1)
        self.every_us = part.every_us
        self.limit = NO_LIMIT if part.limit_bytes is None else part.limit_bytes // PAGE
        self.top = 0
        self.next_us = self.world.now

    def work(self) -> float | None:
        """Take the step, or wait for the next."""
        held = self.held.total
        if held < self.top:
            return self.fill(self.top - held)
        if held >= self.limit:
            return None
        if self.world.now < self.next_us:
            return self.next_us - self.world.now
        self.top = min(self.top + self.step, self.limit)
        self.next_us += self.every_us
        return self.fill(self.top - held)


class Collected(Filler):
    """``Sawtooth``: a heap whose garbage nobody looks at again; each collection looks at what lives."""

    __slots__ = ("alive", "bottom", "returned", "top")

    def __init__(self, proc: Proc, part: Sawtooth) -> None:
        super().__init__(proc, pages_per_s(part.rate_bps))
        self.top = max(part.top_bytes // PAGE, 1)
        self.bottom = min(part.bottom_bytes // PAGE, self.top)
        self.alive: int | None = None
        """Pages that a collection has still to bring back from swap."""
        self.returned = False
        """Whether an earlier collection did."""

    def work(self) -> float | None:
        """Grow to the top; at the top, look at what lives and give the rest back."""
        held = self.held
        if held.total < self.top:
            self.alive = None
            return self.fill(self.top - held.total)
        if self.alive is None:
            # What lives is older than the garbage, and the oldest pages were swapped out first: the room for
            # each that comes back is made by the next, which then has to come back, too.
            self.alive = self.bottom if held.swapped else 0
        if self.alive and held.swapped:
            want = min(self.alive, held.swapped)
            self.alive -= bring_back(self, held, want, in_order=True, in_use=self.returned, looked_at=True)
            if not self.alive:
                self.returned = True
            return 0.0
        held.fresh = 0  # what is written from now on is younger
        self.paced_us = None  # and the pace begins anew
        garbage = held.total - self.bottom
        swapped = min(held.swapped, garbage)
        release(self.world, held, garbage - swapped, swapped)
        self.cpu += self.bottom * self.world.machine.fault_us / 5
        return 0.0


class Spiking(Filler):
    """``Spike``."""

    __slots__ = ("hold_us", "since", "top")

    def __init__(self, proc: Proc, part: Spike) -> None:
        super().__init__(proc, None)
        self.top = part.top_bytes // PAGE
        self.hold_us = part.hold_us
        self.since: int | None = None

    def work(self) -> float | None:
        """Up, hold, down."""
        held = self.held
        if self.since is None:
            if held.total < self.top:
                return self.fill(self.top - held.total)
            self.since = self.world.now
            return float(self.hold_us)
        release(self.world, held, held.resident, held.swapped)
        return None


def pages_per_s(rate_bps: float | None) -> float | None:
    """A pace; never so slow that nothing ever happens."""
    return None if rate_bps is None else max(rate_bps / PAGE, 1e-6)
