"""Writing to swap fast."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE
from memwarden.units import SECOND_US


class SwapOutWatch:
    """See :class:`memwarden.guard.ir.SwapOut`. The window is divided by as a whole, as for refaults."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.SwapOut) -> None:
        self._spec = spec
        self._threshold = Threshold("swap_out", "bytes-per-second", ">", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at ``pswpout`` of ``/proc/vmstat``."""
        window = self._spec.window_us
        pages = view.history.increment(MACHINE, "pswpout", window)
        rate = None if pages is None else pages * view.snapshot.traits.page_size_bytes * SECOND_US // window
        return self._threshold.judge(view.now_us, "swapping out", rate, self._spec.above_bps)
