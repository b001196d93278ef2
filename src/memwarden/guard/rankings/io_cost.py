"""``io-cost``: bytes read and written per second since the last look (``io.stat``).

oomd weighs reads, writes and discards by coefficients per device; without those a byte is a byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> float:
    """Bytes per second; 0 at the first look."""
    found = ground.view.history.since_last(cgroup.path, "io_bytes")
    return 0.0 if found is None else found.per_second


def of_process(process: Process, ground: Ground) -> float | None:
    """Of its cgroup."""
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    return None if cgroup is None else of_cgroup(cgroup, ground)


KEY = Key(of_cgroup, of_process, unit="bytes-per-second", quantity=False)
