"""Dirty pages: the flusher that writes them back, and writers that have to wait for it.

``mm/page-writeback.c:balance_dirty_pages``, ``domain_dirty_limits``; ``fs/fs-writeback.c:wb_workfn``;
``mm/memcontrol.c:mem_cgroup_wb_stats``, ``flush_memcg_stats_dwork`` (v6.12).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

from memwarden.sim.memory.rounds import PRIORITIES
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Retry
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.world.holding import FilePages
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Task
    from memwarden.sim.world.world import World

DIRTY: Final = 0.2
"""``vm.dirty_ratio``."""
BACKGROUND: Final = 0.1
"""``vm.dirty_background_ratio``."""
PERIOD_US: Final = 5 * SECOND_US
"""``vm.dirty_writeback_centisecs``."""
EXPIRE_US: Final = 30 * SECOND_US
"""``vm.dirty_expire_centisecs``."""
CHUNK_US: Final = 20_000
"""What the flusher writes at a time, as time of the disk."""
LONGEST_US: Final = 200_000.0
"""``MAX_PAUSE``: a writer waits no longer at once."""
COUNT_US: Final = 2 * SECOND_US
"""``FLUSH_TIME``: a cgroup's statistics are added up so often, here in the even seconds."""
AT_LEAST: Final = 32
"""Pages that a writer dirties between two looks at the thresholds at least: ``nr_dirtied_pause``, 128 KiB."""


_NUMBER: Final = attrgetter("number")
_AGE: Final = attrgetter("since_us", "number")
_TURN: Final = attrgetter("memcg.flushed_us", "since_us", "number")


class Looker(Protocol):
    """Who reclaims, and at how many priorities of this pass it found nothing but pages to be written."""

    world: World
    looks: int


def look_again(looker: Looker, target: Memcg) -> bool:
    """A reclaim found nothing to free: where pages wait for the disk, ``Retry`` until it has looked often.

    At each priority it has the flusher woken and sleeps a tick at the most (``shrink_node``,
    ``reclaim_throttle``: ``VMSCAN_THROTTLE_CONGESTED``), whatever the disk is at. What was written by then is
    found at the next look, or was found by somebody else; with neither the pass was in vain: whether it was.
    """
    world = looker.world
    if looker.looks < PRIORITIES and unclean(target):
        looker.looks += 1
        world.flush()
        raise Retry(world.jiffy_us)
    begun_us = world.now - looker.looks * world.jiffy_us
    looker.looks = 0
    return target.freed_us < begun_us or begun_us == world.now


def unclean(target: Memcg) -> bool:
    """Whether pages below a cgroup have to be written before they can be freed."""
    return any(below.writeback or below.dirty for below in target.subtree)


def balance_dirty_pages(task: Task, pages: int) -> None:
    """A writer waits as the kernel makes it wait: not at all up to the middle of both thresholds.

    Between there and the threshold it writes at the disk's speed, faster or slower the farther it is from the
    middle of that stretch. This is no memory stall.
    """
    world = task.world
    worst = min(_position(world, task.proc.memcg), _position(world, world.root))
    if worst >= 2.0:
        return
    world.flush()
    if not worst and _stale(world):
        # Over the threshold there is no pace, only the longest pause, as long as the count says so.
        task.io += pages / AT_LEAST * LONGEST_US
        return
    pace = world.disk.disk.write_bps / PAGE * max(worst, 0.05) / max(world.writers(task), 1)
    task.io += min(pages * SECOND_US / pace, max(LONGEST_US, pages * SECOND_US / (pace * 4)))


def _position(world: World, memcg: Memcg) -> float:
    """``pos_ratio``: 1 at the set point, 0 at the threshold, 2 and free below the middle."""
    if memcg is world.root and _little(world):
        return 2.0
    dirty, background, limit = thresholds(world, memcg)
    free_run = (background + limit) / 2
    if dirty <= free_run:
        return 2.0
    return 2.0 * max(limit - dirty, 0.0) / max(limit - free_run, 1.0) if dirty < limit else 0.0


def thresholds(world: World, memcg: Memcg) -> tuple[int, float, float]:
    """Dirty pages and pages under writeback below a cgroup, and its two thresholds."""
    cache, dirty = _counted(world, memcg)
    room = world.free - world.marks.high_pages
    for above in memcg.chain[:-1]:
        left = (above.max if above.max < above.high else above.high) - above.usage
        if left < room:
            room = left
    if room > 0:
        cache += room
    return dirty, BACKGROUND * cache, DIRTY * cache


def _counted(world: World, memcg: Memcg) -> tuple[int, int]:
    """Page cache below a cgroup and how much of it is unclean: now, or when its statistics were added up."""
    period = world.now // COUNT_US
    if memcg.counted[0] == period and memcg is not world.root and _stale(world):
        return memcg.counted[1:]
    cache = dirty = 0
    for below in memcg.subtree:
        unclean = below.dirty + below.writeback
        dirty += unclean
        cache += below.inactive_file + below.active_file + unclean
    memcg.counted = (period, cache, dirty)
    return cache, dirty


def _stale(world: World) -> bool:
    return bool(world.machine.traits.stale_dirty_counts)


def _little(world: World) -> bool:
    """Whether so little is dirty that it is below the machine's background threshold without looking."""
    return world.unclean <= BACKGROUND * (world.free - world.marks.high_pages)


class Flusher:
    """The disk's flusher thread. Awake while there is more dirty than the background threshold, or old."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.awake = False
        self.asked = False
        world.at(PERIOD_US, self._period)

    def wake(self) -> None:
        """Somebody needs clean pages."""
        self.asked = True
        self._start()

    def _start(self) -> None:
        if not self.awake:
            self.awake = True
            self.world.at(self.world.now, self._run)

    def _period(self, _token: int) -> None:
        self.world.at(self.world.now + PERIOD_US, self._period)
        if self.world.dirtied:
            self._start()

    def _run(self, _token: int) -> None:
        """Begin to write the next pages; come back when they are clean."""
        world = self.world
        part = self._next(world.dirtied)
        if part is None:
            self.awake = self.asked = False
            return
        room = int(world.disk.disk.write_bps * CHUNK_US / SECOND_US / PAGE)
        pages = max(min(part.dirty, room), 1)
        part.dirty -= pages
        if not part.dirty:
            world.dirtied.remove(part)
        part.memcg.dirty -= pages
        part.writeback += pages
        part.memcg.writeback += pages
        part.memcg.flushed_us = world.now
        took = int(world.disk.write_us(world.now, pages * PAGE)) + 1
        world.at(world.now + took, lambda token: self._written(part, pages, token))

    def _next(self, dirtied: set[FilePages]) -> FilePages | None:
        """The file that has been dirty for longest, if anything needs to be written.

        Where somebody waits every cgroup is written in turn: each has a flusher of its own
        (``wakeup_flusher_threads``, ``wb_start_writeback``), so that who waits for its own pages gets some.
        """
        if not dirtied:
            return None
        if self.asked:
            return min(dirtied, key=_TURN)
        oldest = min(dirtied, key=_AGE)
        world = self.world
        if world.now - oldest.since_us >= EXPIRE_US:
            return oldest
        parts = sorted(dirtied, key=_NUMBER)
        for memcg in (world.root, *dict.fromkeys(part.memcg for part in parts)):
            if memcg is world.root and _little(world):
                continue
            dirty, background, _ = thresholds(world, memcg)
            if dirty > background:
                return next((part for part in parts if part.memcg in memcg.subtree), oldest)
        return None

    def _written(self, part: FilePages, pages: int, token: int) -> None:
        part.writeback -= pages
        self.world.unclean -= pages
        part.memcg.writeback -= pages
        part.inactive += pages
        part.memcg.inactive_file += pages
        self._run(token)
