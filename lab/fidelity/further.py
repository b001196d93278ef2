"""Rows that want more than one cgroup at its limit: the machine's own end, tmpfs, locks, swap.high, forks.

They were added to those of ``scenarios.py``, and have results of their own beside them, so that nothing that
was measured before is measured again. Programs are of ``guest_further/load.c``.
"""

from __future__ import annotations

from typing import Final

from lab.fidelity.scenarios import Group, Load, Scenario

FULL: Final = "/dev/shm/full"
"""In a tmpfs of the guest's."""

FURTHER = (
    Scenario(
        "machine-oom",
        "A machine without swap and limits: one who keeps 100 MiB, leakers of 60 and of 20 MiB/s.",
        (Group("/a"), Group("/b"), Group("/c")),
        (
            Load("keep", "/a", ("leak", 60, 100, 1)),
            Load("fast", "/b", ("leak", 60, 600, 2)),
            Load("slow", "/c", ("leak", 20, 600, 3)),
        ),
        seconds=14,
    ),
    Scenario(
        "machine-oom-swap",
        "The same with 128 MiB of swap; the oom_score_adj of who keeps is 500: it dies first, then the fast.",
        (Group("/a"), Group("/b"), Group("/c")),
        (
            Load("keep", "/a", ("leak", 60, 100, 1), adj=500),
            Load("fast", "/b", ("leak", 60, 600, 2)),
            Load("slow", "/c", ("leak", 20, 600, 3)),
        ),
        seconds=18,
        swap=True,
    ),
    Scenario(
        "tmpfs-at-max",
        "A tmpfs is filled with 6 MiB/s under memory.max 32 MiB; what is in it outlives two who die for it.",
        (Group("/p"), Group("/p/a", (("max", 32),))),
        (
            Load("stay", "/p/a", ("leak", 16, 1, 1), adj=-1000),
            Load("keep", "/p/a", ("leak", 16, 8, 2)),
            Load("fill", "/p/a", ("tmpfs", FULL, 160, 6, 3)),
        ),
        seconds=9,
        shares=True,
    ),
    Scenario(
        "tmpfs-swap",
        "The same with swap: a tmpfs of 40 MiB and 8 MiB of a program's, nobody dies.",
        (Group("/p"), Group("/p/a", (("max", 32),))),
        (
            Load("keep", "/p/a", ("leak", 16, 8, 2)),
            Load("fill", "/p/a", ("tmpfs", FULL, 40, 6, 3)),
        ),
        seconds=9,
        swap=True,
        shares=True,
    ),
    Scenario(
        "mlock-beside-heap",
        "16 MiB that are locked stay, 24 MiB of a sibling give way: parent 32 MiB, with swap.",
        (Group("/p", (("max", 32),)), Group("/p/a"), Group("/p/b")),
        (
            Load("lock", "/p/a", ("mlock", 16, 16, 1)),
            Load("heap", "/p/b", ("leak", 6, 24, 2), start_s=1.5),
        ),
        seconds=7,
        swap=True,
        shares=True,
    ),
    Scenario(
        "mlock-at-max",
        "Memory is locked at 6 MiB/s beside 8 MiB that are not, memory.max 32 MiB: "
        "swap helps for those only.",
        (Group("/a", (("max", 32),)),),
        (
            Load("heap", "/a", ("leak", 16, 8, 1)),
            Load("lock", "/a", ("mlock", 6, 160, 2), start_s=1.0),
        ),
        seconds=9,
        swap=True,
    ),
    Scenario(
        "swap-high",
        "A leaker of 8 MiB/s under memory.max 24 MiB goes on above memory.swap.high 64 MiB.",
        (Group("/a", (("max", 24), ("swap.high", 64))),),
        (Load("leak", "/a", ("leak", 8, 160, 1)),),
        seconds=27,
        swap=True,
        curve=True,
    ),
    Scenario(
        "forks-at-max",
        "Ten children a second of 3 MiB each, 40 in all, under memory.max 48 MiB.",
        (Group("/a", (("max", 48),)),),
        (Load("fork", "/a", ("forks", 40, 10, 3, 1)),),
        seconds=6,
    ),
    Scenario(
        "forks-group",
        "The same with memory.oom.group: all die at once.",
        (Group("/a", (("max", 48), ("oom.group", 1))),),
        (Load("fork", "/a", ("forks", 40, 10, 3, 1)),),
        seconds=4,
    ),
)
