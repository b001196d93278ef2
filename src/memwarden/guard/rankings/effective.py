"""``effective``: ``memory.current`` less its share of memory.min and memory.low, as oomd computes it.

oomd ``src/oomd/CgroupContext.cpp:effective_usage``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings import current
from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Bytes; 0 of one that is protected whole."""
    if cgroup.current_bytes is None:
        return None
    return cgroup.current_bytes - ground.oomd_protected_bytes(cgroup.path)


KEY = Key(of_cgroup, current.of_process, bound=current.of_cgroup, quantity=False)
