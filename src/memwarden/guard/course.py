"""How a recording went: memory, swap and stalls over time, in a few numbers however long it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from memwarden.state.snapshot import Snapshot

MOST: Final = 256
"""Stretches that are kept: more than a terminal has columns."""


class Stretch(NamedTuple):
    """What was the case from ``begin_us`` to ``end_us``: the most used in it, and the time all tasks stalled.

    Bytes; microseconds. ``None`` for what the recording does not say.
    """

    begin_us: int
    end_us: int
    used_bytes: int | None
    swap_bytes: int | None
    stalled_us: int | None

    def joined(self, later: Stretch) -> Stretch:
        """Both as one."""
        return Stretch(
            self.begin_us,
            later.end_us,
            _most(self.used_bytes, later.used_bytes),
            _most(self.swap_bytes, later.swap_bytes),
            _sum(self.stalled_us, later.stalled_us),
        )


class Course:
    """Takes snapshots in their order; neighbours are joined when there are too many stretches."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.total_bytes = 0
        self.swap_total_bytes = 0
        self._end_us: int | None = None
        self._full_us: int | None = None

    def add(self, time_us: int, snapshot: Snapshot) -> None:
        """Take the next snapshot. A clock that goes back, and a counter that does, say nothing of stalls."""
        meminfo = snapshot.meminfo or {}
        total, available = meminfo.get("MemTotal"), meminfo.get("MemAvailable")
        swap, swap_free = meminfo.get("SwapTotal"), meminfo.get("SwapFree")
        full = snapshot.memory_pressure.full if snapshot.memory_pressure else None
        begin_us = time_us if self._end_us is None else min(self._end_us, time_us)
        stalled = None
        if full is not None and self._full_us is not None and full.total_us >= self._full_us:
            stalled = full.total_us - self._full_us
        self._full_us, self._end_us = None if full is None else full.total_us, time_us
        self.total_bytes = max(self.total_bytes, total or 0)
        self.swap_total_bytes = max(self.swap_total_bytes, swap or 0)
        used = None if total is None or available is None else total - available
        swapped = None if swap is None or swap_free is None else swap - swap_free
        self.stretches.append(Stretch(begin_us, time_us, used, swapped, stalled))
        if len(self.stretches) > MOST:
            pairs = zip(self.stretches[::2], self.stretches[1::2], strict=False)
            rest = self.stretches[len(self.stretches) // 2 * 2 :]
            self.stretches = [one.joined(later) for one, later in pairs] + rest


def _most(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
