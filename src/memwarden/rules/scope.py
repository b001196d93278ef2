"""Whose limit is hit: the scope of an OOM, its total and its candidates.

``mm/oom_kill.c:constrained_alloc`` for the total, ``select_bad_process`` for the order of visiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from memwarden.rules.badness import (
    memcg_total_pages,
    memcg_v1_total_pages,
    nodes_total_pages,
    system_total_pages,
)
from memwarden.state.cgroup import ancestry
from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot
    from memwarden.units import Limit

ScopeKind = Literal["memcg", "system", "cpuset", "mempolicy"]


class Scope(NamedTuple):
    """One OOM domain. ``path`` is the cgroup whose limit is hit, ``None`` outside ``memcg``."""

    kind: ScopeKind
    path: str | None
    total_pages: int


def memcg_scope(snapshot: Snapshot, path: str) -> Scope | None:
    """The scope of an OOM at this cgroup's own limit; ``None`` when it has none, so that none can happen."""
    cgroup = snapshot.cgroups.get(path)
    if cgroup is None or cgroup.max_bytes is None or isinstance(cgroup.max_bytes, Max):
        return None
    page = snapshot.traits.page_size_bytes
    swap = (snapshot.meminfo or {}).get("SwapTotal", 0) // page
    limit = cgroup.max_bytes // page
    if cgroup.version == 1:
        memsw = _pages(cgroup.v1_memsw_max_bytes, page)
        total = memcg_v1_total_pages(limit, memsw, swap, swappiness=_swappiness(snapshot, cgroup))
    else:
        swap_max = _pages(cgroup.swap_max_bytes, page)
        total = memcg_total_pages(limit, swap_max, swap, swappiness=_swappiness(snapshot, cgroup))
    return Scope("memcg", path, total)


def _pages(limit: Limit | None, page_size_bytes: int) -> Limit:
    # No such file: the counter exists all the same and has no limit.
    return MAX if limit is None or isinstance(limit, Max) else limit // page_size_bytes


def _swappiness(snapshot: Snapshot, cgroup: Cgroup) -> int:
    """``include/linux/swap.h:mem_cgroup_swappiness``: on v2 the machine's own counts."""
    if cgroup.v1_swappiness is not None:
        return cgroup.v1_swappiness
    return snapshot.sysctl.get("swappiness", 60)


def system_scope(snapshot: Snapshot) -> Scope | None:
    """The scope of an OOM of the whole machine; ``None`` when its memory could not be read."""
    if snapshot.meminfo is None or "MemTotal" not in snapshot.meminfo:
        return None
    page = snapshot.traits.page_size_bytes
    swap = snapshot.meminfo.get("SwapTotal", 0)
    return Scope("system", None, system_total_pages(snapshot.meminfo["MemTotal"] // page, swap // page))


def nodes_scope(
    snapshot: Snapshot, nodes: Iterable[int], kind: Literal["cpuset", "mempolicy"]
) -> Scope | None:
    """The scope of an OOM bound to some NUMA nodes; ``None`` when the zones could not be read."""
    if snapshot.zones is None:
        return None
    page = snapshot.traits.page_size_bytes
    allowed = set(nodes)
    present = [zone.present_bytes // page for zone in snapshot.zones if zone.node in allowed]
    swap = (snapshot.meminfo or {}).get("SwapTotal", 0)
    return Scope(kind, None, nodes_total_pages(present, swap // page))


def scope_of(snapshot: Snapshot, path: str) -> Scope | None:
    """The scope in which processes of this cgroup die first if nothing but its own growth happens.

    That is the nearest limit at the cgroup or above it; without any, the machine.
    """
    for above in ancestry(path):
        scope = memcg_scope(snapshot, above)
        if scope is not None:
            return scope
    return system_scope(snapshot)


def visiting_order(snapshot: Snapshot, scope: Scope) -> list[Process]:
    """The processes of a scope in the order in which the kernel looks at them.

    In a memcg: cgroups pre-order, siblings in order of creation (their inodes grow), processes in order of
    joining (``mm/memcontrol.c:mem_cgroup_scan_tasks``). Elsewhere: in order of fork.
    """
    if scope.path is not None:
        return list(members(snapshot, scope.path))
    return sorted(snapshot.processes.values(), key=lambda process: (process.start_time_ticks, process.pid))


def members(snapshot: Snapshot, path: str) -> Iterator[Process]:
    """The processes in a cgroup and below it, in the kernel's order of visiting."""
    waiting = [path]
    while waiting:
        cgroup = snapshot.cgroups.get(waiting.pop())
        if cgroup is None:
            continue
        for pid in cgroup.procs or ():
            if pid in snapshot.processes:
                yield snapshot.processes[pid]
        waiting.extend(sorted(cgroup.children, key=lambda child: _birth(snapshot, child), reverse=True))


def _birth(snapshot: Snapshot, path: str) -> int:
    cgroup = snapshot.cgroups.get(path)
    return 0 if cgroup is None else cgroup.inode
