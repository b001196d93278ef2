"""Thrashing: pages read again soon after they had been reclaimed."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, greatest
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.units import SECOND_US


class RefaultWatch:
    """See :class:`memwarden.guard.ir.Refault`.

    Kernel: ``mm/workingset.c:workingset_refault``. The window is divided by as a whole even when the past is
    shorter, so that little knowledge never looks like much thrashing.
    """

    __slots__ = ("_counters", "_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Refault) -> None:
        self._spec = spec
        self._threshold = Threshold("refault", "per-second", ">", spec.for_us)
        kinds = ("file", "anon") if spec.what == "any" else (spec.what,)
        self._counters = tuple(f"refault_{kind}" for kind in kinds)
        self._what = f"refaults of {' and '.join(kinds)} pages"

    def see(self, view: View) -> Finding:
        """Look at the one that thrashes most."""
        value, where = greatest((self._rate(view, path), path) for path in view.targets(self._spec.cgroups))
        return self._threshold.judge(view.now_us, self._what, value, self._spec.above_per_s, where)

    def _rate(self, view: View, path: str) -> float | None:
        window = self._spec.window_us
        found = [view.history.increment(path, counter, window) for counter in self._counters]
        known = [pages for pages in found if pages is not None]
        return sum(known) * SECOND_US / window if known else None
