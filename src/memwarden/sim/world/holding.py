"""Who holds which pages: anonymous memory and shmem of one owner, and the cached pages of one file."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Proc


class Holding:
    """Pages on the anonymous list that are used alike: ``touch_us`` apart, one with another.

    ``resident``, ``swapped``: of them ``zswapped`` in the compressed pool, and ``leaving`` still in memory,
    in the swap cache, on their way to the device, or written and not yet freed. ``backed``: of those that are
    resident, which came back from a disk and were not written to since: they still have their slots, and need
    not be written again; ``fresh``: of those, which were looked at last. ``seen``: of those that are
    resident, which reclaim looked at since they were mapped, and left; it has still to go past ``ahead`` of
    them in this round, of which ``seen_ahead`` were seen in an earlier one. ``kind`` is ``anon``, ``shmem``
    or ``locked``.
    """

    __slots__ = (
        "ahead", "backed", "fresh", "kind", "leaving", "memcg", "resident", "seen", "seen_ahead", "swapped",
        "touch_us", "writes", "zswapped",
    )  # fmt: skip

    def __init__(self, memcg: Memcg, kind: str = "anon", touch_us: float = inf) -> None:
        self.memcg = memcg
        self.kind = kind
        self.touch_us = touch_us
        self.resident = 0
        self.swapped = 0
        self.zswapped = 0
        self.leaving = 0
        self.backed = self.fresh = 0
        self.seen = self.ahead = self.seen_ahead = 0
        self.writes: deque[tuple[float, int]] = deque()
        """Of them: when the device is through, and how many pages."""
        memcg.holdings.append(self)

    @property
    def total(self) -> int:
        """Pages that were written to, wherever they are."""
        return self.resident + self.swapped

    def drop(self, pages: int, *, seen: int) -> None:
        """So many are resident no more, of which so many were seen."""
        self.resident -= pages
        self.seen = min(max(self.seen - seen, 0), self.resident)
        self.ahead = min(self.ahead, self.resident)
        self.seen_ahead = min(self.seen_ahead, self.seen, self.ahead)

    def clean(self, pages: int) -> int:
        """Of so many that go, the oldest first, those that still have their slots."""
        old = min(self.backed - self.fresh, pages)
        return old + max(pages - old - (self.resident - self.backed), 0)


class FilePages:
    """The cached pages of one file that are charged to one cgroup."""

    __slots__ = (
        "active", "code", "dirty", "inactive", "mapped", "memcg", "name", "number", "since_us", "writeback",
    )  # fmt: skip

    def __init__(self, memcg: Memcg, name: str) -> None:
        self.memcg = memcg
        self.name = name
        self.number = memcg.inode, len(memcg.files)
        """Its place among all."""
        self.code = False
        """Whether programs execute from them."""
        self.mapped = False
        """Whether they are used through page tables, which say so (the accessed bit)."""
        self.inactive = self.active = self.dirty = self.writeback = 0
        self.since_us = 0
        """When the oldest dirty page became so."""

    @property
    def cached(self) -> int:
        """Pages that a read finds."""
        return self.inactive + self.active + self.dirty + self.writeback


class Reader(Protocol):
    """Who goes through a file from end to end, and is at this page of it."""

    at: int
    proc: Proc


class File:
    """A file on disk; its pages are charged to whoever read or wrote them first."""

    __slots__ = ("evicted", "known", "name", "parts", "readers", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.parts: dict[str, FilePages] = {}
        self.readers: list[Reader] = []
        self.known = 0
        """How far those have come the first time."""
        self.evicted = 0
        """Pages that were cached once and were reclaimed: reading them again is a refault."""

    def of(self, memcg: Memcg) -> FilePages:
        """The pages charged to one cgroup."""
        found = self.parts.get(memcg.path)
        if found is None:
            found = self.parts[memcg.path] = FilePages(memcg, self.name)
            memcg.files[self.name] = found
        return found

    @property
    def cached(self) -> int:
        """Pages that a read finds."""
        cached = 0
        for part in self.parts.values():
            cached += part.inactive + part.active + part.dirty + part.writeback
        return cached

    @property
    def active(self) -> int:
        """Of them those on active lists."""
        return sum([part.active for part in self.parts.values()])
