"""Free swap below an amount, and, where asked for, swap-out that is fast."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class SwapFreeWatch:
    """See :class:`memwarden.guard.ir.SwapFree`."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.SwapFree) -> None:
        self._spec = spec
        self._threshold = Threshold("swap_free", "bytes", "<=" if spec.inclusive else "<", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at ``/proc/meminfo``, and at what was written between the last two looks."""
        spec, meminfo = self._spec, view.snapshot.meminfo or {}
        total, free = meminfo.get("SwapTotal"), meminfo.get("SwapFree")
        if total == 0:
            finding = self._threshold.judge(view.now_us, "free swap", 0, 0, holds=spec.without_swap)
            return finding._replace(text="there is no swap" if finding.fired else "")
        threshold = spec.below.of(total or 0)
        if total is None or free is None or not spec.swap_out_bps:
            known = free if total is not None else None
            return self._threshold.judge(view.now_us, "free swap", known, threshold)
        written = view.history.since_last(MACHINE, "pswpout")
        rate = 0.0 if written is None else written.per_second * view.snapshot.traits.page_size_bytes
        short = free <= threshold if spec.inclusive else free < threshold
        return self._threshold.judge(
            view.now_us,
            "free swap",
            free,
            threshold,
            holds=short and rate >= spec.swap_out_bps,
            note=f", swapping out {words_of(rate, 'bytes-per-second')}",
        )
