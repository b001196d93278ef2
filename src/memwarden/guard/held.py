"""What only a death, or the program itself, gives back: the memory that a culprit holds.

Anonymous and shared memory wherever it is, resident or swapped, and kernel memory that cannot be reclaimed.
Page cache is not in it, and moving a page to swap and back does not change it, so that its growth is what a
workload takes and not what the kernel does about it.
"""

from typing import TYPE_CHECKING, Final, cast

from memwarden.kernel.deferred import known
from memwarden.rules.accounting import KERNEL_KEYS, kernel_bytes
from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

_ON_MACHINE: Final = (
    "AnonPages",
    "Shmem",
    "SUnreclaim",
    "KernelStack",
    "PageTables",
    "SecPageTables",
    "Percpu",
)
PARTS: Final = ("anon", "shmem", "swapcached", "zswap", *KERNEL_KEYS)
"""The statistics that it is made of."""


def held_bytes(cgroup: Cgroup) -> int | None:
    """What the cgroup and all below it hold; ``None`` without its statistics.

    A page in the swap cache is in ``anon`` as well as in ``memory.swap.current`` (``swapcached`` where that
    is printed); a page in zswap is in ``memory.swap.current`` and, compressed, in ``kernel``. Each counts
    once.
    """
    if cgroup.stat is None:
        return None
    return held_of(cgroup, known(cast("Mapping[str, int]", cgroup.stat), PARTS))


def held_of(cgroup: Cgroup, stat: "Mapping[str, int]") -> int:
    """The same of a cgroup whose statistics were looked for already; :data:`PARTS` of them suffice."""
    swap = cgroup.swap_current_bytes or 0
    # v1 prints no kernel memory among the statistics; it has a counter of its own.
    kernel = kernel_bytes(stat)[0] if cgroup.version == 2 else cgroup.v1_kmem_current_bytes or 0
    kernel -= stat.get("slab_reclaimable", 0) + stat.get("zswap", 0)
    swapped = max(swap - stat.get("swapcached", 0), 0)
    return stat.get("anon", 0) + stat.get("shmem", 0) + swapped + max(kernel, 0)


def held_on_machine(snapshot: Snapshot) -> int | None:
    """The same of the whole machine, from ``/proc/meminfo``; ``None`` where that does not say."""
    figures = cast("Mapping[str, int]", snapshot.meminfo or {})
    if "AnonPages" not in figures:
        return None
    swapped = figures.get("SwapTotal", 0) - figures.get("SwapFree", 0) - figures.get("SwapCached", 0)
    return sum(figures.get(key, 0) for key in _ON_MACHINE) + max(swapped, 0)
