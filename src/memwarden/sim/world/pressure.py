"""PSI of one cgroup or of the machine: some and full, and the kernel's averages.

``kernel/sched/psi.c`` (v6.12): each CPU is in *some* while a task of the group stalls on it, and in *full*
while no other of them runs there; the group's time is the average over CPUs, weighted by how long each was
not idle. Tasks are taken to be spread evenly: with ``n`` of them stalled and ``r`` running, each busy CPU has
``k = max(1, (n + r) / cpus)``, and of those a share ``p = n / (n + r)`` stalls. A single CPU needs no such
guess: it is in *some* for as long as anybody stalls, and in *full* while nobody runs.
"""

from __future__ import annotations

from typing import Final

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.rules.psi_load import Averages, calc_avgs, idle, period_us

_CALM: Final = Averages()


class Pressure:
    """Integrates as the numbers of stalled and running tasks change."""

    __slots__ = (
        "_at", "_avg_full", "_avg_some", "_cpus", "_mark_full", "_mark_some", "_next", "_period",
        "full_us", "running", "some_us", "stalled",
    )  # fmt: skip

    def __init__(self, cpus: int, hz: int) -> None:
        self._cpus = cpus
        self._period = period_us(hz)
        self._next = self._period
        self._at = 0
        self._avg_some = self._avg_full = Averages()
        self._mark_some = self._mark_full = 0.0
        self.stalled = 0
        self.running = 0.0
        self.some_us = self.full_us = 0.0

    def advance(self, now: int) -> None:
        """Count what passed since the last change."""
        if now >= self._next:
            self._average(now)
        self._integrate(now)

    def _integrate(self, now: int) -> None:
        if self.stalled:
            passed = now - self._at
            if self._cpus == 1:
                self.some_us += passed
                self.full_us += passed * min(max(1.0 - self.running, 0.0), 1.0)
            else:
                busy = self.stalled + max(self.running, 0.0)
                each, share = max(1.0, busy / self._cpus), self.stalled / busy
                self.some_us += passed * (1.0 - (1.0 - share) ** each)
                self.full_us += passed * share**each
        self._at = now

    def _average(self, now: int) -> None:
        """Close the periods that are over: the first with what stalled, those after it too."""
        if not self.stalled and self._mark_some == self.some_us and self._avg_some == _CALM:
            self._next += ((now - self._next) // self._period + 1) * self._period
            return
        while now >= self._next:
            self._integrate(self._next)
            self._avg_some = calc_avgs(self._avg_some, int(self.some_us - self._mark_some), self._period)
            self._avg_full = calc_avgs(self._avg_full, int(self.full_us - self._mark_full), self._period)
            self._mark_some, self._mark_full = self.some_us, self.full_us
            self._next += self._period
            if not self.stalled and now >= self._next:
                missed = (now - self._next) // self._period + 1
                self._avg_some, self._avg_full = idle(self._avg_some, missed), idle(self._avg_full, missed)
                self._next += missed * self._period

    def read(self, now: int) -> Psi:
        """The pressure file."""
        self.advance(now)
        some, full = self._avg_some.percent(), self._avg_full.percent()
        return Psi(PsiLine(*some, int(self.some_us)), PsiLine(*full, int(self.full_us)))
