"""Stalled time within a window."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, greatest, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class StallWatch:
    """See :class:`memwarden.guard.ir.Stall`."""

    __slots__ = ("_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Stall) -> None:
        self._spec = spec
        self._threshold = Threshold("stall", "us", ">", spec.for_us)
        self._what = f"{spec.kind} {spec.resource} stall within {words_of(spec.window_us, 'us')}:"

    def see(self, view: View) -> Finding:
        """Look at the one that stalled most."""
        spec = self._spec
        value, where = greatest(
            (view.history.stalled_us(path, spec.resource, spec.kind, spec.window_us), path)
            for path in view.targets(spec.cgroups)
        )
        return self._threshold.judge(view.now_us, self._what, value, spec.above_us, where)
