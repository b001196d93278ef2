"""``io-pressure``: the same as ``pressure`` of ``io.pressure``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key
from memwarden.guard.rankings.pressure import average_pct

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> float | None:
    """Percent."""
    return average_pct(cgroup.io_pressure)


def of_process(process: Process, ground: Ground) -> float | None:
    """Percent, of its cgroup."""
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    return None if cgroup is None else of_cgroup(cgroup, ground)


KEY = Key(of_cgroup, of_process, unit="percent", quantity=False)
