"""Charging pages up the tree, and taking them from the machine.

``mm/memcontrol.c:try_charge_memcg`` (v6.12), ``mm/page_alloc.c:__alloc_pages_slowpath``. Far from every
limit a chunk is charged at once; where a limit or a watermark is within reach, the kernel's own batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory import high, oom
from memwarden.sim.memory.machine import allocate
from memwarden.sim.memory.rounds import CLUSTER
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.memory.writeback import look_again
from memwarden.sim.result import Kind
from memwarden.sim.world.process import Retry

if TYPE_CHECKING:
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Task

RETRIES: Final = 16
"""``MAX_RECLAIM_RETRIES``; with the first pass and the one after draining the stocks, 18 before an OOM.

Only those that freed nothing are counted, however long each of them waited for pages to be written.
"""
HUGE: Final = 512
"""Pages of a huge page."""
NEAR: Final = 8
"""A chunk is at most so small a part of the room that is left: others want of it too."""
EASY: Final = 64
"""Where so many times as much cold cache is there, more than a batch is taken at once."""


def take(task: Task, memcg: Memcg, want: int, *, huge: bool = False) -> int:
    """Charge up to ``want`` pages; how many were. What it costs goes on the task's account.

    Raises ``Died`` when that killed the process, ``Retry`` when it has to wait.
    """
    world = task.world
    room = world.free - world.marks.low_pages
    for above in memcg.chain:
        left = (above.high if above.high < above.max else above.max) - above.usage
        if left < room:
            room = left
        if above.swap > above.swap_high:
            room = 0
    if room < want * NEAR:
        unit = HUGE if huge and want >= HUGE else world.batch
        if room < unit:
            # Never the same amount twice, so that two who take turns do not go in step.
            easy = int(_easy(memcg) * (0.5 + task.chance.share()))
            bulk = min(easy, (world.free - world.marks.min_pages) // 4) // unit * unit
            return _slow(task, memcg, (min(want, max(unit, bulk)), want), huge=unit == HUGE)
        want = min(want, max(unit, room // NEAR // unit * unit))
    world.charge(memcg, want)
    task.tries = task.looks = 0
    return want


def _easy(memcg: Memcg) -> int:
    """Pages that may be taken at once since reclaim will have no difficulty."""
    near = (above for above in memcg.chain if above.usage + HUGE > min(above.max, above.high))
    return sum([below.inactive_file for below in next(near, memcg.chain[-1]).subtree]) // EASY


def _slow(task: Task, memcg: Memcg, want: tuple[int, int], *, huge: bool) -> int:
    """``want``: what is asked for at once, and what the task goes on to ask for then."""
    batch = task.world.batch
    full = not huge and _full(memcg, batch)
    pages = _fit(task, memcg, *want, huge=huge)
    if high.exceeded(memcg) and (full or (pages < batch and _full(memcg, batch))):
        # No room for a batch: the page is charged, and owed, by itself, whatever reclaim gave for it.
        pages = batch = 1
    elif pages < batch and _full(memcg, batch):
        batch = 1
    pages = allocate(task, pages)
    task.world.charge(memcg, pages)
    high.owes(task, memcg, max(pages, batch))
    if task.over_high:
        high.handle_over_high(task, memcg)
    return pages


def _full(memcg: Memcg, pages: int) -> bool:
    return any(above.usage + pages > above.max for above in memcg.chain)


def _fit(task: Task, memcg: Memcg, want: int, goal: int, *, huge: bool) -> int:
    """Make room below every memory.max; how many pages fit.

    A reclaim may free more than was asked for. Who did it goes on with that, up to its ``goal``: nobody else
    runs meanwhile.
    """
    world, pages, freed = task.world, want, 0
    while True:
        over = next((above for above in memcg.chain if above.usage + pages > above.max), None)
        if over is None:
            if pages < min(freed, goal):
                pages = min(freed, goal, *[above.max - above.usage for above in memcg.chain])
            task.tries = task.looks = 0
            return pages
        if huge:
            # A huge page is charged with __GFP_NORETRY: one pass, then small ones.
            _pass(task, over, pages)
            huge = over.usage + pages <= over.max
            pages = pages if huge else min(pages, world.batch)
            continue
        margin = over.max - over.usage
        if margin > 0:
            pages = min(pages, margin)
            continue
        pages = min(want, max(world.batch, _easy(memcg)))
        # More than a batch stands for many charges, each of which had a pass of its own.
        times = pages // CLUSTER if pages > world.batch else 1
        freed = _pass(task, over, pages if times > 1 else CLUSTER, times)
        if freed or over.usage < over.max:
            task.looks = 0
            continue
        if not look_again(task, over):
            continue
        if task.tries > RETRIES:
            task.tries = 0
            oom.memcg(task, over)
        task.tries += 1
        if any(oom.dying(over.subtree)):
            # Each pass takes its time, and there is room as soon as the victim has given something back.
            raise Retry(0.0, spins=True)


def _pass(task: Task, over: Memcg, pages: int, times: int = 1) -> int:
    """One attempt (or several at once): the event, and reclaim below the cgroup that is full."""
    if not task.looks:
        over.count("max", times)
        task.world.say(Kind.MAX, over.path, proc=task.proc, stretch=True)
    return shrink(task.world, over, pages, task, times=times)
