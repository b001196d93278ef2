"""``pressure``: full memory pressure of its own, (avg10 + avg60) / 2, in percent.

oomd ``src/oomd/plugins/KillPressure-inl.h``, which cuts it to a whole number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.kernel.psi import Psi
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def average_pct(psi: Psi | None) -> float | None:
    """Of the line ``full``; ``None`` where there is none."""
    return None if psi is None or psi.full is None else (psi.full.avg10_pct + psi.full.avg60_pct) / 2


def of_cgroup(cgroup: Cgroup, ground: Ground) -> float | None:
    """Percent."""
    return average_pct(cgroup.memory_pressure)


def of_process(process: Process, ground: Ground) -> float | None:
    """Percent, of its cgroup."""
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    return None if cgroup is None else of_cgroup(cgroup, ground)


KEY = Key(of_cgroup, of_process, unit="percent", quantity=False)
