"""Headroom, or effective headroom, below an amount."""

from typing import TYPE_CHECKING

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, at
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.units import Limit, Max

if TYPE_CHECKING:
    from memwarden.rules.headroom import Level


class HeadroomWatch:
    """See :class:`memwarden.guard.ir.Headroom`."""

    __slots__ = ("_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Headroom) -> None:
        self._spec = spec
        self._threshold = Threshold("headroom", "bytes", "<", spec.for_us)
        self._what = "effective headroom" if spec.effective else "headroom"

    def see(self, view: View) -> Finding:
        """Look at the one with the least headroom above (or most below) its threshold."""
        best: tuple[Limit, Limit, int, str, str] | None = None
        for path in view.targets(self._spec.cgroups):
            found = self._look(view, path)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is None:
            return self._threshold.judge(view.now_us, self._what, None, self._spec.below.of(0))
        _, value, threshold, where, level = best
        note = "" if level == where else f" (limit{at(level) or ' of the machine'})"
        return self._threshold.judge(view.now_us, self._what, value, threshold, where, note=note)

    def _look(self, view: View, path: str) -> tuple[Limit, Limit, int, str, str] | None:
        """How far above the threshold, the headroom, the threshold, the cgroup, and whose limit it is."""
        headroom = view.headroom(path)
        level: Level | None = headroom.effective if self._spec.effective else headroom.tightest
        if level is None:
            return None
        value = level.effective_bytes if self._spec.effective else level.headroom_bytes
        # A level that is the least of all has a value, and without a limit that is unlimited.
        assert value is not None
        limit = level.limit_bytes
        threshold = self._spec.below.of(limit if isinstance(limit, int) else 0)
        return value if isinstance(value, Max) else value - threshold, value, threshold, path, level.path
