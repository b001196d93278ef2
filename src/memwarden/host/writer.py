"""One thread for everything that is written to a disk of ours: where that hangs, it holds nobody else.

A ``write(2)`` returns when its disk, its server or ``mm/page-writeback.c:balance_dirty_pages`` lets it, which
may be never. So whoever remembers something hands over what is encoded by then and goes on; what became of it
is told later. The thread waits in the kernel until it is woken, and holds Python's lock for what lies between
two system calls only. What waits is bounded, since a disk that hangs may do so for hours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from memwarden.host import threads
from memwarden.host.underway import ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.host.clock import Clock

MOST: Final = 1024
"""Writes that may wait."""
MOST_BYTES: Final = 2 << 20
"""Nothing is added to what waits when it is as much; in memory that is locked."""
FULL: Final = "the disk does not answer, and no more may wait for it"


class _Write:
    """Something to be done, its bytes, who is told why it was not, and that reason, empty for none."""

    __slots__ = ("error", "failed", "run", "size")

    def __init__(self, run: Callable[[], object], size: int, failed: Callable[[str], object]) -> None:
        self.run = run
        self.size = size
        self.failed = failed
        self.error = ""


class Writer:
    """Writes in the order in which it is given them. ``where`` names what it writes to, for sentences.

    Everything but :meth:`_work` is for the thread that made it.
    """

    def __init__(self, where: str, clock: Clock) -> None:
        self.where = where
        self._clock = clock
        self._writes: list[_Write | None] = []
        self._over: list[_Write] = []
        self._held = self._bytes = 0
        self._moved_us = 0
        """When it last was seen that something is over, or that there was nothing to do."""
        self._new = self._awaited = False
        self._wanted = os.eventfd(0, os.EFD_CLOEXEC)
        self._ready = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        threads.start(self._work)

    def put(
        self, run: Callable[[], object], size: int, failed: Callable[[str], object], *, share: int = 1
    ) -> None:
        """Have something done, after all that was put before, once :meth:`wake` is called.

        ``size``: bytes that are held until then. ``failed`` is called with why it was not done, at once where
        no more may wait. ``share``: with 2, what is less precious, only half of the bytes may wait before it.
        """
        if self._held >= MOST or self._bytes >= MOST_BYTES // share:
            failed(FULL)
            return
        if not self._held:
            self._moved_us = self._clock.monotonic_us()
        self._held += 1
        self._bytes += size
        self._writes.append(_Write(run, size, failed))
        self._new = True

    def wake(self) -> None:
        """Have what was put done now."""
        if self._new:
            self._new = False
            os.eventfd_write(self._wanted, 1)

    def collect(self) -> None:
        """Take note of what is over, and tell whose write failed."""
        if self._over:
            self._moved_us = self._clock.monotonic_us()
        while self._over:
            write = self._over.pop(0)
            self._held -= 1
            self._bytes -= write.size
            if write.error:
                write.failed(write.error)

    def stuck_us(self) -> int:
        """How long nothing has been over, by the last :meth:`collect`; 0 when nothing waits."""
        return self._clock.monotonic_us() - self._moved_us if self._held else 0

    def wait(self, limit_us: int) -> bool:
        """Wake it and wait until everything is over, so long at most; whether it is."""
        until_us = self._clock.monotonic_us() + limit_us
        self.wake()
        self._awaited = True  # before it is looked whether anything is left: what ends afterwards says so
        try:
            while True:
                self.collect()
                left_us = until_us - self._clock.monotonic_us()
                if not self._held:
                    return True
                if left_us <= 0 or not ready([self._ready], -(-left_us // 1000)):
                    return False
                os.eventfd_read(self._ready)
        finally:
            self._awaited = False

    def close(self) -> None:
        """Let the thread end, after what it still has to do. The descriptors stay its own."""
        self._writes.append(None)
        os.eventfd_write(self._wanted, 1)

    def _work(self) -> None:
        while True:
            os.eventfd_read(self._wanted)
            while self._writes:
                write = self._writes.pop(0)
                if write is None:
                    return
                try:
                    write.run()
                except OSError as error:
                    write.error = error.strerror or str(error)
                except Exception as error:  # noqa: BLE001 - MemoryError above all; the next one may succeed
                    write.error = repr(error)
                self._over.append(write)
                if self._awaited:
                    os.eventfd_write(self._ready, 1)
