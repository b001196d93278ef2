"""The clocks. Everything else takes time as an argument."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def monotonic_us(self) -> int:
        """Microseconds since boot without time asleep; orders what happened on one machine."""

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 00:00 UTC."""

    def sleep_us(self, duration_us: int) -> None:
        """Let that much time pass."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic_us(self) -> int:
        """``CLOCK_MONOTONIC``, which the kernel's log and PSI triggers run on too."""
        return time.monotonic_ns() // 1000

    def wall_us(self) -> int:
        """``CLOCK_REALTIME``."""
        return time.time_ns() // 1000

    def sleep_us(self, duration_us: int) -> None:
        """Sleep; nothing for a duration that is over already."""
        time.sleep(max(duration_us, 0) / 1_000_000)
