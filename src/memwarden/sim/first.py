"""What is running, as a first scenario: knobs as they are, and per cgroup what its processes hold.

What is measured is a size; how it is used is not known. Anonymous memory and page cache become a working
set that is asked ten times a second, shared memory and the kernel's own stay what they are; between two
snapshots what grew goes on growing. All of that is to be edited.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.sim.scenario import (
    Disk,
    Group,
    Grow,
    KernelMemory,
    Machine,
    Program,
    Scenario,
    SwapDevice,
    Tmpfs,
    WorkingSet,
    Zswap,
)
from memwarden.state.cgroup import parent_path
from memwarden.units import GIB, MAX, MIB, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.kernel.meminfo import Meminfo
    from memwarden.sim.scenario import Part
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.snapshot import Snapshot
    from memwarden.units import Limit

LEAST: Final = MIB
"""A cgroup that holds less, and the growth of less, is left to all the others."""
LEAST_GROWTH_BPS: Final = 16 << 10
REQUESTS_PER_S: Final = 10.0
OTHERS: Final = "/others"
_UNIT_ENDS: Final = (".service", ".scope", ".slice")
ZRAM: Final = re.compile(r"/dev/zram[0-9]+")
ZRAM_RATIO: Final = 3.0
"""What zram compresses to is in statistics that are not recorded: as zswap does where that is unknown."""
_OWN: Final = ("anon", "file", "shmem", "kernel", "slab_reclaimable", "sock")


def first(snapshots: Sequence[Snapshot], name: str, *, below: str = "/") -> Scenario:
    """A scenario of the last snapshot; growth is from the first to the last.

    ``below`` is whose subtree is itemised; everybody else is one program. Raises :class:`InputError` where
    the machine's memory is not known.
    """
    last = snapshots[-1]
    meminfo = last.meminfo or {}
    if "MemTotal" not in meminfo:
        raise InputError(f"{name}: does not say how much memory the machine has; record with /proc/meminfo")
    held = {path: _own(last, one) for path, one in last.cgroups.items()}
    chosen = [one for one in last.subtree(below) if one.procs and sum(held[one.path].values()) >= LEAST]
    grown = _grown(snapshots, held)
    names: dict[str, int] = {}
    programs = [_program(last, one, held[one.path], grown.get(one.path, 0), names) for one in chosen]
    counted = {key: sum(held[one.path][key] for one in chosen) for key in _OWN}
    groups = _groups(last, [one.path for one in chosen])
    others = _others(meminfo, counted)
    if others:
        groups.append(Group(OTHERS))
        programs.append(Program("others", OTHERS, others))
    return Scenario(
        name=name,
        machine=_machine(last, counted["kernel"]),
        groups=tuple(groups),
        programs=tuple(programs),
        text=f"what ran on {_name_of(last.host.hostname)} when it was looked at",
    )


def _name_of(hostname: str | None) -> str:
    """``(none)`` is what the kernel says before the machine was given a name (init/Kconfig)."""
    return hostname if hostname and hostname != "(none)" else "this machine"


def _others(meminfo: Meminfo, counted: Mapping[str, int]) -> tuple[Part, ...]:
    """What the machine holds and none of the programs: memory, page cache and tmpfs of everybody else."""
    files = meminfo.get("Active(file)", 0) + meminfo.get("Inactive(file)", 0)
    anon = max(0, meminfo.get("AnonPages", 0) - counted["anon"])
    file = max(0, files - counted["file"])
    shmem = max(0, meminfo.get("Shmem", 0) - counted["shmem"])
    parts: list[Part] = []
    if anon + file >= LEAST:
        parts.append(WorkingSet(anon_bytes=anon, file_bytes=file, requests_per_s=REQUESTS_PER_S))
    if shmem >= LEAST:
        parts.append(Tmpfs(None, shmem))
    return tuple(parts)


def _machine(snapshot: Snapshot, counted_bytes: int) -> Machine:
    """``counted_bytes`` of the kernel's memory are the programs'."""
    meminfo, default = snapshot.meminfo or {}, Machine()
    held = (meminfo.get("SUnreclaim"), meminfo.get("KernelStack"), meminfo.get("PageTables"))
    kernel = max(0, sum(one or 0 for one in held) - counted_bytes)
    min_free = snapshot.sysctl.get("min_free_kbytes")
    return Machine(
        ram_bytes=meminfo.get("MemTotal", 4 * GIB),
        cpus=snapshot.host.cpus or default.cpus,
        kernel_bytes=kernel,
        min_free_bytes=None if min_free is None else min_free << 10,
        watermark_scale_factor=snapshot.sysctl.get("watermark_scale_factor", default.watermark_scale_factor),
        swappiness=snapshot.sysctl.get("swappiness", default.swappiness),
        swap=_swap(snapshot),
        zswap=_zswap(meminfo),
        # Pages of another size are not simulated (sim/words/doubts.py).
        traits=snapshot.traits._replace(
            basis=default.traits.basis, page_size_bytes=default.traits.page_size_bytes
        ),
    )


def _swap(snapshot: Snapshot) -> SwapDevice | None:
    """The swap areas as one device: zram where most of it is, since that is what compresses into memory."""
    size = (snapshot.meminfo or {}).get("SwapTotal", 0)
    if not size:
        return None
    zram = sum(one.size_bytes for one in snapshot.swaps or () if ZRAM.fullmatch(one.path))
    return SwapDevice(size, Disk(), ram_ratio=ZRAM_RATIO if 2 * zram > size else None)


def _zswap(meminfo: Meminfo) -> Zswap | None:
    """Where something is in it; that it is on and empty is not seen."""
    pool, kept = meminfo.get("Zswap", 0), meminfo.get("Zswapped", 0)
    return Zswap(ratio=max(1.0, round(kept / pool, 2))) if pool else None


def _own(snapshot: Snapshot, cgroup: Cgroup) -> dict[str, int]:
    """What its own processes are charged with, without what is below it."""
    found = {key: _stat(cgroup, key) for key in _OWN}
    for path in cgroup.children or ():
        child = snapshot.cgroups.get(path)
        if child is not None:
            for key in _OWN:
                found[key] = max(0, found[key] - _stat(child, key))
    found["file"] = max(0, found["file"] - found["shmem"])
    found["kernel"] = max(0, found["kernel"] - found["slab_reclaimable"])
    return found


def _stat(cgroup: Cgroup, key: str) -> int:
    value = (cgroup.stat or {}).get(key, 0)
    assert isinstance(value, int)
    return value


def _grown(snapshots: Sequence[Snapshot], held: Mapping[str, dict[str, int]]) -> dict[str, int]:
    """Bytes a second that anonymous memory grew by, of cgroups that are the same ones."""
    before, last = snapshots[0], snapshots[-1]
    span_us = last.instant.monotonic_us - before.instant.monotonic_us
    if span_us <= 0:
        return {}
    found = {}
    for path, own in held.items():
        old = before.cgroups.get(path)
        if old is not None and old.inode == last.cgroups[path].inode:
            more = own["anon"] - _own(before, old)["anon"]
            found[path] = max(0, more) * SECOND_US // span_us
    return found


def _program(
    snapshot: Snapshot, cgroup: Cgroup, own: Mapping[str, int], growth_bps: int, names: dict[str, int]
) -> Program:
    parts: list[Part] = [
        WorkingSet(anon_bytes=own["anon"], file_bytes=own["file"], requests_per_s=REQUESTS_PER_S)
    ]
    if growth_bps >= LEAST_GROWTH_BPS:
        parts.append(Grow(float(growth_bps)))
    if own["shmem"] >= LEAST:
        parts.append(Tmpfs(None, own["shmem"]))
    for kind, key in (("other", "kernel"), ("dentries", "slab_reclaimable"), ("sock", "sock")):
        if own[key] >= LEAST:
            parts.append(KernelMemory(kind, None, own[key]))
    processes = [snapshot.processes[pid] for pid in cgroup.procs or () if pid in snapshot.processes]
    scores = Counter(one.oom_score_adj for one in processes if one.oom_score_adj is not None)
    score = scores.most_common(1)[0][0] if scores else 0
    return Program(_name(cgroup.path, names), cgroup.path, tuple(parts), oom_score_adj=score)


def _name(path: str, names: dict[str, int]) -> str:
    """The last part of a path without a unit's ending; a number where there are several of it."""
    name = path.rpartition("/")[2] or "root"
    for end in _UNIT_ENDS:
        name = name.removesuffix(end)
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name}-{names[name]}"


def _groups(snapshot: Snapshot, paths: Sequence[str]) -> list[Group]:
    """The cgroups of the programs, and those above them that have a limit or a protection."""
    found: dict[str, Group] = {}
    for start in paths:
        path: str | None = start
        while path is not None and path not in found:
            cgroup = snapshot.cgroups.get(path)
            group = _group(cgroup) if cgroup is not None else Group(path)
            if path in paths or group != Group(path):
                found[path] = group
            path = parent_path(path)
    return [found[path] for path in sorted(found)]


def _group(cgroup: Cgroup) -> Group:
    if cgroup.path == "/":
        # Where a container was recorded, its own cgroup is the root and has limits; a machine's has none.
        return Group(cgroup.path)

    def limit(value: Limit | None) -> Limit:
        return MAX if value is None else value

    return Group(
        cgroup.path,
        min_bytes=cgroup.min_bytes or 0,
        low_bytes=cgroup.low_bytes or 0,
        high_bytes=limit(cgroup.high_bytes),
        max_bytes=limit(cgroup.max_bytes),
        swap_high_bytes=limit(cgroup.swap_high_bytes),
        swap_max_bytes=limit(cgroup.swap_max_bytes),
        zswap_max_bytes=limit(cgroup.zswap_max_bytes),
        oom_group=bool(cgroup.oom_group),
    )
