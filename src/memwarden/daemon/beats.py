"""What the guard reads at every wake-up: two files that stay open, and five numbers of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import ReadError
from memwarden.guard.pulse import Beat
from memwarden.kernel import meminfo, psi

if TYPE_CHECKING:
    from memwarden.collect.source import Source

MEMINFO: Final = "/proc/meminfo"
PRESSURE: Final = "/proc/pressure/memory"


class Beats:
    """Reads beats of one machine. ``blind`` is whether it has no pressure file, or has it no more."""

    def __init__(self, source: Source) -> None:
        self._source = source
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

    def _stalls(self) -> tuple[int | None, int | None]:
        try:
            totals = psi.totals(self._source.read(PRESSURE))
        except ReadError:
            self.blind = True
            return None, None
        self.blind = totals[0] is None
        return totals
