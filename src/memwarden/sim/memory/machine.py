"""The machine's own shortage: kswapd below the low watermark, direct reclaim below min, global OOM.

``mm/page_alloc.c:__alloc_pages_slowpath``, ``should_reclaim_retry``; ``mm/vmscan.c:balance_pgdat`` (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory import oom
from memwarden.sim.memory.shrink import CLUSTER, shrink
from memwarden.sim.result import Kind
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


def allocate(task: Task, pages: int) -> None:
    """Make sure that so many pages are free above the min watermark, before they are taken."""
    world = task.world
    if world.free - pages < world.marks.low_pages:
        world.kswapd()
    tries = RETRIES
    while world.free - pages < world.marks.min_pages:
        world.say(Kind.DIRECT, proc=task.proc, stretch=True)
        if shrink(world, world.root, max(pages, CLUSTER), task):
            tries = RETRIES
        elif any(memcg.writeback or memcg.dirty for memcg in world.root.subtree):
            world.flush()
            raise Retry(world.jiffy_us)
        elif tries and _reclaimable(world) + world.free > world.marks.min_pages:
            tries -= 1
        else:
            oom.machine(task)


def _reclaimable(world: World) -> int:
    """``zone_reclaimable_pages``: file lists, and anonymous ones if swap has room."""
    file = sum([m.inactive_file + m.active_file for m in world.root.subtree])
    anon = sum([m.anon - m.locked + m.shmem for m in world.root.subtree])
    return file + min(anon, world.swap_free)


class Kswapd:
    """The machine's background reclaim: from the low watermark up to the high one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reclaim = self.wait = 0.0
        self.awake = False
        self.failed = 0

    def wake(self) -> None:
        """``wakeup_kswapd``."""
        if self.awake or (self.failed >= HOPELESS and not self._hope()):
            return
        self.awake = True
        self.failed = 0
        self.world.say(Kind.KSWAPD, stretch=True)
        self.world.at(self.world.now, self._run)

    def _hope(self) -> bool:
        return _reclaimable(self.world) > 0

    def _run(self, _token: int) -> None:
        """One step, which takes its time on a processor of its own share."""
        world = self.world
        missing = world.marks.high_pages - world.free
        if missing <= 0 or self.failed >= HOPELESS:
            self.awake = False
            return
        self.reclaim = self.wait = 0.0
        freed = shrink(world, world.root, min(missing, STEP), self)
        self.failed = 0 if freed else self.failed + 1
        slow = max(1.0, (world.running + 1.0) / world.machine.cpus)
        world.at(world.now + max(int(self.reclaim * slow + self.wait), 1), self._run)
