"""The machine's own shortage: kswapd below the low watermark, direct reclaim below min, global OOM.

``mm/page_alloc.c:__alloc_pages_slowpath``, ``should_reclaim_retry``; ``mm/vmscan.c:balance_pgdat`` (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory import oom
from memwarden.sim.memory.rounds import CLUSTER
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.memory.writeback import look_again
from memwarden.sim.result import Kind
from memwarden.sim.world.pressure import Occupied
from memwarden.sim.world.process import Retry

if TYPE_CHECKING:
    from memwarden.sim.world.process import Task
    from memwarden.sim.world.world import World

RETRIES: Final = 16
"""``MAX_RECLAIM_RETRIES``: loops of direct reclaim without progress."""
STEP: Final = 512
"""Pages that kswapd frees before it looks at the watermark again."""
HOPELESS: Final = 16
"""``MAX_RECLAIM_RETRIES``: kswapd gives up after so many runs in vain, until somebody else makes progress."""


def allocate(task: Task, pages: int) -> int:
    """Make sure that a few pages are free above the min watermark; how many of those wanted may be taken.

    Pages are allocated one by one, so that who freed fewer than it wants goes on with those. A reclaim frees
    ``SWAP_CLUSTER_MAX``; with fewer than that nobody goes on here.
    """
    world = task.world
    if world.free - pages < world.marks.low_pages:
        world.kswapd()
    while (room := world.free - world.marks.min_pages) < min(pages, CLUSTER):
        world.say(Kind.DIRECT, proc=task.proc, stretch=True)
        if shrink(world, world.root, max(pages, CLUSTER), task):
            task.vain = task.looks = 0
            if world.free >= world.marks.high_pages:  # kswapd_try_clear_hopeless: pgdat_balanced
                world.kswapd_failures = 0
        elif task.vain < RETRIES and _reclaimable(world) + world.free > world.marks.min_pages:
            # A pass in vain takes its time, in which others read back what they need: that is progress again.
            task.vain += look_again(task, world.root)
            raise Retry(0.0, spins=True)
        else:
            task.vain = 0
            oom.machine(task)
    return min(pages, room)


def _reclaimable(world: World) -> int:
    """``zone_reclaimable_pages``: file lists, dirty or not, and anonymous ones if swap has room."""
    file = world.unclean + sum([m.inactive_file + m.active_file for m in world.root.subtree])
    anon = sum([m.anon - m.locked + m.shmem for m in world.root.subtree])
    return file + world.arriving + (anon if world.swap_free else 0)


class Kswapd:
    """The machine's background reclaim: from the low watermark up to the high one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reclaim = self.wait = 0.0
        self.awake = False
        self.freed = 0
        """Pages since it was woken."""
        self.stalls, self.runs = 0, 0.0
        """What it adds to those who stall, and to those who run."""
        self.occupied = Occupied(world.now, world.root.pressure.period)
        self.counted_us = 0.0

    def wake(self) -> None:
        """``wakeup_kswapd``."""
        if self.awake or (self.world.kswapd_failures >= HOPELESS and not self._hope()):
            return
        self.awake = True
        self.freed = 0
        self.world.kswapd_failures = 0
        self.world.say(Kind.KSWAPD, stretch=True)
        self.world.at(self.world.now, self._run)

    def _hope(self) -> bool:
        return not self.world.machine.traits.kswapd_stays_down and _reclaimable(self.world) > 0

    def _run(self, _token: int) -> None:
        """One step, which takes its time on a processor of its own share.

        It is a memory stall of the machine's, of no cgroup's (``balance_pgdat``: ``psi_memstall_enter``).
        """
        world, pressure = self.world, self.world.root.pressure
        pressure.advance(world.now)
        pressure.stalled -= self.stalls
        pressure.own_us -= self.counted_us
        world.running -= self.runs
        self.stalls, self.runs = 0, 0.0
        self.counted_us = 0.0
        self.occupied.goes_on(world.now, 0.0)
        missing = world.marks.high_pages - world.free
        if missing <= 0 or world.kswapd_failures >= HOPELESS:
            self.awake = False
            return
        self.reclaim = self.wait = 0.0
        scanned, stolen = world.scanned, world.stolen
        freed = shrink(world, world.root, min(missing, STEP), self, done=self.freed)
        self.freed += freed
        world.kswapd_scanned += world.scanned - scanned
        world.kswapd_stolen += world.stolen - stolen
        world.kswapd_failures = 0 if freed else world.kswapd_failures + 1
        slow = world.slow
        took = self.reclaim * slow + self.wait
        self.stalls, self.runs = 1, self.reclaim * slow / took if took else 0.0
        self.counted_us = self.occupied.last_us
        self.occupied.goes_on(world.now, 1.0)
        pressure.stalled += self.stalls
        pressure.own_us += self.counted_us
        world.running += self.runs
        world.at(world.now + max(int(took), 1), self._run)
