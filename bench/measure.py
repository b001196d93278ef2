"""Runs whole commands in turn and keeps what the operating system accounted for each.

A figure is the median of several runs; the two sides of a ratio run alternately (A B A B ...), so
that a machine whose speed drifts drifts for both. The ratio quoted is the median of the pairs'.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import NamedTuple

OUTPUT = os.path.join(os.path.dirname(__file__), ".cache", "output")


class Run(NamedTuple):
    """One finished command. Seconds, and the peak resident set in KiB (``ru_maxrss``)."""

    wall_s: float
    cpu_s: float
    peak_rss_kib: int


class Ratio(NamedTuple):
    """Median, least and greatest of the pairwise ratios A/B."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def run(argv: list[str], *, env: dict[str, str] | None = None, stdin: str = os.devnull) -> Run:
    """Run one command with its output into a file; a status that is not 0 or 1 is an error.

    Not into ``/dev/null``: grep sees that and stops at its first match. Python may keep its bytecode, as an
    installed package has it; some machines forbid that, and then it would be the compiler that is measured.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
    ]
    os.makedirs(os.path.dirname(OUTPUT), exist_ok=True)
    started = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, env or environment, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"bench: {' '.join(argv)} ended with status {status}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def compare(a: list[str], b: list[str], *, runs: int = 5) -> tuple[list[Run], list[Run]]:
    """Run A and B alternately, after one uncounted run of each."""
    run(a)
    run(b)
    pairs = [(run(a), run(b)) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def ratio(a: list[float], b: list[float]) -> Ratio:
    """Pairwise A/B."""
    each = [x / y for x, y in zip(a, b, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def median(values: list[float]) -> float:
    """The median, named here so that every table says how its figure was made."""
    return statistics.median(values)
