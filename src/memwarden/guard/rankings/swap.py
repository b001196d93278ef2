"""``swap``: ``memory.swap.current``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Bytes."""
    return cgroup.swap_current_bytes


def of_process(process: Process, ground: Ground) -> int | None:
    """Bytes."""
    return process.swap_bytes


KEY = Key(of_cgroup, of_process, bound=of_cgroup, of_swap=True)
