"""PSI of one cgroup or of the machine: some and full, and the kernel's averages.

``kernel/sched/psi.c`` (v6.12): each CPU is in *some* while a task of the group stalls on it, and in *full*
while no other of them runs there; the group's time is the average over CPUs, weighted by how long each was
not idle. Tasks are taken to be spread evenly: with ``n`` of them stalled and ``r`` running, each busy CPU has
``k = max(1, (n + r) / cpus)``, and of those a share ``p = n / (n + r)`` stalls. A single CPU needs no such
guess: it is in *some* for as long as anybody stalls, and in *full* while nobody runs.

How long a CPU was not idle is counted over a period (``collect_percpu_times``), so that while one CPU stalls
what ran before on the others counts too: of all CPUs' busy time only the stalling one's own is its weight.
That is the time of the task that stalls, and an even share of the others' (:meth:`Pressure._weight`).
"""

from __future__ import annotations

from typing import Final

from memwarden.kernel.psi import Psi, PsiLine
from memwarden.rules.psi_load import Averages, calc_avgs, idle, period_us

_CALM: Final = Averages()


class Occupied:
    """How much of a processor a task had in the period before, running or stalled."""

    __slots__ = ("_at", "_next", "_period", "_rate", "_used", "last_us")

    def __init__(self, now: int, period: int) -> None:
        self._at, self._period = now, period
        self._next = (now // period + 1) * period
        self._rate = self._used = 0.0
        self.last_us = float(period)
        """All, as long as it is not known."""

    def goes_on(self, now: int, rate: float) -> None:
        """From now on it has so much of one."""
        if now >= self._next:
            self.last_us = self._used + (self._next - self._at) * self._rate
            self._used, self._at = 0.0, self._next
            whole = (now - self._next) // self._period
            if whole:
                self.last_us = self._period * self._rate
                self._at += whole * self._period
            self._next = self._at + self._period
        self._used += (now - self._at) * self._rate
        self._at, self._rate = now, rate


class Pressure:
    """Integrates as the numbers of stalled and running tasks change."""

    __slots__ = (
        "_at", "_avg_full", "_avg_some", "_before_us", "_busy_us", "_cpus", "_lumped", "_mark_full",
        "_mark_some", "_next", "_stalled_us", "full_us", "own_us", "period", "running", "some_us", "stalled",
        "watched",
    )  # fmt: skip

    def __init__(self, cpus: int, hz: int) -> None:
        self._cpus = cpus
        self.period = period_us(hz)
        self._next = self.period
        self._at = 0
        self._avg_some = self._avg_full = Averages()
        self._mark_some = self._mark_full = 0.0
        self.stalled = 0
        self.running = 0.0
        self.some_us = self.full_us = 0.0
        self.own_us = 0.0
        """What those who stall had of processors in the period before (:class:`Occupied`), all together."""
        self._busy_us = self._stalled_us = 0.0
        """Processors' time of this period that was not idle, and time in which somebody stalled."""
        self._before_us, self._lumped = 1.0, 1.0
        """The former of the period before, and the share of the latter in it."""
        self.watched = False
        """Whether who runs counts also while nobody stalls: somebody did in this period or the last."""

    def advance(self, now: int) -> None:
        """Count what passed since the last change."""
        if now >= self._next:
            self._average(now)
        self._integrate(now)

    def _integrate(self, now: int) -> None:
        passed, cpus = now - self._at, self._cpus
        if not passed:  # every other time: who goes on stops first
            self.watched = self.watched or (self.stalled > 0 and cpus > 1)
            return
        if self.stalled:
            if cpus == 1:
                self.some_us += passed
                self.full_us += passed * min(max(1.0 - self.running, 0.0), 1.0)
            else:
                busy = self.stalled + self.running if self.running > 0.0 else float(self.stalled)
                each, share = busy / cpus if busy > cpus else 1.0, self.stalled / busy
                weighed = passed * self._weight(busy)
                self.some_us += weighed * (1.0 - (1.0 - share) ** each)
                self.full_us += weighed * share**each
                self._busy_us += passed * (busy if busy < cpus else cpus)
                self._stalled_us += passed
                self.watched = True
        elif self.watched:
            self._busy_us += passed * min(max(self.running, 0.0), cpus)
        self._at = now

    def _weight(self, busy: float) -> float:
        """The busy processors' share of all busy time of a period: all, while all of them are busy."""
        if busy >= self._cpus:
            return 1.0
        # Who stalls on from the period before has stalled there too.
        lumped = max(self._lumped, min(self.own_us / self.stalled / self._before_us, 1.0))
        return lumped + (1.0 - lumped) * busy / self._cpus

    def _weigh(self) -> None:
        """A period is over."""
        self.watched = self._stalled_us > 0.0
        self._lumped = self._stalled_us / self._busy_us if self.watched else 1.0
        self._before_us = max(self._busy_us, 1.0)
        self._busy_us = self._stalled_us = 0.0

    def _average(self, now: int) -> None:
        """Close the periods that are over: the first with what stalled, those after it too."""
        if not self.stalled and self._mark_some == self.some_us and self._avg_some == _CALM:
            self._next += ((now - self._next) // self.period + 1) * self.period
            if self.watched:
                self._weigh()
            return
        while now >= self._next:
            self._integrate(self._next)
            self._avg_some = calc_avgs(self._avg_some, int(self.some_us - self._mark_some), self.period)
            self._avg_full = calc_avgs(self._avg_full, int(self.full_us - self._mark_full), self.period)
            self._weigh()
            self._mark_some, self._mark_full = self.some_us, self.full_us
            self._next += self.period
            if not self.stalled and now >= self._next:
                missed = (now - self._next) // self.period + 1
                self._avg_some, self._avg_full = idle(self._avg_some, missed), idle(self._avg_full, missed)
                self._next += missed * self.period

    def read(self, now: int) -> Psi:
        """The pressure file."""
        self.advance(now)
        some, full = self._avg_some.percent(), self._avg_full.percent()
        return Psi(PsiLine(*some, int(self.some_us)), PsiLine(*full, int(self.full_us)))
