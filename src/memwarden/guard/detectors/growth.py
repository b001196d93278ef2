"""Growth of what is held."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class GrowthWatch:
    """See :class:`memwarden.guard.ir.Growth`. It holds when it does with the trend's error taken off."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Growth) -> None:
        self._spec = spec
        self._threshold = Threshold("growth", "bytes-per-second", ">", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at the one that grows fastest for certain."""
        spec, best, where = self._spec, None, MACHINE
        for path in view.targets(spec.cgroups):
            trend = view.growth(path, spec.window_us)
            if trend is not None and (best is None or trend.least_bps > best.least_bps):
                best, where = trend, path
        if best is None:
            return self._threshold.judge(view.now_us, "growth", None, spec.above_bps, where)
        return self._threshold.judge(
            view.now_us,
            "growth",
            best.rate_bps,
            spec.above_bps,
            where,
            holds=best.least_bps > spec.above_bps,
            error=best.error_bps,
        )
