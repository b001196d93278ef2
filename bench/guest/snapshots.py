"""Inside the guest: 1,000 cgroups with a process each, the C loop and memwarden in turn.

Two kinds of rounds: ``idle``, in which nothing has happened in any cgroup since the last one, and ``busy``,
before which every cgroup was charged another 64 KiB, so that its figures have changed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time

from memwarden.collect.cgroup_v2 import FILES
from memwarden.collect.snapshot import Collector
from memwarden.host.live import Live

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = "/sys/fs/cgroup"
TOP = f"{ROOT}/bench"
GROUPS = 1000
ROUNDS = 5
FILES_MAX = 65536
"""Open files allowed to both sides: what a service asks for; the default of 4096 is too few for both."""


def put(path: str, text: str) -> None:
    """Write one value."""
    with open(path, "w") as file:
        file.write(text)


def populate() -> list[str]:
    """1,000 leaves below ten slices, each with a sleeping process; their paths."""
    put(f"{ROOT}/cgroup.subtree_control", "+memory")
    os.mkdir(TOP)
    put(f"{TOP}/cgroup.subtree_control", "+memory")
    leaves = []
    for slice_number in range(10):
        parent = f"{TOP}/tenant-{slice_number}.slice"
        os.mkdir(parent)
        put(f"{parent}/cgroup.subtree_control", "+memory")
        for number in range(GROUPS // 10):
            path = f"{parent}/app-{number}.service"
            os.mkdir(path)
            sleeper = subprocess.Popen(["sleep", "100000"])
            put(f"{path}/cgroup.procs", str(sleeper.pid))
            leaves.append(path)
    return leaves


def charge(leaves: list[str], turn: int) -> None:
    """Have every cgroup charged 64 KiB of tmpfs by a process that visits it."""
    block = b"x" * 65536
    for number, path in enumerate(leaves):
        put(f"{path}/cgroup.procs", str(os.getpid()))
        with open(f"/dev/shm/{number}-{turn}", "wb", buffering=0) as file:
            file.write(block)
    put(f"{ROOT}/cgroup.procs", str(os.getpid()))


def c_loop(names: list[str]) -> tuple[int, int]:
    """Files read and microseconds of the C loop's second round."""
    out = subprocess.run(
        [os.path.join(HERE, "preads"), ROOT, "2", *names], capture_output=True, check=True
    ).stdout
    files, _, microseconds = map(int, out.split()[-3:])
    return files, microseconds


def main() -> None:
    """Write one JSON object: microseconds per round of each side, and what was read."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    leaves = populate()
    names = [file.name for file in FILES]
    collector = Collector(Live(keep=FILES_MAX - 64), with_processes=False)
    collector.snapshot()
    result: dict[str, object] = {}
    for kind in ("idle", "busy"):
        ours, floor = [], []
        for turn in range(ROUNDS):
            result["files"], microseconds = c_loop(names)
            floor.append(microseconds)
            if kind == "busy":
                charge(leaves, turn)
            begin = time.monotonic_ns()
            snapshot = collector.snapshot()
            ours.append((time.monotonic_ns() - begin) // 1000)
            result["cgroups"] = len(snapshot.cgroups)
        result[kind] = {"ours_us": ours, "floor_us": floor}
    with open(os.path.join(os.environ.get("OUT", "/out"), "bench.json"), "w") as file:
        json.dump(result, file)


main()
