"""Every file of the lab's recordings is parsed, and holds no key of memory.stat that we do not know."""

from pathlib import Path, PurePosixPath

import pytest

from memwarden.collect import rootar
from memwarden.kernel import (
    buddyinfo,
    cgroup_events,
    cgroup_procs,
    cgroup_stat,
    cgroups,
    controllers,
    cpu_stat,
    io_stat,
    lru_gen,
    meminfo,
    memory_events,
    memory_numa_stat,
    memory_stat,
    mountinfo,
    pid_cgroup,
    pid_oom_score,
    pid_oom_score_adj,
    pid_smaps_rollup,
    pid_stat,
    pid_statm,
    pid_status,
    psi,
    scalar,
    swaps,
    sysctl_vm,
    v1_limit,
    v1_memory_stat,
    v1_oom_control,
    vmstat,
    zoneinfo,
)

RECORDINGS = sorted((Path(__file__).parent.parent / "roots" / "lab").glob("*/*.rootar"))
PROCESS = {
    "cgroup": pid_cgroup.parse,
    "mountinfo": mountinfo.parse,
    "oom_score": pid_oom_score.parse,
    "oom_score_adj": pid_oom_score_adj.parse,
    "smaps_rollup": pid_smaps_rollup.parse,
    "stat": pid_stat.parse,
    "statm": pid_statm.parse,
    "status": pid_status.parse,
}
MACHINE = {
    "buddyinfo": buddyinfo.parse,
    "cgroups": cgroups.parse,
    "meminfo": meminfo.parse,
    "swaps": swaps.parse,
    "vmstat": vmstat.parse,
    "zoneinfo": zoneinfo.parse,
}
CGROUP = {
    "cgroup.controllers": controllers.parse,
    "cgroup.events": cgroup_events.parse,
    "cgroup.freeze": scalar.parse_switch,
    "cgroup.max.depth": scalar.parse,
    "cgroup.max.descendants": scalar.parse,
    "cgroup.pressure": scalar.parse_switch,
    "cgroup.procs": cgroup_procs.parse,
    "cgroup.stat": cgroup_stat.parse,
    "cgroup.subtree_control": controllers.parse,
    "cgroup.threads": cgroup_procs.parse,
    "cpu.pressure": psi.parse,
    "cpu.stat": cpu_stat.parse,
    "io.pressure": psi.parse,
    "io.stat": io_stat.parse,
    "memory.current": scalar.parse_number,
    "memory.events": memory_events.parse,
    "memory.events.local": memory_events.parse,
    "memory.failcnt": scalar.parse_number,
    "memory.high": scalar.parse,
    "memory.kmem.usage_in_bytes": scalar.parse_number,
    "memory.limit_in_bytes": v1_limit.parse,
    "memory.low": scalar.parse,
    "memory.max": scalar.parse,
    "memory.max_usage_in_bytes": scalar.parse_number,
    "memory.memsw.failcnt": scalar.parse_number,
    "memory.memsw.limit_in_bytes": v1_limit.parse,
    "memory.memsw.usage_in_bytes": scalar.parse_number,
    "memory.min": scalar.parse,
    "memory.numa_stat": memory_numa_stat.parse,
    "memory.oom.group": scalar.parse_switch,
    "memory.oom_control": v1_oom_control.parse,
    "memory.peak": scalar.parse_number,
    "memory.pressure": psi.parse,
    "memory.soft_limit_in_bytes": v1_limit.parse,
    "memory.stat": memory_stat.parse,
    "memory.swap.current": scalar.parse_number,
    "memory.swap.events": memory_events.parse_swap,
    "memory.swap.high": scalar.parse,
    "memory.swap.max": scalar.parse,
    "memory.swap.peak": scalar.parse_number,
    "memory.swappiness": sysctl_vm.parse,
    "memory.usage_in_bytes": scalar.parse_number,
    "memory.zswap.current": scalar.parse_number,
    "memory.zswap.max": scalar.parse,
    "memory.zswap.writeback": scalar.parse_switch,
    "tasks": cgroup_procs.parse,
}
V1 = {"memory.stat": v1_memory_stat.parse, "memory.numa_stat": None}
# Recorded for people and for facts; memwarden takes no record from them.
NOT_PARSED = {
    "boot_id", "cgroup.clone_children", "cgroup.sane_behavior", "cgroup.stat.local", "cgroup.type", "comm",
    "hostname", "memory.force_empty", "memory.kmem.failcnt", "memory.kmem.limit_in_bytes",
    "memory.kmem.max_usage_in_bytes", "memory.kmem.slabinfo", "memory.memsw.max_usage_in_bytes",
    "memory.move_charge_at_immigrate", "memory.numa_stat", "memory.use_hierarchy", "min_ttl_ms",
    "notify_on_release", "osrelease", "release_agent", "uptime",
}  # fmt: skip


def parser_of(path, *, v1):
    """The parser of a file by its place, ``None`` for a file that has no record."""
    parts = PurePosixPath(path).parts[1:]
    name = parts[-1]
    if parts[:3] == ("sys", "fs", "cgroup"):
        return (CGROUP | V1 if v1 else CGROUP).get(name)
    if parts[:3] == ("proc", "sys", "vm"):
        return sysctl_vm.parse if name in sysctl_vm.NAMES else None
    if parts[:2] == ("proc", "pressure"):
        return psi.parse
    if path == "/sys/kernel/mm/lru_gen/enabled":
        return lru_gen.parse
    return (MACHINE if len(parts) == 2 else PROCESS).get(name)


def texts(recording):
    """Path, whether it is of a v1 hierarchy, and text of every file of a recording."""
    with recording.open("rb") as stream:
        for recorded in rootar.read(stream, recording.name):
            for path, entry in recorded.entries.items():
                if isinstance(entry, rootar.File):
                    v1 = path.startswith("/sys/fs/cgroup/memory/")
                    yield path, v1, entry.data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_is_parsed(recording):
    parsed = 0
    for path, v1, text in texts(recording):
        parser = parser_of(path, v1=v1)
        if parser is not None:
            parser(text, path=path)
            parsed += 1
        elif "/proc/sys/vm/" not in path and "transparent_hugepage" not in path:
            assert path.rpartition("/")[2] in NOT_PARSED, f"{path} has no parser"
    assert parsed > 20


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("memory.stat", memory_stat.KEYS),
        ("memory.events", memory_events.KEYS),
        ("memory.numa_stat", memory_stat.KEYS),
        ("memory.swap.events", memory_events.SWAP_KEYS),
    ],
)
def test_no_key_of_the_four_kernels_is_unknown(name, known):
    seen = {
        line.split()[0]
        for recording in RECORDINGS
        for path, v1, text in texts(recording)
        if path.endswith("/" + name) and not v1
        for line in text.splitlines()
    }
    assert len(seen) >= 3
    assert seen - known == set()


def processes(recording):
    """Pid to its recorded files by name."""
    found = {}
    for path, _, text in texts(recording):
        parts = PurePosixPath(path).parts
        if parts[1] == "proc" and parts[2].isdecimal():
            found.setdefault(int(parts[2]), {})[parts[3]] = text
    return found


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_files_of_a_process_agree(recording):
    version = 1 if any(v1 for _, v1, _ in texts(recording)) else 2
    mount = {1: "/sys/fs/cgroup/memory", 2: "/sys/fs/cgroup"}[version]
    members = {
        pid: path.removeprefix(mount).removesuffix("/cgroup.procs") or "/"
        for path, _, text in texts(recording)
        if path.endswith("/cgroup.procs") and path.startswith(mount + "/")
        for pid in cgroup_procs.parse(text)
    }
    compared = 0
    for pid, files in processes(recording).items():
        stat, status = pid_stat.parse(files["stat"]), pid_status.parse(files["status"])
        assert stat.pid == status.pid == pid
        assert (stat.comm, stat.ppid) == (status.name, status.ppid)
        assert files.get("comm", stat.comm + "\n") == stat.comm + "\n"
        if status.rss_bytes is not None:
            parts = (status.rss_anon_bytes, status.rss_file_bytes, status.rss_shmem_bytes)
            assert status.rss_bytes == sum(parts)
        if stat.state == "Z":
            continue  # a leader that has exited is in no cgroup any more; its threads are where they were
        memberships = pid_cgroup.parse(files["cgroup"])
        assert pid_cgroup.memory_path(memberships, version=version) == members[pid]
        compared += 1
    assert compared > 0


def test_the_four_kernels_are_there():
    assert {path.parent.name for path in RECORDINGS} >= {"5.10", "6.1", "6.12", "7.2"}
