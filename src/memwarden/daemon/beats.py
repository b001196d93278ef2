"""What the guard reads at a beat: two files that stay open, five numbers; and one between beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import MemwardenError, ReadError
from memwarden.guard.pulse import Beat
from memwarden.kernel import meminfo, psi

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.collect.source import Source

MEMINFO: Final = "/proc/meminfo"
PRESSURE: Final = "/proc/pressure/memory"


class Beats:
    """Reads beats of one machine. ``blind`` is whether it has no pressure file, or has it no more."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._free: Callable[[], int] | None = None
        self.blind = False

    def read(self, *, late_us: int = 0, signalled: bool = False) -> Beat | None:
        """The machine now; ``None`` when it does not say how much memory is available.

        The pressure file may go while we run (lxcfs is stopped, a mount is gone): then stalls are unknown,
        and the timer alone is relied on.
        """
        now_us = self._source.instant().monotonic_us
        try:
            figures = meminfo.headline(self._source.read(MEMINFO))
        except ReadError:
            return None
        if figures is None:
            return None
        some_us, full_us = self._stalls()
        return Beat(now_us, *figures, full_us, some_us, late_us, signalled)

    def heed_free(self, free: Callable[[], int], *, most_ppm: int = 10_000) -> bool:
        """Glance with ``free`` from now on, if it means the machine that the files are of.

        lxcfs lays a file of its own over ``/proc/meminfo`` in a container; system calls tell of the host.
        """
        try:
            figures = meminfo.parse(self._source.read(MEMINFO).decode("ascii", "replace"))
        except MemwardenError:
            return False
        total, said = figures.get("MemTotal", 0), figures.get("MemFree", 0)
        same = abs(free() - said) * 1_000_000 <= most_ppm * total
        self._free = free if same and total else None
        return self._free is not None

    def free_bytes(self) -> int:
        """Free memory now (``MemFree``); 0 where only the files know."""
        return 0 if self._free is None or self.blind else self._free()

    def _stalls(self) -> tuple[int | None, int | None]:
        try:
            totals = psi.totals(self._source.read(PRESSURE))
        except ReadError:
            self.blind = True
            return None, None
        self.blind = totals[0] is None
        return totals
