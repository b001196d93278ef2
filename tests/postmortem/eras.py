"""The formats of two decades of kernels, one line per generation.

They follow the printk calls of ``mm/oom_kill.c``, ``mm/memcontrol.c``, ``mm/page_alloc.c``,
``lib/show_mem.c`` and ``mm/show_mem.c`` at each release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COLUMNS: Final = {
    "none": (),
    "cpu": ("uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name"),
    "both": ("uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "oom_score_adj", "name"),
    "ptes": ("uid", "tgid", "total_vm", "rss", "nr_ptes", "swapents", "oom_score_adj", "name"),
    "pmds": ("uid", "tgid", "total_vm", "rss", "nr_ptes", "nr_pmds", "swapents", "oom_score_adj", "name"),
    "bytes": ("uid", "tgid", "total_vm", "rss", "pgtables_bytes", "swapents", "oom_score_adj", "name"),
    "split": (
        *("uid", "tgid", "total_vm", "rss", "rss_anon", "rss_file", "rss_shmem"),
        *("pgtables_bytes", "swapents", "oom_score_adj", "name"),
    ),
}


@dataclass(frozen=True)
class Era:
    """One generation of formats, by the release that stands for it.

    ``header``: oomkilladj, oom_adj, both, plain, flags, nodemask. ``kill``: 2.6.24, vsz, old, rhel6, rhel7,
    shmem, one-line, uid, pgtables. ``counters``: active, split, 2.6.32, 4.2, 5.8, 5.18, 6.1. ``stats``: none,
    line (a line per cgroup), v1 (v1 names, a record per line), v2. ``cpu``: the form of the CPU line.
    """

    name: str
    release: str
    header: str
    columns: tuple[str, ...]
    kill: str
    counters: str
    stats: str
    cpu: str
    words: frozenset[str]
    page_size: int
    unlimited_kb: int
    zones: tuple[str, ...]

    def has(self, word: str) -> bool:
        """Whether this generation prints a line or a field; see the table below."""
        return word in self.words


_UNLIMITED: Final = {
    "res63": 9007199254740991,
    "res64": 18014398509481983,
    "64k": 9007199254740928,
    "32bit": 8589934588,
}


def _era(text: str) -> Era:
    name, release, header, columns, kill, counters, stats, cpu, *words = text.split()
    unlimited = next((kb for word, kb in _UNLIMITED.items() if word in words), 9007199254740988)
    zones = ("DMA", "Normal", "HighMem") if "32bit" in words else ("DMA", "DMA32", "Normal")
    size = 65536 if "64k" in words else 4096
    return Era(
        name,
        release,
        header,
        COLUMNS[columns],
        kill,
        counters,
        stats,
        cpu,
        frozenset(words),
        size,
        unlimited,
        zones,
    )


ERAS: Final = tuple(
    _era(line)
    for line in """\
2.6.24 2.6.24-24-server oomkilladj none 2.6.24 active none Pid 32bit
2.6.31 2.6.31-23-generic oom_adj cpu 2.6.24 split none Pid cpuset task-in
2.6.34 2.6.34.10-0.6-desktop oom_adj cpu vsz 2.6.32 none Pid cpuset task-in
rhel6 2.6.32-754.35.1.el6.x86_64 both both rhel6 2.6.32 none Pid cpuset task-in res63
3.2 3.2.0-6-amd64 both both old 2.6.32 none Pid cpuset task-in res63
rhel7 3.10.0-1160.119.1.el7.x86_64 plain ptes rhel7 2.6.32 line CPU cpuset task-in kmem huge
3.16 3.16.0-11-amd64 plain ptes old 2.6.32 line CPU cpuset task-in kmem huge res64
4.4 4.4.0-210-generic plain pmds old 4.2 line CPU cpuset task-in kmem huge
4.9 4.9.0-19-amd64 flags pmds shmem 4.2 line CPU cpuset task-in kmem huge node
4.14 4.14.336-257.562.amzn2.x86_64 nodemask pmds shmem 4.2 line CPU cpuset task-in kmem huge node
4.15 4.15.0-213-generic nodemask bytes shmem 4.2 line CPU cpuset task-in kmem huge node
rhel8 4.18.0-553.el8_10.x86_64 flags bytes uid 4.2 v1 CPU kmem huge node summary
4.19 4.19.0-27-amd64 nodemask bytes shmem 4.2 line CPU cpuset task-in kmem huge node state
5.0 5.0.0-32-generic flags bytes shmem 4.2 line CPU kmem huge node state summary
5.2 5.2.21-200.fc30.x86_64 flags bytes one-line 4.2 v2 CPU huge node state summary
5.3 5.3.18-150300.59.76-default flags bytes uid 4.2 v2 CPU huge node state summary
5.4 5.4.0-190-generic flags bytes pgtables 4.2 v2 CPU huge node state summary
5.10 5.10.0-32-amd64 flags bytes pgtables 5.8 v2 CPU huge node state summary
6.1 6.1.0-25-amd64 flags bytes pgtables 6.1 v2 CPU huge node state summary boost
6.8 6.8.0-45-generic flags split pgtables 6.1 v1 CPU kmem huge node state summary boost
6.12 6.12.48+deb13-amd64 flags split pgtables 6.1 v2 UID huge node state summary boost
7.2 7.2.13-amd64 flags split pgtables 6.1 v2 UID huge node state summary boost protection
i686 5.10.0-32-686-pae flags bytes pgtables 5.8 v2 CPU huge node state summary 32bit
arm64 5.14.0-427.13.1.el9_4.aarch64+64k flags bytes pgtables 5.18 v2 CPU huge node state summary 64k
ppc64le 6.12.0-55.el10.ppc64le flags split pgtables 6.1 v2 UID huge node state summary boost 64k
""".splitlines()
)
"""Words: lines and fields that are printed (``cpuset``, ``task-in``, ``kmem``, ``huge``, ``node``, ``state``
for the line before the table, ``summary``, ``boost``, ``protection``), and what "no limit" looks like."""
