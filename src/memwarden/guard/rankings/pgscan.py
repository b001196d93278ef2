"""``pgscan``: pages that reclaim scanned in the cgroup since the last look.

systemd-oomd ranks by it (``src/oom/oomd-util.c:oomd_pgscan_rate``) and so does oomd's ``kill_by_pg_scan``. Of
a cgroup that is younger than the last look, or whose counter began anew, it is all the counter says, as
systemd-oomd has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int | None:
    """Pages; ``None`` at the very first look, and where ``memory.stat`` does not say."""
    history = ground.view.history
    found = history.since_last(cgroup.path, "pgscan")
    if found is not None:
        scanned, _ = found
        return scanned
    if cgroup.stat is None or history.looks < 2:
        return None
    return cgroup.stat.get("pgscan")


def of_process(process: Process, ground: Ground) -> int | None:
    """Of its cgroup."""
    cgroup = ground.snapshot.cgroups.get(process.cgroup or "")
    return None if cgroup is None else of_cgroup(cgroup, ground)


KEY = Key(of_cgroup, of_process, unit="pages")
