"""An observer that was not scheduled knows that something was wrong."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class BlackoutWatch:
    """See :class:`memwarden.guard.ir.Blackout`."""

    __slots__ = ("_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Blackout) -> None:
        self._spec = spec
        self._threshold = Threshold("blackout", "us", ">")
        self._what = f"woken too late within {words_of(spec.window_us, 'us')}, by"

    def see(self, view: View) -> Finding:
        """Look at the longest."""
        gap_us = view.history.gap_us(self._spec.window_us)
        return self._threshold.judge(view.now_us, self._what, gap_us, self._spec.above_us)
