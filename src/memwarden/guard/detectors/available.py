"""Available memory of the machine below an amount."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class AvailableWatch:
    """See :class:`memwarden.guard.ir.Available`."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Available) -> None:
        self._spec = spec
        self._threshold = Threshold("available", "bytes", "<=" if spec.inclusive else "<", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at ``/proc/meminfo``."""
        meminfo = view.snapshot.meminfo or {}
        available, whole = meminfo.get("MemAvailable"), meminfo.get("MemTotal")
        if self._spec.whole == "user":
            anon = meminfo.get("AnonPages")
            whole = None if available is None or anon is None else available + anon
        threshold = self._spec.below.of(whole or 0)
        known = available if whole is not None else None
        return self._threshold.judge(view.now_us, "available memory", known, threshold)
