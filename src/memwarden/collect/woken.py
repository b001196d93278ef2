"""A wake-up of the guard, as the flight recorder keeps it."""

from typing import NamedTuple


class Woken(NamedTuple):
    """One wake-up: what :class:`memwarden.guard.pulse.Beat` has, and why there was an alarm, if there was."""

    now_us: int
    total_bytes: int
    available_bytes: int
    swap_free_bytes: int
    full_us: int | None
    some_us: int | None
    late_us: int
    signalled: bool
    alarm: str
