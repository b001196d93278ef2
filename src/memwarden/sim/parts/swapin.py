"""Pages that come back from swap: a major fault each, at the device's or the compressor's price.

``mm/memory.c:do_swap_page`` (v6.12): the page is charged anew, and the wait is a memory stall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.sim.memory.charge import take
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.swapping import unswap

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.process import Task


def bring_back(task: Task, held: Holding, want: int) -> int:
    """Fault up to ``want`` pages in; how many came."""
    world, memcg = task.world, held.memcg
    pages = take(task, memcg, min(want, held.swapped))
    compressed = unswap(world, held, pages)
    held.resident += pages
    memcg.anon += pages
    memcg.counts["pswpin"] += pages
    memcg.counts["zswpin"] += compressed
    memcg.counts["pgmajfault"] += pages
    memcg.counts["refault_anon"] += pages
    memcg.cost_anon += pages
    task.proc.tally.swapped_in += pages
    task.reclaim += pages * world.machine.swap_us
    swap = world.machine.swap
    from_disk = pages - compressed
    if from_disk and swap is not None and swap.ram_ratio is None:
        begun = world.now + task.reclaim + task.wait
        task.wait += world.swap_disk.read_us(begun, from_disk * PAGE, requests=from_disk)
    return pages
