"""``memory.oom.group``: who dies together with a victim.

``mm/memcontrol.c:mem_cgroup_get_oom_group`` and ``mm/oom_kill.c:oom_kill_memcg_member``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memwarden.rules.eligible import Eligibility, eligibility
from memwarden.rules.scope import members
from memwarden.state.cgroup import ancestry

if TYPE_CHECKING:
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot


class GroupKill(NamedTuple):
    """A cgroup that is killed as a whole: ``killed`` with the victim among them, ``spared`` the exempt."""

    path: str
    killed: tuple[Process, ...]
    spared: tuple[Process, ...]


def oom_group_of(snapshot: Snapshot, victim_path: str, domain: str | None) -> str | None:
    """The cgroup killed as a whole with a victim in ``victim_path``, ``None`` for the victim alone.

    The highest flagged cgroup from the victim's up to and including ``domain``, the cgroup whose limit was
    hit (``None``: the machine). A flag above the domain has no effect, and neither has one on v1.
    """
    group = None
    for path in ancestry(victim_path):
        cgroup = snapshot.cgroups.get(path)
        if cgroup is not None and cgroup.oom_group and cgroup.version != 1:
            group = path
        if path == domain:
            return group
    # The victim has left the domain since: the kernel then ignores the flag.
    return group if domain is None else None


def group_kill(snapshot: Snapshot, path: str, *, own_pid_namespace: bool = False) -> GroupKill:
    """Who in a flagged cgroup dies and who survives: oom_score_adj -1000 and init do."""
    killed, spared = [], []
    for process in members(snapshot, path):
        status = eligibility(process, own_pid_namespace=own_pid_namespace)
        if status in (Eligibility.INIT, Eligibility.ADJ_MIN):
            spared.append(process)
        elif status not in (Eligibility.KERNEL_THREAD, Eligibility.NO_MEMORY):
            killed.append(process)
    return GroupKill(path, tuple(killed), tuple(spared))
