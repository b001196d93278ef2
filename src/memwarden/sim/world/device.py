"""A block device: requests are served one after another; who waits, waits for those before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memwarden.sim.scenario import Disk


class Device:
    """``busy_us`` is when all that was asked for so far is done."""

    __slots__ = ("busy_us", "disk")

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.busy_us = 0.0

    def read_us(self, now: float, size: int, requests: int = 1) -> float:
        """Read now and wait: how long it takes, with what is being served."""
        cost = size * 1e6 / self.disk.read_bps
        self.busy_us = max(self.busy_us, now) + cost
        return self.busy_us - now + self.disk.latency_us * requests

    def write_us(self, now: float, size: int) -> float:
        """Write without waiting: until when it is done, from now."""
        self.busy_us = max(self.busy_us, now) + size * 1e6 / self.disk.write_bps
        return self.busy_us - now
