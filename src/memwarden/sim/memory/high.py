"""memory.high: the allocating task reclaims on its way back to user space, and sleeps if that was in vain.

``mm/memcontrol.c:mem_cgroup_handle_over_high`` and ``reclaim_high`` (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.rules.high_delay import RETRY_PAGES, ROUNDS, delay_jiffies, overage
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.result import Kind

if TYPE_CHECKING:
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.process import Task

HIGH: Final = "memory.high"
SWAP_HIGH: Final = "memory.swap.high"
LEVEL: Final = 63
"""``LVL_SIZE`` - 1: jiffies that the first level of the timer wheel reaches."""


def owes(task: Task, memcg: Memcg, pages: int) -> None:
    """After a charge: over any high, the task owes what it was charged (``try_charge_memcg``)."""
    if exceeded(memcg):
        task.over_high += pages


def exceeded(memcg: Memcg) -> bool:
    """Whether usage is above memory.high, or swap above memory.swap.high, here or above."""
    return any(above.usage > above.high or above.swap > above.swap_high for above in memcg.chain)


def handle_over_high(task: Task, memcg: Memcg) -> None:
    """Reclaim, and sleep; the time goes on the task's account."""
    charged, task.over_high = task.over_high, 0
    world, rounds, want = task.world, ROUNDS, charged
    while True:
        freed = 0
        for above in memcg.chain[:-1]:
            if above.usage > above.high:
                above.count("high")
                freed += shrink(world, above, want, task)
        jiffies = delay_jiffies(charged, _overages(memcg), hz=world.hz, batch_pages=world.batch)
        if not jiffies:
            return
        want = RETRY_PAGES
        if freed:
            continue
        rounds -= 1
        if not rounds:
            break
    begins = world.now + task.reclaim + task.wait
    delay = wakes_us(begins, jiffies, world.jiffy_us) - begins
    task.proc.throttled.add(begins, begins + delay)
    task.wait += delay
    over, file = _furthest(memcg)
    world.say(Kind.THROTTLED, over.path, proc=task.proc, detail=file, stretch=True)


def wakes_us(begins_us: float, jiffies: int, jiffy_us: int) -> int:
    """When the timer of a sleep fires: never early, so at a tick behind its end (``timer.c:calc_index``).

    From ``LVL_START(1)`` = 63 jiffies on the wheel has only every eighth tick, from 504 on every 64th.
    """
    shift = 0 if jiffies < LEVEL else 3 if jiffies < LEVEL << 3 else 6
    ends = int(begins_us // jiffy_us) + jiffies
    return ((ends >> shift) + 1 << shift) * jiffy_us


def _furthest(memcg: Memcg) -> tuple[Memcg, str]:
    """The cgroup that is furthest above one of its two files, most of the sleep, and which file that is."""
    levels = memcg.chain[:-1]
    over = max(levels, key=lambda above: overage(above.usage, above.high))
    swap = max(levels, key=lambda above: overage(above.swap, above.swap_high))
    if overage(swap.swap, swap.swap_high) > overage(over.usage, over.high):
        return swap, SWAP_HIGH
    return over, HIGH


def _overages(memcg: Memcg) -> tuple[int, int]:
    levels = memcg.chain[:-1]
    return (
        max([overage(above.usage, above.high) for above in levels], default=0),
        max([overage(above.swap, above.swap_high) for above in levels], default=0),
    )
