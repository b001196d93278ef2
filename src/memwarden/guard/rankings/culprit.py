"""``culprit``: bytes taken since the last calm moment, above what protects the cgroup.

Of a cgroup that is above its protection only what is above it counts, whoever took it when; swap is beyond
any protection. Before there was a calm moment nobody knows what was there before, so all that is held counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings import size
from memwarden.guard.rankings.key import Key
from memwarden.units import Max

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Bytes, never below 0."""
    taken = ground.view.history.taken_bytes(cgroup.path)
    if taken is None:
        taken = ground.view.history.held_by(cgroup)
    if taken is None:
        return None
    protected = ground.protected_bytes(cgroup.path)
    if protected:
        usage, swap = cgroup.current_bytes or 0, cgroup.swap_current_bytes or 0
        above = swap if isinstance(protected, Max) else max(usage - protected, 0) + swap
        taken = min(taken, above)
    return max(taken, 0)


def of_process(process: Process, ground: Ground) -> int | None:
    """No past is kept of processes: what its cgroup took, and no more than the process is."""
    held = size.of_process(process, ground)
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    taken = None if cgroup is None or cgroup.path == "/" else of_cgroup(cgroup, ground)
    return held if held is None or taken is None else min(held, taken)


def among(ground: Ground) -> set[str] | None:
    """Whoever is as at the last calm moment took nothing."""
    return ground.view.history.takers()


KEY = Key(of_cgroup, of_process, bound=size.bound, among=among)
