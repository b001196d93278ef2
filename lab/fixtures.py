"""Copies selected recordings and logs into the tests, named by kernel, small enough to be kept.

A recording is thinned: files that every scenario repeats are kept in full in ``single`` only.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from lab.paths import REPOSITORY
from lab.recordings import Recording, boots_on_disk, recordings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

ROOTS = REPOSITORY / "tests" / "roots" / "lab"
NODES = REPOSITORY / "tests" / "roots" / "nodes"
LOGS = REPOSITORY / "tests" / "golden" / "lab"
ROOT_OF = (
    "single", "parent", "group-ancestor", "adj-plus-500", "shmem",
    "pipes", "tiny-max", "hostile", "swap-limit",
    "low", "low-recursive", "global-adj", "leaderless", "v1-single", "v1-parent", "v1-leaderless",
)  # fmt: skip
LOG_OF = (
    *ROOT_OF, "v1-memsw",
    "group-inner", "adj-minus-999-only", "pgtables", "mlock", "order", "lower-max", "no-victim",
    "global-swap", "sysrq", "min", "fragments", "v1-global", "mempolicy", "cpuset",
)  # fmt: skip
LARGEST_LOG = 12_000
_LEFT_OUT = re.compile(
    r"/(memory\.numa_stat|smaps_rollup|statm|comm|vmstat|zoneinfo|buddyinfo|io\.stat|cpu\.stat(\.local)?"
    r"|memory\.kmem\.(tcp|slabinfo|max|limit|failcnt).*|memory\.(force_empty|move_charge.*|pressure_level)|tasks"
    r"|(cpu|io|irq)\.pressure|pressure/(cpu|io|irq)"
    r"|cgroup\.(max\..*|stat\.local|type|freeze|threads|pressure|subtree_control))$"
)
_KEPT_SYSCTL = re.compile(
    r"/(swappiness|panic_on_oom|oom_kill_allocating_task|oom_dump_tasks|overcommit_\w+)$"
)


class Entry(NamedTuple):
    """One entry of an archive: its header line and its bytes as they stand in the file."""

    path: str
    raw: bytes


def entries(data: bytes) -> Iterator[Entry]:
    """The entries of an archive, without its first line and its END."""
    position = data.index(b"\n") + 1
    while position < len(data):
        end = data.index(b"\n", position) + 1
        words = data[position : end - 1].split(b" ")
        if words[0] == b"END":
            return
        if words[0] in (b"FILE", b"LINK"):
            end += int(words[1]) + 1
        yield Entry(words[-1].decode() if words[0] != b"FACT" else "", data[position:end])
        position = end


def thin(data: bytes, *, zones: bool = False) -> bytes:
    """The archive without what does not differ between scenarios, and with the first kernel threads only."""
    found = list(entries(data))
    threads = [entry.path.rpartition("/")[0] for entry in found if _is_kernel_thread(entry)]
    dropped = set(threads[3:])
    kept = [
        entry.raw
        for entry in found
        if (not _repeats(entry.path) and not _below(entry.path, dropped))
        or (zones and entry.path == "/proc/zoneinfo")
    ]
    return b"".join([b"memwarden-root 1\n", *kept, b"END %d\n" % len(kept)])


def _is_kernel_thread(entry: Entry) -> bool:
    """By PF_KTHREAD (include/linux/sched.h) in field 9 of /proc/PID/stat."""
    if not re.fullmatch(r"/proc/\d+/stat", entry.path) or not entry.raw.startswith(b"FILE"):
        return False
    return bool(int(entry.raw.rpartition(b")")[2].split()[6]) & 0x00200000)


def _below(path: str, folders: set[str]) -> bool:
    return path in folders or path.rpartition("/")[0] in folders


def _repeats(path: str) -> bool:
    if path.startswith("/proc/sys/vm/"):
        return not _KEPT_SYSCTL.search(path)
    return bool(_LEFT_OUT.search(path))


def write(scenarios: Collection[str] = ()) -> list[Path]:
    """Take over what the last run left: all that the fixtures lack, and what is named even if it is there.

    What is there stays otherwise, since texts of other tests were made from it. Returns the files written.
    """
    found = [fixture for boot in boots_on_disk() for each in recordings(boot) for fixture in _one(each)]
    wanted = [each for each in found if not each.path.exists() or each.scenario in scenarios]
    for fixture in wanted:
        fixture.path.parent.mkdir(parents=True, exist_ok=True)
        fixture.path.write_bytes(fixture.data)
    return [fixture.path for fixture in wanted]


class Fixture(NamedTuple):
    """One file for the tests."""

    scenario: str
    path: Path
    data: bytes


def _one(recording: Recording) -> Iterator[Fixture]:
    name, row = recording.scenario.name, recording.scenario
    root, log = ROOTS / recording.boot / name, LOGS / recording.boot / name
    if recording.error:
        return
    before = (recording.folder / "before.rootar").read_bytes()
    if name in ROOT_OF:
        yield Fixture(name, root.with_suffix(".rootar"), before if name == "single" else thin(before))
    if row.bound and recording.boot.startswith("6.12"):
        yield Fixture(name, NODES / f"{name}.rootar", thin(before, zones=True))
    if name in LOG_OF:
        if row.act != "pressure":
            yield Fixture(name, log.with_suffix(".kmsg"), _cut(recording.kmsg))
        yield Fixture(name, log.with_suffix(".json"), _facts(recording))
    if name in ("single", "hostile", "global-adj", "v1-single"):
        yield Fixture(name, log.with_suffix(".dmesg"), _cut(recording.dmesg))


def _cut(data: bytes) -> bytes:
    """At most LARGEST_LOG bytes, whole lines."""
    return data if len(data) <= LARGEST_LOG else data[: data.rindex(b"\n", 0, LARGEST_LOG) + 1]


def _facts(recording: Recording) -> bytes:
    """What is known of the scenario without the log: the row, and what the guest's own files said."""
    row, result = recording.scenario, recording.result
    facts = {
        "kernel": recording.kernel,
        "scenario": row.name,
        "limit": row.limit,
        "cause": row.cause,
        "pids": result["pids"],
        "killed": recording.killed,
        "events_before": result.get("events_before"),
        "events_after": result.get("events_after"),
        "vmstat_oom_kill": [result.get("vmstat_oom_kill_before"), result.get("vmstat_oom_kill_after")],
        "mglru": result.get("mglru"),
        "trail": result.get("trail", [])[::6] or None,
    }
    return (
        json.dumps({key: value for key, value in facts.items() if value is not None}, indent=1) + "\n"
    ).encode()
