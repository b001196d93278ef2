"""Files that are read and written through the page cache.

``mm/filemap.c:filemap_read``, ``mm/workingset.c:workingset_refault``, ``mm/page-writeback.c`` (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory.charge import take
from memwarden.sim.memory.writeback import balance_dirty_pages
from memwarden.sim.parts.anon import pages_per_s
from memwarden.sim.world.memcg import NO_LIMIT, PAGE
from memwarden.sim.world.process import Task
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import ReadFile, WriteFile
    from memwarden.sim.world.holding import File, FilePages
    from memwarden.sim.world.process import Proc
    from memwarden.sim.world.world import World

READAHEAD: Final = 32
"""Pages that one request of sequential reading brings (``read_ahead_kb`` 128); they are asked for in time."""
FAST_US: Final = 10_000
"""What a reader without a pace does at a time."""


def read_in(
    task: Task, file: File, want: int, *, requests: int, work_us: float = 0.0, known: int = NO_LIMIT
) -> int:
    """Read pages that are not cached; how many came. Only the first ``known`` of them were ever read before.

    ``work_us`` is what the reader does with each meanwhile, as the next are asked for before they are needed
    (``page_cache_async_ra``): it waits for what the disk takes longer than that.

    Those that were cached before are refaults. One whose distance - the pages that came and went since - is
    not more than what the working set holds goes to the active list, and waiting for it is a memory stall.
    """
    world, memcg = task.world, task.proc.memcg
    pages = take(task, memcg, min(want, file.size - file.cached))
    part = file.of(memcg)
    again = min(pages, known, file.evicted)
    file.evicted -= again
    begun = world.now + task.reclaim + task.wait + task.io
    took = world.disk.read_us(begun, pages * PAGE, requests=requests)
    took = max(took - pages * work_us * task.world.slow, 0.0) if work_us else took
    if again:
        task.proc.tally.refaulted += again
        memcg.counts["refault_file"] += again
    if again and turns(task, file):
        put_active(part, again)
        part.inactive += pages - again
        memcg.inactive_file += pages - again
        memcg.cost_file += again
        task.wait += took * again / pages
        task.io += took * (pages - again) / pages
    else:
        part.inactive += pages
        memcg.inactive_file += pages
        task.io += took
    return pages


def turns(task: Task, file: File) -> bool:
    """Whether what is read again of a file was gone for so short that it goes to the active list."""
    return file.size - file.cached <= workingset(task)


def workingset(task: Task) -> int:
    """``workingset_test_recent``: active file pages, and anonymous ones where they could go to swap."""
    memcg = task.proc.memcg
    pages = memcg.active_file
    if task.world.swap_total and task.world.swap_room(memcg):
        pages += memcg.anon + memcg.shmem
    return pages


def put_active(part: FilePages, pages: int) -> None:
    """New pages on the active list."""
    part.active += pages
    part.memcg.active_file += pages


def used_again(file: File, pages: int) -> None:
    """Cached pages were read: the second time makes them active (``folio_mark_accessed``)."""
    left = pages
    for part in file.parts.values():
        if moved := min(part.inactive, left):
            part.inactive -= moved
            part.memcg.inactive_file -= moved
            put_active(part, moved)
            left -= moved


class Reading(Task):
    """``ReadFile``: from end to end, again and again."""

    __slots__ = ("at", "file", "left", "pace")

    def __init__(self, proc: Proc, part: ReadFile) -> None:
        super().__init__(proc)
        self.at = 0
        self.file = self.world.file(part.name, part.file_bytes)
        self.file.readers.append(self)
        self.pace = pages_per_s(part.rate_bps)
        self.left = NO_LIMIT if part.times is None else part.times * self.file.size

    def work(self) -> float | None:
        """Read the next pages.

        What is cached of a file that is larger than its cache lies just behind the reader, and is gone when
        it comes round: only pages of the active list are found, and those that another reader, just ahead,
        has brought. While those that are read again become active at once, that list is gone round in the
        same way, and nothing is found.
        """
        if self.left <= 0:
            return None
        file, want = self.file, self._chunk()
        cached = file.cached
        if cached >= file.size:
            found = float(want)
        else:
            found = 0.0 if turns(self, file) else want * file.active / file.size
        led = self._led(want)
        hits = led or min(self.chance.whole(found), want)
        misses = 0 if led else min(want - hits, file.size - cached)
        machine = self.world.machine
        work_us = machine.copy_us + machine.fault_us if machine.read_us is None else machine.read_us
        requests = misses // (READAHEAD * 8) + 1
        known = file.known - self.at - hits
        came = (
            read_in(self, file, misses, requests=requests, work_us=work_us, known=max(known, 0))
            if misses
            else 0
        )
        if misses and came < misses:
            hits = hits * came // misses
        elif not led:
            used_again(file, hits)
        done = max(hits + came, 1)
        self.left -= done
        file.known = max(file.known, min(self.at + done, file.size))
        self.at = (self.at + done) % file.size
        self.cpu += hits * machine.copy_us + came * work_us
        self.proc.tally.moved += done
        return pace_us(self, done, self.pace)

    def _led(self, want: int) -> int:
        """Pages up to where another reader is, if what lies behind that one is still cached.

        Read a second time they are no warmer to the multi-generational LRU (``folio_mark_accessed``); on the
        classic lists they would become active, and leave in the same order.
        """
        if len(self.file.readers) == 1:
            return 0
        kept = self.file.cached
        ahead = [(one.at - self.at) % self.file.size for one in self.file.readers if not one.proc.dying]
        return min(want, max([pages for pages in ahead if pages <= kept], default=0))

    def _chunk(self) -> int:
        world, file = self.world, self.file
        if self.pace is not None:
            want = self.pace * self.chunk_us / SECOND_US
        elif file.cached >= file.size:
            want = FAST_US / world.machine.copy_us
        else:
            want = world.disk.disk.read_bps / PAGE * FAST_US / SECOND_US
        return max(min(int(want), self.left, file.size), 1)


class Writing(Task):
    """``WriteFile``: from end to end, again and again; pages are dirty until they were written back."""

    __slots__ = ("again", "file", "left", "pace")

    def __init__(self, proc: Proc, part: WriteFile) -> None:
        super().__init__(proc)
        self.file = self.world.file(part.name, part.file_bytes)
        self.pace = pages_per_s(part.rate_bps)
        self.again = False
        """It goes as fast as it can, and did not have to wait for the disk the last time."""
        self.left = NO_LIMIT if part.times is None else part.times * self.file.size

    def work(self) -> float | None:
        """Write the next pages; too many dirty ones, and the writer waits for the disk."""
        if self.left <= 0:
            return None
        file, want = self.file, self._chunk()
        missing = file.size - file.cached
        # What is cached of it was written last, and is come to last, as with a reader.
        new = min(want, missing)
        part = file.of(self.proc.memcg)
        if self.again and not (new or part.inactive or part.active):
            return self._again()
        if new:
            done = take(self, self.proc.memcg, new)
        else:
            done = min(want, part.inactive + part.active) or want
            self._clean_to_dirty(part, done)
        if new:
            dirty(self.world, part, done)
        self.left -= done
        machine = self.world.machine
        self.cpu += done * machine.copy_us + (done if new else 0) * machine.fault_us
        self.proc.tally.moved += done
        balance_dirty_pages(self, done)
        self.again = not (self.pace or self.io)
        return pace_us(self, done, self.pace)

    def _again(self) -> float:
        """All of it is dirty already, and not too much is: only memory says how fast, and no page is new."""
        done = max(min(int(FAST_US / self.world.machine.copy_us), self.left), 1)
        self.left -= done
        self.cpu += done * self.world.machine.copy_us
        self.proc.tally.moved += done
        balance_dirty_pages(self, min(done, self._chunk()))
        self.again = not self.io
        return 0.0

    def _clean_to_dirty(self, part: FilePages, pages: int) -> None:
        memcg = part.memcg
        first = min(part.inactive, pages)
        second = min(part.active, pages - first)
        part.inactive -= first
        memcg.inactive_file -= first
        part.active -= second
        memcg.active_file -= second
        dirty(self.world, part, first + second)

    def _chunk(self) -> int:
        pace = self.pace or self.world.disk.disk.write_bps / PAGE
        chunk = self.chunk_us if self.pace else FAST_US
        return max(min(int(pace * chunk / SECOND_US), self.left, self.file.size), 1)


def dirty(world: World, part: FilePages, pages: int) -> None:
    """Pages that have to be written back."""
    if not part.dirty and pages:
        part.since_us = world.now
        world.dirtied.add(part)
    world.unclean += pages
    part.dirty += pages
    part.memcg.dirty += pages


def pace_us(task: Task, pages: int, pace: float | None) -> float:
    """How long to sleep after so many pages to keep the pace."""
    if pace is None:
        return 0.0
    return task.rest_us(pages * SECOND_US / pace)
