"""``rss``: resident bytes of a process; of a cgroup what its processes have resident together.

A leader that has exited while its threads live on shows no memory. earlyoom (``kill.c:is_larger``) then goes
by oom_score: here it stands as high as the largest process with less oom_score than it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_process(process: Process, ground: Ground) -> int | None:
    """Bytes."""
    if process.rss_bytes or process.state != "Z":
        return process.rss_bytes
    score = process.oom_score or 0
    lighter = (each for each in ground.snapshot.processes.values() if (each.oom_score or 0) < score)
    return max((each.rss_bytes or 0 for each in lighter), default=0)


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Bytes; shared pages count once for each process."""
    known = [process.rss_bytes for process in ground.snapshot.members(cgroup.path)]
    return sum(rss or 0 for rss in known) if known else None


KEY = Key(of_cgroup, of_process, of_processes=True)
