"""A clock that only moves when it is told to."""

from __future__ import annotations

from memwarden.state.snapshot import Instant


class ManualClock:
    """A :class:`memwarden.host.clock.Clock` for tests: sleeping moves it on, nothing waits."""

    def __init__(self, monotonic_us: int = 0, wall_us: int = 0) -> None:
        self._monotonic_us = monotonic_us
        self._wall_us = wall_us

    def monotonic_us(self) -> int:
        """Microseconds since a boot that never was."""
        return self._monotonic_us

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 00:00 UTC."""
        return self._wall_us

    def sleep_us(self, duration_us: int) -> None:
        """Move on; time does not run backwards."""
        if duration_us < 0:
            raise ValueError(f"cannot sleep {duration_us} us")
        self._monotonic_us += duration_us
        self._wall_us += duration_us

    def instant(self) -> Instant:
        """Now, as a snapshot has it."""
        return Instant(self._monotonic_us, self._wall_us)
