"""Inside the guest: a tree of 1,000 cgroups with a process each, and where the figures go."""

from __future__ import annotations

import json
import os
import resource
import subprocess

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The job's folder, with the compiled programs."""
ROOT = "/sys/fs/cgroup"
TOP = f"{ROOT}/bench"
GROUPS = 1000
FILES_MAX = 65536
"""Open files allowed to both sides: what a service asks for; the default of 4096 is too few for both."""


def many_files() -> None:
    """Allow ourselves, and whom we start, to have that many files open."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))


def keep(result: dict[str, object]) -> None:
    """What was measured, as the job's result."""
    with open(os.path.join(os.environ.get("OUT", "/out"), "bench.json"), "w") as file:
        json.dump(result, file)


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
