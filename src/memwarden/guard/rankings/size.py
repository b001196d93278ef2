"""``size``: what only a death gives back: anonymous, shared and swapped memory, and kernel memory that stays.

:func:`memwarden.guard.held.held_bytes`. Page cache is not in it: the kernel takes that without killing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from memwarden.guard.rankings.key import Key
from memwarden.rules.accounting import kernel_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Bytes of the cgroup and all below it."""
    return ground.view.history.held_by(cgroup)


def of_process(process: Process, ground: Ground) -> int | None:
    """Bytes; shared memory is in the figure of each who maps it."""
    if process.rss_anon_bytes is None:
        return process.rss_bytes
    others = (process.rss_shmem_bytes, process.swap_bytes, process.pgtables_bytes)
    return process.rss_anon_bytes + sum(part or 0 for part in others)


def bound(cgroup: Cgroup, ground: Ground) -> int | None:
    """Each part is a sum over what is below; what is taken off for being counted twice is none."""
    if cgroup.stat is None:
        return None
    stat = cast("Mapping[str, int]", cgroup.stat)
    kernel = kernel_bytes(stat)[0] + (cgroup.v1_kmem_current_bytes or 0)
    return stat.get("anon", 0) + stat.get("shmem", 0) + (cgroup.swap_current_bytes or 0) + kernel


KEY = Key(of_cgroup, of_process, bound=bound)
