"""What runs in the guests and in the simulator alike: cgroups with knobs, and programs of ``load.c``.

A program is one of the arena's (``lab/arena/guest/load.c``), with the words that it is started with. Nothing
here is about a kernel: the four of them run every row.
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
        "A leaker of 16 MiB/s meets memory.max 64 MiB; no swap.",
        (Group("/a", (("max", 64),)),),
        (Load("leak", "/a", ("leak", 16, 160, 1)),),
        seconds=8,
    ),
    Scenario(
        "leak-beside-cache",
        "A reader holds 32 MiB of cache under memory.max 80 MiB, a leaker of 12 MiB/s takes it away.",
        (Group("/a", (("max", 80),)),),
        (
            Load("read", "/a", ("read", "/mnt/small", 1)),
            Load("leak", "/a", ("leak", 12, 160, 1), start_s=3.0),
        ),
        seconds=16,
    ),
    Scenario(
        "leak-above-high",
        "A leaker as fast as it goes above memory.high 64 MiB, with no memory.max.",
        (Group("/a", (("high", 64),)),),
        (Load("leak", "/a", ("leak", 100, 160, 1)),),
        seconds=14,
        curve=True,
    ),
    Scenario(
        "high-then-max",
        "memory.high 60 MiB, memory.max 64 MiB: a leaker is slowed down, then killed.",
        (Group("/a", (("high", 60), ("max", 64))),),
        (Load("leak", "/a", ("leak", 32, 160, 1)),),
        seconds=16,
    ),
    Scenario(
        "reader",
        "A reader goes through 64 MiB again and again under memory.max 32 MiB.",
        (Group("/a", (("max", 32),)),),
        (Load("read", "/a", ("read", "/mnt/large", 1)),),
        seconds=8,
    ),
    Scenario(
        "writer",
        "A writer of 8 MiB/s goes through 64 MiB under memory.max 32 MiB.",
        (Group("/a", (("max", 32),)),),
        (Load("write", "/a", ("write", "/mnt/written", 64, 8, 1)),),
        seconds=10,
    ),
    Scenario(
        "sawtooth",
        "A heap between 16 and 56 MiB, 16 MiB/s, under memory.max 48 MiB with swap.",
        (Group("/a", (("max", 48),)),),
        (Load("saw", "/a", ("saw", 16, 56, 16, 1)),),
        seconds=10,
        swap=True,
    ),
    Scenario(
        "sawtooth-no-swap",
        "The same heap without swap: it dies on its way to the first top.",
        (Group("/a", (("max", 48),)),),
        (Load("saw", "/a", ("saw", 16, 56, 16, 1)),),
        seconds=6,
    ),
    Scenario(
        "mixed",
        "Reader, writer and a slow leaker in one cgroup under memory.max 64 MiB; no swap.",
        (Group("/a", (("max", 64),)),),
        (
            Load("read", "/a", ("read", "/mnt/small", 1)),
            Load("write", "/a", ("write", "/mnt/written", 24, 4, 1)),
            Load("leak", "/a", ("leak", 8, 160, 1), start_s=1.0),
        ),
        seconds=18,
    ),
    Scenario(
        "siblings-low",
        "Two readers share a parent of 64 MiB; one has memory.low 40 MiB, the other 8 MiB.",
        (
            Group("/p", (("max", 64), ("low", 64))),
            Group("/p/a", (("low", 40),)),
            Group("/p/b", (("low", 8),)),
        ),
        (
            Load("left", "/p/a", ("read", "/mnt/large", 1)),
            Load("right", "/p/b", ("read", "/mnt/other", 1)),
        ),
        seconds=12,
        shares=True,
    ),
    Scenario(
        "siblings-min",
        "32 MiB under memory.min 24 MiB beside a leaker to 40 MiB; parent 48 MiB, with swap.",
        (
            Group("/p", (("max", 48), ("min", 48))),
            Group("/p/a", (("min", 24),)),
            Group("/p/b"),
        ),
        (
            Load("left", "/p/a", ("leak", 40, 32, 1)),
            Load("right", "/p/b", ("leak", 10, 40, 2), start_s=2.0),
        ),
        seconds=10,
        swap=True,
        shares=True,
    ),
    Scenario(
        "oom-group",
        "A small process beside a leaker of 16 MiB/s; memory.oom.group takes both.",
        (Group("/a", (("max", 48), ("oom.group", 1))),),
        (
            Load("small", "/a", ("leak", 40, 8, 1)),
            Load("leak", "/a", ("leak", 16, 160, 2), start_s=1.0),
        ),
        seconds=7,
    ),
    Scenario(
        "adj-decides",
        "The smaller of two is killed first, as its oom_score_adj is 500.",
        (Group("/a", (("max", 64),)),),
        (
            Load("small", "/a", ("leak", 40, 20, 1), adj=500),
            Load("large", "/a", ("leak", 12, 160, 2), start_s=1.0),
        ),
        seconds=9,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
FILES = {"/mnt/small": 32, "/mnt/large": 64, "/mnt/other": 64}
"""Files that are read, MiB."""
