"""What a program got done: bytes, requests and how long they took, stalls, deaths."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

from memwarden.sim.result import Work
from memwarden.sim.world.memcg import PAGE

if TYPE_CHECKING:
    from memwarden.sim.scenario import Program

STEPS: Final = 16
"""Classes of latency per doubling: each is 4 % wide."""


class Tally:
    """Counts of one program, all its processes and restarts."""

    __slots__ = (
        "deaths", "due", "latencies", "longest_us", "moved", "program", "refaulted", "requests", "restarts",
        "stalled_us", "swapped_in", "throttled_us", "wanted",
    )  # fmt: skip

    def __init__(self, program: Program) -> None:
        self.program = program
        self.moved = self.refaulted = self.swapped_in = 0
        self.wanted = self.due = 0.0
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

    def work(self) -> Work:
        """As it stands in the result."""
        return Work(
            program=self.program.name,
            cgroup=self.program.cgroup,
            moved_bytes=self.moved * PAGE,
            wanted_bytes=round(self.wanted) * PAGE,
            requests=self.requests,
            requests_due=round(self.due),
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
