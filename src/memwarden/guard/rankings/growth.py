"""``growth``: bytes per second by which what is held grows; see :mod:`memwarden.guard.forecast`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> float | None:
    """Bytes per second, below 0 of one that shrinks."""
    trend = ground.view.growth(cgroup.path)
    return None if trend is None else trend.rate_bps


def of_process(process: Process, ground: Ground) -> float | None:
    """No past is kept of processes: that of its cgroup."""
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    return None if cgroup is None else of_cgroup(cgroup, ground)


KEY = Key(of_cgroup, of_process, unit="bytes-per-second")
