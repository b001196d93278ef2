"""What runs in the guests and in the simulator alike: cgroups with knobs, and programs of ``load.c``.

A program is one of ``guest/load.c``, with the words that it is started with. Nothing here is about a
kernel: the four of them run every row.
"""

from __future__ import annotations

from typing import NamedTuple

MIB = 1 << 20


class Group(NamedTuple):
    """A cgroup; ``knobs`` by the kernel's names without ``memory.``, sizes in MiB."""

    path: str
    knobs: tuple[tuple[str, int], ...] = ()


class Load(NamedTuple):
    """A program: the words for ``load``, in which cgroup, from when on."""

    name: str
    group: str
    words: tuple[str | int, ...]
    start_s: float = 0.0
    adj: int = 0


class Scenario(NamedTuple):
    name: str
    text: str
    groups: tuple[Group, ...]
    loads: tuple[Load, ...]
    seconds: float
    swap: bool = False
    shares: bool = False
    """The final usage of every cgroup is compared: siblings under protection."""
    curve: bool = False
    """The speed of growth above memory.high is compared."""


SCENARIOS = (
    Scenario(
        "leak-at-max",
        "A leaker of 6 MiB/s meets memory.max 32 MiB; no swap.",
        (Group("/a", (("max", 32),)),),
        (Load("leak", "/a", ("leak", 6, 160, 1)),),
        seconds=9,
    ),
    Scenario(
        "leak-beside-cache",
        "A reader of 32 MiB/s holds 16 MiB of cache under memory.max 40 MiB; a leaker of 6 MiB/s takes it.",
        (Group("/a", (("max", 40),)),),
        (
            Load("read", "/a", ("read", "/mnt/small", 32, 1)),
            Load("leak", "/a", ("leak", 6, 160, 1), start_s=1.5),
        ),
        seconds=12,
    ),
    Scenario(
        "leak-above-high",
        "A leaker of 50 MiB/s above memory.high 32 MiB, with no memory.max.",
        (Group("/a", (("high", 32),)),),
        (Load("leak", "/a", ("leak", 50, 160, 1)),),
        seconds=9,
        curve=True,
    ),
    Scenario(
        "high-then-max",
        "memory.high 30 MiB, memory.max 32 MiB: a leaker of 16 MiB/s is slowed down, then killed.",
        (Group("/a", (("high", 30), ("max", 32))),),
        (Load("leak", "/a", ("leak", 16, 160, 1)),),
        seconds=9,
    ),
    Scenario(
        "reader",
        "A reader goes through 32 MiB again and again under memory.max 16 MiB.",
        (Group("/a", (("max", 16),)),),
        (Load("read", "/a", ("read", "/mnt/large", 0, 1)),),
        seconds=3,
    ),
    Scenario(
        "writer",
        "A writer of 4 MiB/s goes through 32 MiB under memory.max 16 MiB.",
        (Group("/a", (("max", 16),)),),
        (Load("write", "/a", ("write", "/mnt/written", 32, 4, 1)),),
        seconds=12,
    ),
    Scenario(
        "sawtooth",
        "A heap between 8 and 28 MiB, 8 MiB/s, under memory.max 24 MiB with swap.",
        (Group("/a", (("max", 24),)),),
        (Load("saw", "/a", ("saw", 8, 28, 8, 1)),),
        seconds=8,
        swap=True,
    ),
    Scenario(
        "sawtooth-no-swap",
        "The same heap without swap: it dies on its way to the first top.",
        (Group("/a", (("max", 24),)),),
        (Load("saw", "/a", ("saw", 8, 28, 8, 1)),),
        seconds=6,
    ),
    Scenario(
        "mixed",
        "A reader of 32 MiB/s, a writer and a leaker of 5 MiB/s under one memory.max of 32 MiB; no swap.",
        (Group("/a", (("max", 32),)),),
        (
            Load("read", "/a", ("read", "/mnt/small", 32, 1)),
            Load("write", "/a", ("write", "/mnt/written", 12, 2, 1)),
            Load("leak", "/a", ("leak", 5, 160, 1), start_s=1.0),
        ),
        seconds=11,
    ),
    Scenario(
        "siblings-low",
        "Two readers share a parent of 32 MiB; one has memory.low 20 MiB, the other 4 MiB.",
        (
            Group("/p", (("max", 32), ("low", 32))),
            Group("/p/a", (("low", 20),)),
            Group("/p/b", (("low", 4),)),
        ),
        (
            Load("left", "/p/a", ("read", "/mnt/large", 0, 1)),
            Load("right", "/p/b", ("read", "/mnt/other", 0, 1)),
        ),
        seconds=5,
        shares=True,
    ),
    Scenario(
        "siblings-min",
        "16 MiB under memory.min 12 MiB beside a leaker to 20 MiB; parent 24 MiB, with swap.",
        (
            Group("/p", (("max", 24), ("min", 24))),
            Group("/p/a", (("min", 12),)),
            Group("/p/b"),
        ),
        (
            Load("left", "/p/a", ("leak", 16, 16, 1)),
            Load("right", "/p/b", ("leak", 5, 20, 2), start_s=1.5),
        ),
        seconds=7,
        swap=True,
        shares=True,
    ),
    Scenario(
        "oom-group",
        "A small process beside a leaker of 6 MiB/s; memory.oom.group takes both.",
        (Group("/a", (("max", 24), ("oom.group", 1))),),
        (
            Load("small", "/a", ("leak", 16, 4, 1)),
            Load("leak", "/a", ("leak", 6, 160, 2), start_s=1.0),
        ),
        seconds=7,
    ),
    Scenario(
        "adj-decides",
        "The smaller of two is killed first, as its oom_score_adj is 500.",
        (Group("/a", (("max", 32),)),),
        (
            Load("small", "/a", ("leak", 16, 10, 1), adj=500),
            Load("large", "/a", ("leak", 6, 160, 2), start_s=1.0),
        ),
        seconds=9,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
FILES = {"/mnt/small": 16, "/mnt/large": 32, "/mnt/other": 32}
"""Files that are read, MiB."""
