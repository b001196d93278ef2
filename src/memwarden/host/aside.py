"""Writes to a disk by a thread of their own, in order: one that hangs holds that thread and nobody else.

The guard's record is for later, and whoever has to act now must not wait for it. What it has to write before
it acts, the undo journal, lies below ``/run``, which is memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.host.underway import ready
from memwarden.host.workers import Job, Workers

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING: Final = 32
"""Writes that may wait, most of them of some KiB."""
PATIENCE_MS: Final = 1000
"""How long one write is waited for where all are to be done before we go on."""
HANGS: Final = "the disk does not answer"


def at_once(write: Callable[[], None]) -> bool:
    """Write here and now."""
    write()
    return True


class Aside:
    """The thread."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._workers = Workers(1, waiting)

    def do(self, write: Callable[[], None]) -> bool:
        """Have it done later; false where too many wait."""
        self._workers.ended()
        return self._workers.start(Job(lambda _job: write()))

    def settle(self, patience_ms: int = PATIENCE_MS) -> bool:
        """Wait until all is written, for each write at most so long; whether it is."""
        self._workers.ended()
        while self._workers.busy:
            if not ready([self._workers.fileno()], patience_ms):
                return False
            self._workers.ended()
        return True
