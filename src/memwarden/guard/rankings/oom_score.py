"""``oom-score``: ``/proc/PID/oom_score``, what earlyoom and nohang go by; of a cgroup its worst process's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Figure, Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_process(process: Process, ground: Ground) -> int | None:
    """As the file has it."""
    return process.oom_score


def of_cgroup(cgroup: Cgroup, ground: Ground) -> Figure | None:
    """Of the process with the highest."""
    return ground.greatest("oom-score", cgroup.path, of_process)


KEY = Key(of_cgroup, of_process, bound=of_cgroup, unit="points", quantity=False, of_processes=True)
