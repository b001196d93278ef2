"""Machines for the tests of rules: a few cgroups and processes in as few words as possible."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from memwarden.state.cgroup import Cgroup, parent_path
from memwarden.state.process import Process
from memwarden.state.snapshot import CgroupMode, HostFacts, Instant, Snapshot
from memwarden.state.traits import KernelTraits
from memwarden.units import MIB

PAGE = 4096


def cgroup(path: str, **fields: Any) -> Cgroup:
    """A cgroup; its inode grows with the order of making unless given."""
    fields.setdefault("inode", 1)
    return Cgroup(path=path, **fields)


def process(pid: int, rss_mib: int = 0, **fields: Any) -> Process:
    """A process with memory; ``rss_mib`` is all anonymous."""
    known: dict[str, Any] = {
        "comm": f"p{pid}",
        "start_time_ticks": pid,
        "rss_bytes": rss_mib * MIB,
        "rss_anon_bytes": rss_mib * MIB,
        "swap_bytes": 0,
        "pgtables_bytes": 0,
        "oom_score_adj": 0,
        "threads": 1,
        "state": "S",
        "flags": 0,
        "uid": 1000,
    }
    return Process(pid=pid, **(known | fields))


def snapshot(
    cgroups: tuple[Cgroup, ...] = (),
    processes: tuple[Process, ...] = (),
    *,
    meminfo: dict[str, int] | None = None,
    traits: KernelTraits | None = None,
    sysctl: dict[str, int] | None = None,
    host: HostFacts | None = None,
    **fields: Any,
) -> Snapshot:
    """A snapshot; children, procs and inodes of cgroups are filled in from what is given."""
    paths = [one.path for one in cgroups]
    made = {}
    for number, one in enumerate(cgroups, 2):
        children = tuple(sorted(path for path in paths if parent_path(path) == one.path))
        procs = one.procs
        if procs is None:
            procs = tuple(each.pid for each in processes if each.cgroup == one.path)
        inode = number if one.inode == 1 else one.inode
        values = {name: getattr(one, name) for name in Cgroup.__annotations__}
        made[one.path] = Cgroup(**(values | {"children": children, "procs": procs, "inode": inode}))
    return Snapshot(
        instant=Instant(0),
        host=host or HostFacts(cpus=2),
        traits=traits or KernelTraits(),
        cgroup_mode=CgroupMode.V2,
        meminfo=meminfo,  # type: ignore[arg-type]  # tests give part of it
        sysctl=MappingProxyType(sysctl or {}),
        cgroups=MappingProxyType(made),
        processes=MappingProxyType({one.pid: one for one in processes}),
        **fields,
    )
