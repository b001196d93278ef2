"""Small machines for the tests of the collector."""

from __future__ import annotations

import os
from contextlib import contextmanager

from memwarden.collect.snapshot import Collector
from memwarden.host.live import Live

MEMINFO = "MemTotal:        1048576 kB\nMemFree:          524288 kB\nMemAvailable:     786432 kB\n"
CGROUP = {
    "memory.current": 8192,
    "memory.max": "max\n",
    "memory.stat": {"anon": 4096, "file": 4096},
    "memory.events": {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0},
    "cgroup.controllers": "memory\n",
}
HOSTILE = (
    "with space",
    "trailing ",
    "new\nline",
    "tab\there",
    "system-\\x2d.slice",
    "100%",
    "caf\u00e9",
    "\u6f22\u5b57",
    "bytes-\udcff\udc80",
    "x (deleted)",
    "..hidden",
    "memory.max.d",
    "-rf",
    "$(reboot)",
    "a:b",
)


STAT_REST = "0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0 18446744073709551615" + " 0" * 27
"""Fields 10 to 52 of ``/proc/PID/stat``: no faults, no time, one thread, started at a tick."""


class FakeRoot:
    """Files in the kernel's formats below a folder, which is ``/``."""

    def __init__(self, path):
        self.path = path
        self.proc = path / "proc"
        self.cgroup = path / "sys/fs/cgroup"
        self.proc.mkdir(parents=True)
        self.cgroup.mkdir(parents=True)

    def write(self, name, content):
        """A file: text, a number, or a mapping for a flat-keyed file."""
        target = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(content, dict):
            content = "".join(f"{key} {value}\n" for key, value in content.items())
        elif isinstance(content, int):
            content = f"{content}\n"
        with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(content)

    def add_cgroup(self, path, files):
        """A cgroup with its files."""
        for name, content in {"cgroup.procs": "", **files}.items():
            self.write(f"sys/fs/cgroup/{path[1:]}/{name}", content)

    def add_process(
        self, pid, comm="sleep", *, cgroup="/", state="S", flags=0x400000, start=100, adj=0, score=666
    ):
        """A process of 8 MiB RSS, not listed in any cgroup.procs."""
        escaped = comm.replace("\\", "\\\\").replace("\n", "\\n")
        self.write(
            f"proc/{pid}/stat",
            f"{pid} ({comm}) {state} 1 {pid} {pid} 0 -1 {flags} {STAT_REST.format(start=start)}\n",
        )
        self.write(
            f"proc/{pid}/status",
            f"Name:\t{escaped}\nState:\t{state} (state)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t1\n"
            "Uid:\t7\t7\t7\t7\nVmSize:\t16384 kB\nVmLck:\t4 kB\nVmRSS:\t8192 kB\nRssAnon:\t8000 kB\n"
            "RssFile:\t128 kB\nRssShmem:\t64 kB\nVmPTE:\t40 kB\nVmSwap:\t12 kB\nHugetlbPages:\t0 kB\n"
            "Threads:\t1\n",
        )
        self.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")
        self.write(f"proc/{pid}/oom_score_adj", adj)
        self.write(f"proc/{pid}/oom_score", score)


def machine(path):
    """A machine with cgroup v2 and no cgroup yet but the root."""
    root = FakeRoot(path)
    root.write("proc/meminfo", MEMINFO)
    root.write("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    root.write("sys/fs/cgroup/memory.stat", {"anon": 0, "file": 0})
    root.write("sys/fs/cgroup/cgroup.procs", "")
    return root


@contextmanager
def collector(root, *, keep=0, **options):
    """A collector of the machine."""
    source = Live(str(root.proc), str(root.path), keep=keep)
    try:
        yield Collector(source, cgroup_root="/sys/fs/cgroup", **options)
    finally:
        source.close()


def snapshot(root, **options):
    """One snapshot of the machine."""
    with collector(root, **options) as taker:
        return taker.snapshot()
