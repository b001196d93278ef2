"""A working set: requests come at a rate, each touches pages at random, and waits for those that are gone."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from memwarden.sim.memory.charge import take
from memwarden.sim.parts.anon import FAST_US
from memwarden.sim.parts.files import READAHEAD, read_in, used_again
from memwarden.sim.parts.swapin import bring_back
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Task
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import WorkingSet
    from memwarden.sim.world.process import Proc

BASE_US: Final = 20.0
"""What a request takes when all it touches is there."""
TOUCH_US: Final = 0.1
STEP_US: Final = 10_000.0
"""Requests that wait are served one by one, so much at a time."""
OFTEN: Final = 0.5
"""From so many missing pages per request on, each request is looked at by itself."""


class Serving(Task):
    """``WorkingSet``: loads everything, then serves; a request that comes late waits in line."""

    __slots__ = (
        "anon_touches", "cold", "file", "file_touches", "hot", "hot_pages", "hot_share", "interval", "loaded",
        "mapped", "next_us", "pages",
    )  # fmt: skip

    def __init__(self, proc: Proc, part: WorkingSet) -> None:
        super().__init__(proc)
        self.pages = part.anon_bytes // PAGE
        self.hot_pages = min(part.hot_bytes // PAGE, self.pages)
        self.hot_share = part.hot_share if self.hot_pages else 0.0
        self.anon_touches = part.anon_touches if self.pages else 0
        self.file_touches = part.file_touches if part.file_bytes else 0
        self.file = self.world.file(f"{proc.program.name} {proc.pid}", part.file_bytes)
        if not part.file_bytes:
            self.file.size = 0
        self.mapped = part.mapped
        if part.mapped:
            self.file.of(proc.memcg).mapped = True
        self.interval = SECOND_US / part.requests_per_s
        self.next_us: float | None = None
        self.loaded = 0
        touches = self.anon_touches / self.interval
        anywhere = touches * (1 - self.hot_share)
        hot_rate = touches * self.hot_share + anywhere * self.hot_pages / max(self.pages, 1)
        self.hot = self._holding(self.hot_pages / hot_rate if hot_rate else float("inf"))
        self.cold = self._holding(self.pages / anywhere if anywhere else float("inf"))

    def _holding(self, touch_us: float) -> Holding:
        held = Holding(self.proc.memcg, touch_us=touch_us)
        self.proc.holdings.append(held)
        return held

    def work(self) -> float | None:
        """Load, then serve."""
        if self.next_us is None:
            if self._load():
                return 0.0
            self.next_us = float(self.world.now)
        return self._serve(self.next_us)

    def _load(self) -> bool:
        """Take what is not there yet; whether there was anything."""
        world, memcg = self.world, self.proc.memcg
        for held, size in ((self.hot, self.hot_pages), (self.cold, self.pages - self.hot_pages)):
            left = size - held.total
            if left > 0:
                got = take(
                    self, memcg, min(left, int(FAST_US / world.machine.fault_us)), huge=world.machine.thp
                )
                held.resident += got
                memcg.anon += got
                self.cpu += got * world.machine.fault_us
                return True
        left = min(self.file.size - self.loaded, self.file.size - self.file.cached)
        if left > 0:
            want = min(left, int(world.disk.disk.read_bps / PAGE * FAST_US / SECOND_US) + 1)
            self.loaded += read_in(self, self.file, want, requests=want // (READAHEAD * 8) + 1)
            return True
        return False

    def _serve(self, due: float) -> float:
        """Requests of a chunk of time; how much of it was idle."""
        now = cursor = float(self.world.now)
        end, idle = now + self.chunk_us, 0.0
        interval, served = self.interval, self.proc.tally.served
        cost = BASE_US + TOUCH_US * self.anon_touches
        first = due
        while due < end and cursor - now - idle < STEP_US:
            start = due if due > cursor else cursor
            idle += start - cursor
            of_file = self._missing_of_file()
            missing = self._missing_of_anon() + of_file
            count = 0
            if missing < OFTEN:
                count = self._undisturbed(missing, int((end - start) / max(interval, cost)) + 1)
            if count and start - due < cost:
                # So many find everything in memory, and nobody waits.
                served(cost, count)
                self.cpu += cost * count
                gaps = (count - 1) * max(interval - cost, 0.0)
                idle += gaps
                cursor = start + cost * count + gaps
                due += interval * count
            else:
                cursor = start + (cost + self._faults(missing, of_file))
                self.cpu += cost
                served(cursor - due)
                due += interval
            self.next_us = due
        if self.file_touches:
            self._use_file((due - first) / self.interval)
        return idle + max(min(due, end) - cursor, 0.0)

    def _undisturbed(self, missing: float, most: int) -> int:
        """How many requests come before one that touches a page that is not there, of which there are few."""
        if not missing:
            return most
        return min(int(log(1.0 - self.chance.share()) / log(1.0 - missing)), most)

    def _missing_of_anon(self) -> float:
        """Anonymous pages per request that are not there."""
        hot, cold = self.hot, self.cold
        if not (hot.swapped or cold.swapped):
            return 0.0
        anywhere = (hot.swapped + cold.swapped) / self.pages
        share = hot.swapped / self.hot_pages if self.hot_pages else 0.0
        return self.anon_touches * (self.hot_share * share + (1 - self.hot_share) * anywhere)

    def _missing_of_file(self) -> float:
        """The same of its file."""
        return self.file_touches * (1 - self.file.cached / self.file.size) if self.file_touches else 0.0

    def _faults(self, missing: float, file_part: float) -> float:
        """Bring back what one request touches, of which ``file_part`` are of the file; how long that took."""
        if not missing:
            return 0.0
        before = self.cpu + self.reclaim + self.wait + self.io
        pages = max(self.chance.whole(missing), 1 if missing < OFTEN else 0)
        of_file = min(self.chance.whole(pages * file_part / missing), pages)
        if of_file:
            read_in(self, self.file, self._around(of_file), requests=of_file)
        anon = pages - of_file
        swapped = self.hot.swapped + self.cold.swapped
        if anon and swapped:
            hot_part = self._hot_part()
            of_hot = min(self.chance.whole(anon * hot_part), self.hot.swapped)
            for held, count in ((self.hot, of_hot), (self.cold, min(anon - of_hot, self.cold.swapped))):
                if count:
                    bring_back(self, held, count)
        return self.cpu + self.reclaim + self.wait + self.io - before

    def _around(self, faults: int) -> int:
        """Pages that so many faults bring: those missing of ``ra_pages`` around each, where it is mapped.

        ``mm/filemap.c:do_sync_mmap_readahead`` (v6.12). A small random ``read`` brings what it asked for.
        """
        if not self.mapped:
            return faults
        missing = self.file.size - self.file.cached
        return min(faults * max(READAHEAD * missing // self.file.size, 1), missing)

    def _hot_part(self) -> float:
        """Of the swapped pages that are touched, the share of hot ones."""
        spread = 1 - self.hot_share
        hot = self.hot.swapped * (
            spread / self.pages + (self.hot_share / self.hot_pages if self.hot_pages else 0)
        )
        cold = self.cold.swapped * spread / self.pages
        return hot / (hot + cold) if hot + cold else 0.0

    def _use_file(self, requests: float) -> None:
        inactive = sum([one.inactive for one in self.file.parts.values()])
        touched = requests * self.file_touches * inactive / self.file.size
        used_again(self.file, min(self.chance.whole(touched), inactive))
