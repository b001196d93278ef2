"""``priority``: who matters less by ``oom_score_adj``: the higher, the earlier it dies.

The kubelet sets it from class and request: -997 for node-critical and Guaranteed pods, 2 to 999 for
Burstable, 1000 for BestEffort. The priority class itself is in no file of the machine. Of a cgroup the
highest counts: its processes inherit it, and one may raise its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Figure, Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_process(process: Process, ground: Ground) -> int | None:
    """-1000 to 1000."""
    return process.oom_score_adj


def of_cgroup(cgroup: Cgroup, ground: Ground) -> Figure | None:
    """Of the process with the highest."""
    return ground.greatest("priority", cgroup.path, of_process)


KEY = Key(of_cgroup, of_process, bound=of_cgroup, unit="points", quantity=False, of_processes=True)
