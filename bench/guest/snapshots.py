"""Inside the guest: 1,000 cgroups with a process each; the C loop and memwarden in turn, first and second.

Two kinds of rounds: ``idle``, in which nothing has happened in any cgroup since the last one, and ``busy``,
before which every cgroup was charged more or less than before, so that its figures have changed. Each side
gets a charge of its own, so that what the kernel does at the first reading after one is in both figures.
"""

from __future__ import annotations

import os
import subprocess
import time

from bench.guest.tree import FILES_MAX, HERE, ROOT, keep, many_files, populate, put
from memwarden.collect.cgroup_v2 import FILES
from memwarden.collect.snapshot import Collector
from memwarden.host.live import Live

ROUNDS = 11


def charge(leaves: list[str], turn: int) -> None:
    """Have every cgroup charged 64 KiB of tmpfs more, or 192 KiB less, by a process that visits it.

    The file is written anew, so that the guest's memory is not what runs out in the later rounds.
    """
    block = b"x" * (65536 * (1 + turn % 4))
    for number, path in enumerate(leaves):
        put(f"{path}/cgroup.procs", str(os.getpid()))
        with open(f"/dev/shm/{number}", "wb", buffering=0) as file:
            file.write(block)
    put(f"{ROOT}/cgroup.procs", str(os.getpid()))


class Loop:
    """The C program, which keeps its files open from one round to the next as memwarden does."""

    def __init__(self, names: list[str]) -> None:
        self._process = subprocess.Popen(
            [os.path.join(HERE, "preads"), ROOT, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.files = 0

    def round_us(self) -> int:
        """Microseconds of one round, by its own clock."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self.files, _, microseconds = map(int, self._process.stdout.readline().split())
        return microseconds


class Ours:
    """memwarden, with as many files open."""

    def __init__(self) -> None:
        self._collector = Collector(Live(keep=FILES_MAX - 64), with_processes=False)
        self.cgroups = 0

    def round_us(self) -> int:
        """Microseconds of one snapshot."""
        begin = time.monotonic_ns()
        snapshot = self._collector.snapshot()
        microseconds = (time.monotonic_ns() - begin) // 1000
        self.cgroups = len(snapshot.cgroups)
        return microseconds


def main() -> None:
    """Write one JSON object: microseconds per round of each side, and what was read."""
    many_files()
    leaves = populate()
    ours, floor = Ours(), Loop([file.name for file in FILES])
    sides: list[tuple[str, Ours | Loop]] = [("ours_us", ours), ("floor_us", floor)]
    for _, side in sides:
        side.round_us()
    charges = 0
    result: dict[str, object] = {}
    for kind in ("idle", "busy"):
        taken: dict[str, list[int]] = {name: [] for name, _ in sides}
        for turn in range(ROUNDS):
            for name, side in sides if turn % 2 else reversed(sides):
                if kind == "busy":
                    charge(leaves, charges)
                    charges += 1
                taken[name].append(side.round_us())
        result[kind] = taken
    result["files"], result["cgroups"] = floor.files, ours.cgroups
    keep(result)


main()
