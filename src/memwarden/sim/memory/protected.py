"""min and low as a reclaim sees them: ``rules.protection`` over the tree below its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.rules.protection import effective_protection

if TYPE_CHECKING:
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World


def protections(world: World, target: Memcg) -> dict[Memcg, tuple[int, int]]:
    """Effective min and low in pages of every cgroup below ``target`` (not of itself: it has none)."""
    recursive = bool(world.machine.traits.recursive_protection)
    found: dict[Memcg, tuple[int, int]] = {}
    for parent in target.subtree:
        children = parent.children
        if not children:
            continue
        if parent is target:
            for child in children:
                # Not capped by anything, but an empty cgroup is left as it was.
                found[child] = (child.min, child.low) if child.usage else (0, 0)
            continue
        least, low = found[parent]
        if not (least or low):
            found.update((child, (0, 0)) for child in children)
            continue
        mins = sum([min(child.usage, child.min) for child in children])
        lows = sum([min(child.usage, child.low) for child in children])
        for child in children:
            found[child] = (
                effective_protection(child.usage, parent.usage, child.min, least, mins, recursive=recursive),
                effective_protection(child.usage, parent.usage, child.low, low, lows, recursive=recursive),
            )
    return found
