"""``memory.min`` and ``memory.low``: what of it holds against a given reclaim.

``mm/memcontrol.c:effective_protection`` (v5.10, v6.1), ``mm/page_counter.c:effective_protection`` (v6.12):
the same arithmetic, in pages and in the kernel's integers. Protection is always relative to the cgroup whose
limit drives the reclaim, the *target*: it protects nothing from its own limit, and nothing above the target
counts. v1 has no such thing.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.snapshot import Snapshot
    from memwarden.state.traits import KernelTraits
    from memwarden.units import Limit

_ULONG_MAX: Final = (1 << 64) - 1
_LONG_MAX: Final = (1 << 63) - 1


class Protection(NamedTuple):
    """Effective protection in bytes, ``MAX`` where an unlimited setting holds as it stands."""

    min_bytes: Limit
    low_bytes: Limit


NONE: Final = Protection(0, 0)


class Exposure(Enum):
    """How reclaim treats a cgroup."""

    EXPOSED = "exposed"  # no protection
    PROPORTIONAL = "proportional"  # scanned the less, the nearer its usage is to the protection
    WHOLE = "whole"  # above its protection, and scanned as if it had none (MGLRU of 6.1 and 6.12)
    LAST_RESORT = "last-resort"  # within memory.low: only when a whole pass freed nothing
    SKIPPED = "skipped"  # within memory.min: never


def effective_protections(snapshot: Snapshot, target: str = "/") -> dict[str, Protection]:
    """Effective min and low of every cgroup below ``target``, for reclaim driven by ``target``.

    The target itself is not in the answer: it has none. Missing settings and usage count as 0, as in a cgroup
    without the memory controller.
    """
    effective: dict[str, Protection] = {}
    for parent in snapshot.subtree(target):
        children = [snapshot.cgroups[path] for path in parent.children if path in snapshot.cgroups]
        if parent.version == 1:
            effective.update((child.path, NONE) for child in children)
        elif effective.get(parent.path) == NONE:
            # Nothing is handed down where there is nothing: a share of 0 is 0, and 0 leaves no rest.
            effective.update((child.path, NONE) for child in children)
        elif parent.path == target:
            # A child of the target is not capped by anything; it keeps what it was given.
            effective.update(
                (child.path, Protection(child.min_bytes or 0, child.low_bytes or 0)) for child in children
            )
        else:
            effective.update(_distribute(snapshot, parent, children, effective[parent.path]))
    return effective


def _distribute(
    snapshot: Snapshot, parent: Cgroup, children: list[Cgroup], above: Protection
) -> dict[str, Protection]:
    """What the children of a protected cgroup get of its protection."""
    mins = _shares(snapshot, parent, [(child.current_bytes, child.min_bytes) for child in children], above[0])
    lows = _shares(snapshot, parent, [(child.current_bytes, child.low_bytes) for child in children], above[1])
    return {
        child.path: Protection(least, low) for child, least, low in zip(children, mins, lows, strict=True)
    }


def _shares(
    snapshot: Snapshot, parent: Cgroup, children: list[tuple[int | None, Limit | None]], above: Limit
) -> list[Limit]:
    page = snapshot.traits.page_size_bytes
    pages = [((usage or 0) // page, to_pages(setting or 0, page)) for usage, setting in children]
    claims = sum(min(usage, setting) for usage, setting in pages)
    parent_usage, parent_effective = (parent.current_bytes or 0) // page, to_pages(above, page)
    recursive = recursive_protection(snapshot)
    shares: list[Limit] = []
    for usage, setting in pages:
        share = effective_protection(
            usage, parent_usage, setting, parent_effective, claims, recursive=recursive
        )
        # Of an unlimited parent's rest everyone gets more than there is memory.
        shares.append(MAX if isinstance(above, Max) and share > usage else share * page)
    return shares


def effective_protection(
    usage: int, parent_usage: int, setting: int, parent_effective: int, siblings: int, *, recursive: bool
) -> int:
    """The kernel's function, all in pages; unlimited is :func:`to_pages` of ``MAX``.

    ``siblings`` is the sum of min(usage, setting) over the parent's children, this one included. Unsigned
    long overflows as in C, which it does for an unlimited parent's unclaimed rest.
    """
    if usage == 0:
        return 0
    protected = min(usage, setting)
    if siblings > parent_effective:
        return protected * parent_effective // siblings
    if recursive and parent_effective > siblings and parent_usage > siblings and usage > protected:
        unclaimed = (parent_effective - siblings) * (usage - protected) & _ULONG_MAX
        return protected + unclaimed // (parent_usage - siblings)
    return protected


def recursive_protection(snapshot: Snapshot) -> bool:
    """Whether unclaimed protection trickles down: mount option ``memory_recursiveprot``."""
    if snapshot.traits.recursive_protection is not None:
        return snapshot.traits.recursive_protection
    return "memory_recursiveprot" in snapshot.mount_options


def to_pages(limit: Limit, page_size_bytes: int) -> int:
    """A limit as the kernel's page counter holds it; unlimited is ``PAGE_COUNTER_MAX``."""
    counter_max = _LONG_MAX // page_size_bytes
    return counter_max if isinstance(limit, Max) else min(limit // page_size_bytes, counter_max)


def exposure(usage_bytes: int, protection: Protection, traits: KernelTraits) -> Exposure:
    """How a reclaim treats a cgroup with this usage and effective protection.

    ``mm/vmscan.c:shrink_node_memcgs``, ``get_scan_count``. The MGLRU of 6.1 and 6.12 has no proportional
    part (``lru_gen`` walks whole generations); the one of 7.2 has (``get_nr_to_scan``).
    """
    if protection.min_bytes == 0 and protection.low_bytes == 0:
        return Exposure.EXPOSED
    if usage_bytes <= protection.min_bytes:
        return Exposure.SKIPPED
    if usage_bytes <= protection.low_bytes:
        return Exposure.LAST_RESORT
    if traits.mglru and not traits.mglru_proportional_protection:
        return Exposure.WHOLE
    return Exposure.PROPORTIONAL


def stale_protection_risk(snapshot: Snapshot, target: str) -> bool:
    """Whether an earlier reclaim from above may keep the target's own reclaim off it.

    On 5.10 and 6.1 ``mem_cgroup_below_min`` compares a leftover of the last reclaim also when the cgroup
    is itself the target; then memory.min makes it OOM early. Fixed by v6.12 (``mem_cgroup_below_min(target,
    memcg)``).
    """
    cgroup = snapshot.cgroups.get(target)
    return bool(snapshot.traits.stale_protection_bug and cgroup is not None and cgroup.min_bytes)
