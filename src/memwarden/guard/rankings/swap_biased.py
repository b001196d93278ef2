"""``swap-biased``: swap above a fair share: swap - SwapTotal / MemTotal * protection.

oomd ``src/oomd/plugins/KillSwapUsage-inl.h`` with ``biased_swap_kill``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings import swap
from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup


def of_cgroup(cgroup: Cgroup, ground: Ground) -> float | None:
    """Bytes, never below 0. That any swap is used at all is asked for apart, so 0 may be chosen."""
    if cgroup.swap_current_bytes is None:
        return None
    memory = ground.total_bytes("MemTotal")
    ratio = ground.total_bytes("SwapTotal") / memory if memory else 0.0
    return max(cgroup.swap_current_bytes - ratio * ground.oomd_protected_bytes(cgroup.path), 0.0)


def bound(cgroup: Cgroup, ground: Ground) -> float | None:
    """All swap below, unless totals are wrong by 32 bits, for then the fair share may be negative."""
    return None if ground.parameters.get("totals_int32") else cgroup.swap_current_bytes


KEY = Key(of_cgroup, swap.of_process, bound=bound, of_swap=True, floor=swap.of_cgroup)
