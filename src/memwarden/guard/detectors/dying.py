"""Dying descendants: cgroups that were removed and still hold memory."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class DyingWatch:
    """See :class:`memwarden.guard.ir.Dying`."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Dying) -> None:
        self._spec = spec
        self._threshold = Threshold("dying", "count", "<=" if spec.lte else ">")

    def see(self, view: View) -> Finding:
        """Look at the cgroup with the fewest (``lte``) or most of them: any that is so suffices."""
        found = []
        for path in view.targets(self._spec.cgroups):
            cgroup = view.snapshot.cgroups.get(path)
            if cgroup is not None and cgroup.dying_descendants is not None:
                found.append((cgroup.dying_descendants, path))
        choose = min if self._spec.lte else max
        value, where = choose(found) if found else (None, MACHINE)
        return self._threshold.judge(view.now_us, "dying descendants", value, self._spec.bound, where)
