"""What the kernel could free below a limit without killing: the ladders of a subtree, put together.

Reclaim at a limit walks every cgroup below it (``mm/vmscan.c:shrink_node_memcgs``), takes each one's own
pages, and leaves it alone from its effective protection down - effective as seen from the limit. Swap is
bounded at every level (``mm/memcontrol.c:mem_cgroup_get_nr_swap_pages``) and by what is free on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from memwarden.rules.ladder import LADDER_KEYS, Ladder, ladder, machine_stat
from memwarden.rules.protection import NONE, effective_protections
from memwarden.units import Max

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.rules.protection import Protection
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.snapshot import Snapshot
    from memwarden.units import Limit

MACHINE: Final = "/"
"""The root of the hierarchy: the machine as a whole, unless seen from inside a container."""


def root_is_machine(snapshot: Snapshot) -> bool:
    """Whether the root of the hierarchy as seen here is the machine's own.

    In a cgroup namespace it is a cgroup like others. The machine's has no usage file on v2, no limit on v1.
    """
    root = snapshot.cgroups.get(MACHINE)
    if root is None:
        return True
    return root.current_bytes is None if root.version == 2 else not isinstance(root.max_bytes, int)


def reclaimable_on_machine(snapshot: Snapshot) -> Ladder | None:
    """The ladder of everything, when the whole machine is short; ``None`` without /proc/meminfo."""
    if root_is_machine(snapshot) and MACHINE in snapshot.cgroups:
        return reclaimable(snapshot, MACHINE)
    if snapshot.meminfo is None:
        return None
    # No hierarchy, or only a part of it: the machine is one heap.
    swaps = may_swap(snapshot, None, machine=True)
    return ladder(machine_stat(snapshot.meminfo), swaps=swaps).with_swap_room(_free_swap(snapshot))


def reclaimable(snapshot: Snapshot, target: str) -> Ladder | None:
    """The ladder of a cgroup and everything below it, for reclaim driven by its own limit.

    The machine's root has the figures of /proc/meminfo. ``None`` when the target's statistics could not be
    read. A descendant whose statistics could not be read counts, with all below it, as part of its
    parent: without protection and swap limits of its own.
    """
    groups = list(snapshot.subtree(target))
    stats = {group.path: stat for group in groups if (stat := _stat(snapshot, group)) is not None}
    if target not in stats:
        return None
    protections = effective_protections(snapshot, target)
    rooms = _swap_rooms(snapshot, target)
    sums: dict[str, Ladder] = {}
    whole = target == MACHINE and root_is_machine(snapshot)
    for cgroup in reversed(groups):
        if cgroup.path not in stats:
            continue
        own = ladder(_own(cgroup, stats), swaps=may_swap(snapshot, cgroup, machine=whole))
        own = _protect(own.with_swap_room(rooms[cgroup.path]), cgroup, protections.get(cgroup.path, NONE))
        below = [sums.pop(child) for child in cgroup.children if child in sums]
        if below:
            own = Ladder._make(map(sum, zip(own, *below, strict=True)))
        sums[cgroup.path] = own.with_swap_room(rooms[cgroup.path])
    return sums[target]


def swappable_on_machine(snapshot: Snapshot) -> int:
    """``swap_bytes`` of :func:`reclaimable_on_machine` alone, 0 without that: what a guard asks at each tick.

    Where nobody is protected that is, from the bottom up, the least of the room for swap and of anonymous and
    shared memory.
    """
    if _free_swap(snapshot) == 0:
        return 0
    cgroups = snapshot.cgroups
    protected = any(each.min_bytes or each.low_bytes for each in cgroups.values())
    if protected or MACHINE not in cgroups or not root_is_machine(snapshot):
        found = reclaimable_on_machine(snapshot)
        return found.swap_bytes if found else 0
    rooms = _swap_rooms(snapshot, MACHINE)
    sums: dict[str, tuple[int, int, int]] = {}
    for cgroup in reversed(list(snapshot.subtree(MACHINE))):
        stat = _stat(snapshot, cgroup)
        if stat is None:
            continue
        inactive, active = stat.get("inactive_anon", 0), stat.get("active_anon", 0)
        below = [sums[child] for child in cgroup.children if child in sums]
        own = max(inactive - sum([one[0] for one in below]), 0) + max(
            active - sum([one[1] for one in below]), 0
        )
        room = rooms[cgroup.path]
        swaps = min(own, own if room is None else room) if may_swap(snapshot, cgroup, machine=True) else 0
        swaps += sum([one[2] for one in below])
        sums[cgroup.path] = inactive, active, swaps if room is None else min(swaps, room)
    return sums[MACHINE][2] if MACHINE in sums else 0


def _stat(snapshot: Snapshot, cgroup: Cgroup) -> Mapping[str, int] | None:
    if cgroup.path == MACHINE and root_is_machine(snapshot):
        return None if snapshot.meminfo is None else machine_stat(snapshot.meminfo)
    if cgroup.stat is None or "inactive_file" not in cgroup.stat:
        return None
    return cast("Mapping[str, int]", cgroup.stat)


def _own(cgroup: Cgroup, stats: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """The figures of the pages charged to this very cgroup: without its children's."""
    below = [stats[child] for child in cgroup.children if child in stats]
    figures = stats[cgroup.path]
    if not below:
        return figures  # most are leaves, and nothing is copied for them
    sums = {key: [stat[key] for stat in below if key in stat] for key in LADDER_KEYS}
    return {
        key: max(figures.get(key, 0) - sum(found), 0)
        for key, found in sums.items()
        if found or key in figures
    }


def _protect(own: Ladder, cgroup: Cgroup, protection: Protection) -> Ladder:
    if protection == NONE:
        return own
    usage = cgroup.current_bytes or 0
    above_min = _beyond(usage, protection.min_bytes)
    return own.protected(
        above_min_bytes=above_min, above_low_bytes=min(above_min, _beyond(usage, protection.low_bytes))
    )


def _beyond(usage_bytes: int, protection: Limit) -> int:
    return 0 if isinstance(protection, Max) else usage_bytes - protection


def may_swap(snapshot: Snapshot, cgroup: Cgroup | None, *, machine: bool) -> bool:
    """Whether reclaim, of the ``machine`` or at a limit, takes anonymous memory of a cgroup to swap.

    ``mm/vmscan.c:get_scan_count``: with swappiness 0 a memcg's reclaim leaves it alone, and the machine's
    takes it only when the page cache is all but gone. MGLRU leaves it alone always
    (``mm/vmscan.c:get_swappiness``). On v2 swappiness is the machine's.
    """
    swappiness = snapshot.sysctl.get("swappiness", 60)
    if cgroup is not None and cgroup.v1_swappiness is not None:
        swappiness = cgroup.v1_swappiness
    return swappiness > 0 or (machine and not snapshot.traits.mglru)


def _swap_rooms(snapshot: Snapshot, target: str) -> dict[str, int | None]:
    """For the target and each cgroup below: how much of it may go to swap, bounds above it included."""
    room = _free_swap(snapshot)
    for above in snapshot.ancestors(target):
        room = _least(room, _own_room(above))
    rooms: dict[str, int | None] = {}
    waiting = [(target, room)]
    while waiting:
        path, room = waiting.pop()
        cgroup = snapshot.cgroups.get(path)
        if cgroup is not None:
            rooms[path] = _least(room, _own_room(cgroup))
            waiting.extend((child, rooms[path]) for child in cgroup.children)
    return rooms


def _own_room(cgroup: Cgroup) -> int | None:
    """What swap.max leaves; v1 limits memory and swap together, so that swapping costs nothing there."""
    if cgroup.swap_max_bytes is None or isinstance(cgroup.swap_max_bytes, Max):
        return None
    return max(cgroup.swap_max_bytes - (cgroup.swap_current_bytes or 0), 0)


def _free_swap(snapshot: Snapshot) -> int | None:
    return None if snapshot.meminfo is None else snapshot.meminfo.get("SwapFree", 0)


def _least(first: int | None, second: int | None) -> int | None:
    known = [room for room in (first, second) if room is not None]
    return min(known, default=None)
