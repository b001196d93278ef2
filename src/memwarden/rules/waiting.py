"""Cgroup v1 whose OOM killer is off (``memory.oom_control``): instead of a death there is a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.state.cgroup import ancestry

if TYPE_CHECKING:
    from memwarden.state.snapshot import Snapshot


def waiting(snapshot: Snapshot) -> tuple[str, ...]:
    """The v1 cgroups whose tasks wait for memory now, since nobody may be killed; of nested ones the top.

    ``mm/memcontrol.c:mem_cgroup_mark_under_oom`` (v6.1) marks the cgroup at its limit and all below it. Where
    the OOM killer is on, the mark is there for no longer than a kill takes.
    """
    marked = {one.path for one in snapshot.cgroups.values() if one.v1_under_oom and one.v1_oom_kill_disable}
    return tuple(sorted(path for path in marked if marked.isdisjoint(ancestry(path)[1:])))
