"""Short ways to read a text in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.read import find_reports

if TYPE_CHECKING:
    from memwarden.postmortem.model import OomReport
    from memwarden.postmortem.scan import Scan


def reports(text: str | bytes, scan: Scan | None = None) -> list[OomReport]:
    """Every report of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(find_reports([data], file="log", scan=scan))


def only(text: str | bytes) -> OomReport:
    """The one report of a text."""
    found = reports(text)
    assert len(found) == 1, [report.source for report in found]
    return found[0]


def dmesg(*messages: str, start: float = 100.0, step: float = 0.001) -> str:
    """Messages as dmesg shows them, a millisecond apart."""
    return "".join(f"[{start + number * step:12.6f}] {message}\n" for number, message in enumerate(messages))


HEADER = "postgres invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-900"
KILL = (
    "Out of memory: Killed process 77 (java) total-vm:4096kB, anon-rss:1024kB, file-rss:16kB, shmem-rss:0kB"
)
MEMCG_KILL = f"Memory cgroup {KILL[0].lower()}{KILL[1:]}"
SUMMARY = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,"
    "task=java,pid=77,uid=5"
)
"""Lines of Linux 5.2 that make small reports."""
