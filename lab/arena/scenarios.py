"""What is staged, and what is right: said before it runs.

Every scenario has a protected database and somebody else. The window is fixed and the same for all columns;
what happens after it does not count. ``permitted`` may die, everybody else may not, and whether acting is
required is said with the reason. Loads are lines of ``guest/load.c``; ``SEED`` is the run's.
"""

from __future__ import annotations

from typing import NamedTuple

DATABASE = "database"
ALONE = "kernel"
"""The column in which nobody but the kernel acts."""
MUST, MUST_NOT, IDLE, CONTROL = "must act", "must not act", "idle", "control"


class Load(NamedTuple):
    """One program: its unit, its slice, its command, and when it starts, in seconds into the window."""

    unit: str
    command: str
    at_s: float = 0.0
    high_mib: int | None = None
    max_mib: int | None = None
    slice: str = "tenants"


class Scenario(NamedTuple):
    """One trouble. Swap in MiB; ``files`` are made before, in MiB, on the disk."""

    name: str
    kind: str
    why: str
    loads: tuple[Load, ...]
    permitted: tuple[str, ...] = ()
    window_s: int = 40
    database_mib: int = 150
    database_file_mib: int = 40
    swap_mib: int = 0
    files: tuple[tuple[str, int], ...] = ()
    cgroups: int = 0
    expected: int = 1
    """Deaths that are enough."""


def _leaks(count: int, rate: float, limit: int) -> tuple[Load, ...]:
    return tuple(Load(f"leak{n}", f"leak {rate} {limit} SEED", at_s=0.7 * n) for n in range(1, count + 1))


SCENARIOS = (
    Scenario(
        "big-db", MUST,
        "a large database that has taken nothing, beside four small leaks that together take the machine",
        _leaks(4, 7, 150), ("leak1", "leak2", "leak3", "leak4"), database_mib=400, expected=2,
    ),
    Scenario(
        "cache-thrash", MUST,
        "a hog leaves no room for the file that two readers need: everybody reads it again and again",
        (
            Load("reader1", "read /var/lab/big 100 SEED", slice="readers"),
            Load("reader2", "read /var/lab/big 100 SEED", slice="readers"),
            Load("hog", "leak 40 480 SEED", at_s=3),
        ),
        ("hog",), window_s=60, database_mib=100, files=(("big", 900),),
    ),
    Scenario(
        "fast-leak", MUST, "one program takes 40 MiB a second, and there is no swap",
        (Load("leak1", "leak 40 2000 SEED"),), ("leak1",), window_s=25,
    ),
    Scenario(
        "slow-leak", MUST, "one program takes 15 MiB a second, into swap in the end",
        (Load("leak1", "leak 15 2000 SEED"),), ("leak1",), swap_mib=300, window_s=75,
    ),
    Scenario(
        "fork-storm", MUST, "hundreds of small processes in one cgroup, none of which is worth killing alone",
        (Load("storm", "storm 400 3 20 SEED"),), ("storm",), window_s=35,
    ),
    Scenario(
        "high-livelock", MUST,
        "a container above memory.high with nothing to reclaim: throttled to a crawl, and nobody is killed",
        (Load("crawler", "leak 40 300 SEED", high_mib=100),), ("crawler",), window_s=40,
    ),
    Scenario(
        "tmpfs", MUST,
        "files in a tmpfs, which no death gives back: the writer has to be stopped while there is room",
        # /dev/shm holds half of the memory, 404 MiB; some 320 are available then.
        (Load("filler", "tmpfs /dev/shm 25 2000 SEED"),), ("filler",), window_s=35, database_mib=250,
    ),
    Scenario(
        "one-of-many", MUST, "a leak in one of eight containers of one slice",
        (
            *(Load(f"calm{n}", "leak 200 25 SEED") for n in range(1, 8)),
            Load("leaky", "leak 25 2000 SEED", at_s=5),
        ),
        ("leaky",),
    ),
    Scenario(
        "two-culprits", MUST, "two programs leak at once",
        (Load("leak1", "leak 14 2000 SEED"), Load("leak2", "leak 11 2000 SEED", at_s=1)),
        ("leak1", "leak2"), expected=2, window_s=50,
    ),
    Scenario(
        "backup", MUST_NOT, "heavy but harmless: a backup that reads and writes more than memory holds",
        (
            Load("dump", "write /var/lab/dump 600 40 SEED"),
            Load("scan", "read /var/lab/big 100 SEED"),
        ),
        files=(("big", 900),), database_mib=120,
    ),
    Scenario(
        "load-shift", MUST_NOT,
        "twelve containers swap out what is above memory.high, one after another, and end by themselves",
        # Four at a time are being swapped out: some task stalls for 80 % of the time and more, for seconds.
        # Without swap they would get nowhere: their program would be read for ever. It has room for all
        # twelve at once, 65 MiB each: however slow the machine, it cannot run out, and all of them get done.
        tuple(Load(f"shift{n}", "spike 100 500 SEED", at_s=4 + 0.8 * n, high_mib=35) for n in range(12)),
        swap_mib=900,
    ),
    Scenario(
        "short-spike", MUST_NOT, "somebody takes nearly all that is free, for a moment, and gives it back",
        # 430 MiB are available by then; an eighth of the machine is left.
        (Load("spike", "spike 330 700 SEED", at_s=5),), window_s=20,
    ),
    Scenario("idle", IDLE, "nothing happens, in 200 cgroups", (), cgroups=200, window_s=60),
)  # fmt: skip

_THRASH = next(scenario for scenario in SCENARIOS if scenario.name == "cache-thrash")
CONTROLS = {
    "cache-thrash": _THRASH._replace(
        name="readers-alone", kind=CONTROL,
        why="the two readers of a file that is larger than what is free read it again and again all the same",
        loads=tuple(load for load in _THRASH.loads if load.unit not in _THRASH.permitted), permitted=(),
    ),
}  # fmt: skip
"""Scenarios without whoever may die, where those that stay have a trouble of their own, which no daemon can
better. They are run under the kernel alone, and no bar is laid on them."""
BY_NAME = {scenario.name: scenario for scenario in (*SCENARIOS, *CONTROLS.values())}


def of(column: str) -> tuple[Scenario, ...]:
    """What is run with a column."""
    return (*SCENARIOS, *CONTROLS.values()) if column == ALONE else SCENARIOS
