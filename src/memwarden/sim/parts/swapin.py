"""Pages that come back from swap: a major fault each, at the device's or the compressor's price.

``mm/memory.c:do_swap_page`` (v6.12): the page is charged anew. Since Linux kernel commit 2b413a1a728f
("mm: page_io: fix psi memory pressure error on cold swapins") (in v5.18) waiting for it is a memory stall
where it had been in use before it was swapped out (``swap_read_folio``, ``folio_wait_bit_common``: both ask
``folio_test_workingset``); a page that was written once and never looked at again was not
(``workingset_refault``). Older kernels count both, which is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory.charge import take
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.swapping import keep_slots, on_disk, swap_full, unswap

if TYPE_CHECKING:
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.process import Task


READAHEAD: Final = 8
"""Pages of one request for neighbours in swap (``vm.page-cluster`` 3, ``swap_cluster_readahead``)."""


def bring_back(
    task: Task,
    held: Holding,
    want: int,
    *,
    in_order: bool = False,
    in_use: bool = True,
    looked_at: bool = False,
) -> int:
    """Fault up to ``want`` pages in; how many came.

    ``in_order``: as they were swapped out. ``in_use``: they had been, and waiting for them is a stall.
    ``looked_at``: nobody writes to them.
    """
    world, memcg = task.world, held.memcg
    pages = take(task, memcg, min(want, held.swapped))
    if looked_at and on_disk(world) and not swap_full(world, memcg):
        compressed = 0
        keep_slots(world, held, pages)
    else:
        compressed = unswap(world, held, pages)
    held.resident += pages
    memcg.anon += pages
    memcg.counts["pswpin"] += pages
    memcg.counts["zswpin"] += compressed
    memcg.counts["pgmajfault"] += pages
    memcg.counts["refault_anon"] += pages
    memcg.cost_anon += pages
    task.proc.tally.swapped_in += pages
    swap = world.machine.swap
    to_disk = swap is not None and swap.ram_ratio is None
    from_disk = pages - compressed if to_disk else 0
    # To decompress is to read (swap_read_folio); the rest of a fault is not waiting.
    stalls = pages - from_disk if in_use else 0
    task.reclaim += stalls * world.machine.swap_us
    task.cpu += (pages - stalls) * world.machine.swap_us
    if from_disk:
        begun = world.now + task.reclaim + task.wait + task.io
        requests = -(-from_disk // READAHEAD) if in_order else from_disk
        took = world.swap_disk.read_us(begun, from_disk * PAGE, requests=requests)
        if in_use:
            task.wait += took
        else:
            task.io += took
    return pages
