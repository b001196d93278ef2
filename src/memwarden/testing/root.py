"""A small /proc and cgroup hierarchy in a folder, for tests that read a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.units import KIB

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAGE: Final = 4 * KIB


class FakeRoot:
    """Files in the kernel's formats below ``path``: give ``proc`` and ``cgroup`` to whatever reads a machine.

    An integer or string becomes a file of one value, a mapping a flat-keyed file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proc = path / "proc"
        self.cgroup = path / "sys/fs/cgroup"
        self.proc.mkdir(parents=True)
        self.cgroup.mkdir(parents=True)

    def write(self, name: str, content: str | int | Mapping[str, int]) -> None:
        """Write ``proc/meminfo`` or another file below the root."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str | int):
            text = f"{content}\n" if isinstance(content, int) else content
        else:
            text = "".join(f"{key} {value}\n" for key, value in content.items())
        target.write_text(text, encoding="utf-8", errors="surrogateescape")

    def add_cgroup(self, path: str, files: Mapping[str, str | int | Mapping[str, int]]) -> None:
        """Make the cgroup ``/a/b`` with files such as ``{"memory.current": 4096}``."""
        folder = f"sys/fs/cgroup/{path.strip('/')}"
        for name, content in {"cgroup.procs": "", **files}.items():
            self.write(f"{folder}/{name}", content)

    def add_process(
        self,
        pid: int,
        comm: str,
        *,
        cgroup: str = "/",
        anon_bytes: int = 0,
        swap_bytes: int = 0,
        pgtables_bytes: int = 0,
        oom_score_adj: int = 0,
    ) -> None:
        """Make a process and put it last into its cgroup."""
        escaped = comm.replace("\\", "\\\\").replace("\n", "\\n")
        pages = anon_bytes // PAGE
        self.write(f"proc/{pid}/stat", f"{pid} ({comm}) S 1 {pid} {pid} 0 -1 4194560 {STAT_REST}\n")
        self.write(
            f"proc/{pid}/status",
            f"Name:\t{escaped}\nState:\tS (sleeping)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t1\n"
            f"Uid:\t0\t0\t0\t0\nVmSize:\t{anon_bytes // KIB} kB\nVmRSS:\t{anon_bytes // KIB} kB\n"
            f"RssAnon:\t{anon_bytes // KIB} kB\nRssFile:\t0 kB\nRssShmem:\t0 kB\n"
            f"VmPTE:\t{pgtables_bytes // KIB} kB\nVmSwap:\t{swap_bytes // KIB} kB\nThreads:\t1\n",
        )
        self.write(f"proc/{pid}/statm", f"{pages} {pages} 0 0 0 {pages} 0\n")
        self.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")
        self.write(f"proc/{pid}/oom_score_adj", oom_score_adj)
        procs = self.cgroup / cgroup.strip("/") / "cgroup.procs"
        procs.parent.mkdir(parents=True, exist_ok=True)
        with procs.open("a", encoding="utf-8") as file:
            file.write(f"{pid}\n")


STAT_REST: Final = "0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 18446744073709551615" + " 0" * 27
"""Fields 10 to 52 of ``/proc/PID/stat``: no faults, no time, one thread, started at tick 100."""
