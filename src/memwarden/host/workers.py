"""Threads for writes that may keep their writer in the kernel.

A write to ``memory.reclaim`` reclaims before it returns; so does one to ``memory.high`` below the usage
(``mm/memcontrol.c:memory_high_write``), and ``process_mrelease`` waits for the victim's mmap lock. The
daemon's loop must go on meanwhile. A forked child could be killed in the middle, but for as long as it lives
every page the loop writes to has to be copied first, which takes memory at the one moment there is none. A
thread takes 16 KiB of kernel stack once, at start. What cannot be stopped is therefore cut into slices: a job
looks between two of them whether it was given up.

Nothing is started when it matters: the threads wait from the beginning, and when all are busy a job is
refused and the caller told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.host import threads

if TYPE_CHECKING:
    from collections.abc import Callable


class Job:
    """Something a worker does, which ends soon after ``given_up`` became true. ``error``: what it raised."""

    __slots__ = ("error", "given_up", "over", "run")

    def __init__(self, run: Callable[[Job], None]) -> None:
        self.run = run
        self.given_up = False
        self.over = False
        self.error: Exception | None = None


class Workers:
    """Some threads; ``fileno()`` can be read when jobs are over."""

    def __init__(self, count: int) -> None:
        self._count = self._idle = count
        self._jobs: list[Job] = []
        self._over: list[Job] = []
        self._wanted = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
        self._ready = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        threads.start(self._work, count)

    def fileno(self) -> int:
        """For ``poll``."""
        return self._ready

    def start(self, job: Job) -> bool:
        """Have it done; false where every worker is busy."""
        if not self._idle:
            return False
        self._idle -= 1
        self._jobs.append(job)
        os.eventfd_write(self._wanted, 1)
        return True

    def ended(self) -> None:
        """Take note of what is over: its workers are free again."""
        try:
            os.eventfd_read(self._ready)
        except BlockingIOError:
            return
        while self._over:
            self._over.pop().over = True
            self._idle += 1

    def close(self) -> None:
        """Let the threads end, each after what it does now. The descriptors stay theirs."""
        self._idle = 0
        for _ in range(self._count):
            self._jobs.append(Job(_stop))
        os.eventfd_write(self._wanted, self._count)

    def _work(self) -> None:
        while True:
            os.eventfd_read(self._wanted)
            job = self._jobs.pop(0)
            if job.run is _stop:
                return
            try:
                job.run(job)
            except Exception as error:  # noqa: BLE001 - MemoryError above all; the worker is needed further on
                job.error = error
            self._over.append(job)
            os.eventfd_write(self._ready, 1)


def _stop(_job: Job) -> None:
    """What a worker is given when it shall end."""
