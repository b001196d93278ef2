"""What a program got done: bytes, requests and how long they took, stalls, deaths."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

from memwarden.sim.result import Work
from memwarden.sim.scenario import Forks, Mlock, ReadFile, Spike, Steps, WorkingSet, WriteFile
from memwarden.sim.world.memcg import PAGE
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import Part, Program

STEPS: Final = 16
"""Classes of latency per doubling: each is 4 % wide."""


class Tally:
    """Counts of one program, all its processes and restarts."""

    __slots__ = (
        "deaths", "latencies", "longest_us", "moved", "program", "refaulted", "requests", "restarts",
        "stalled_us", "swapped_in", "throttled_us",
    )  # fmt: skip

    def __init__(self, program: Program) -> None:
        self.program = program
        self.moved = self.refaulted = self.swapped_in = 0
        self.requests = self.deaths = self.restarts = 0
        self.stalled_us = self.throttled_us = 0.0
        self.latencies: dict[int, int] = {}
        self.longest_us = 0.0

    def served(self, latency_us: float, times: int = 1) -> None:
        """Some requests took so long."""
        self.requests += times
        self.longest_us = max(self.longest_us, latency_us)
        bucket = round(log2(max(latency_us, 1.0)) * STEPS)
        self.latencies[bucket] = self.latencies.get(bucket, 0) + times

    def quantile(self, share: float) -> int | None:
        """The latency that this share of requests did not exceed, to 4 %."""
        left = share * self.requests
        for bucket, times in sorted(self.latencies.items()):
            left -= times
            if left <= 0:
                return round(min(2 ** (bucket / STEPS), self.longest_us))
        return None

    def work(self, end_us: int) -> Work:
        """As it stands in the result of a run that ended then."""
        wanted, due = expected(self.program, end_us)
        return Work(
            program=self.program.name,
            cgroup=self.program.cgroup,
            moved_bytes=self.moved * PAGE,
            wanted_bytes=wanted,
            requests=self.requests,
            requests_due=due,
            p50_us=self.quantile(0.5),
            p99_us=self.quantile(0.99),
            max_us=round(self.longest_us) if self.requests else None,
            stalled_us=round(self.stalled_us),
            throttled_us=round(self.throttled_us),
            refaulted_bytes=self.refaulted * PAGE,
            swapped_in_bytes=self.swapped_in * PAGE,
            deaths=self.deaths,
            restarts=self.restarts,
        )


def expected(program: Program, end_us: int) -> tuple[int, int]:
    """Bytes and requests of a program on a machine that is never short, up to then.

    No bytes where a part goes as fast as it can without an end.
    """
    alive_s = max(min(program.stop_us or end_us, end_us) - program.start_us, 0) / SECOND_US
    size, requests, bounded = 0.0, 0.0, True
    for part in program.parts:
        if isinstance(part, WorkingSet):
            requests += part.requests_per_s * alive_s
            continue
        rate, most = _rate(part), _most(part)
        if rate is None and most is None:
            bounded = False
        moved = most if rate is None else rate * alive_s
        size += min(moved or 0.0, moved or 0.0 if most is None else most)
    return round(size * program.instances) if bounded else 0, round(requests * program.instances)


def _rate(part: Part) -> float | None:
    """Bytes per second, ``None`` for as fast as it goes."""
    if isinstance(part, Steps):
        return part.step_bytes * SECOND_US / part.every_us
    if isinstance(part, Forks):
        return part.each_bytes * part.per_s
    return getattr(part, "rate_bps", None)


def _most(part: Part) -> int | None:
    """Bytes after which it has an end, ``None`` if it has none."""
    match part:
        case ReadFile() | WriteFile():
            return None if part.times is None else part.times * part.file_bytes
        case Spike():
            return part.top_bytes
        case Mlock():
            return part.amount_bytes
        case Forks():
            return part.children * part.each_bytes
        case _:
            found: int | None = getattr(part, "limit_bytes", None)
            return found
