"""Threads that are started once and wait in the kernel until there is something to do."""

from __future__ import annotations

import _thread
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STACK: Final = 1 << 18
"""Bytes of stack; locked memory counts all of them where a limit applies."""


def start(work: Callable[[], None], count: int = 1) -> None:
    """Some threads that do this until it returns.

    The kernel hands a signal to any thread that takes it. Ours are for the loop, and one of them elsewhere
    would make a reclaim or a write start over.
    """

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        work()

    before = _thread.stack_size(STACK)
    try:
        for _ in range(count):
            _thread.start_new_thread(run, ())
    finally:
        _thread.stack_size(before)
