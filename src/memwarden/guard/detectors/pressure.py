"""An average of PSI above a threshold."""

from memwarden.guard import ir
from memwarden.guard.detectors.psi import average_centi, line, weighted
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.kernel.psi import PsiLine
from memwarden.rules.reclaimable import MACHINE


class PressureWatch:
    """See :class:`memwarden.guard.ir.Pressure`."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Pressure) -> None:
        self._spec = spec
        self._threshold = Threshold("pressure", "centi-percent", ">", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at the worst cgroup; which one that is may change without the time beginning anew."""
        spec = self._spec
        value, weight, where = None, -1.0, MACHINE
        for path in view.targets(spec.cgroups):
            found = line(view.pressure(path, spec.resource), spec.kind)
            if found is not None and self._weight(found) > weight:
                value, weight, where = average_centi(found, spec.average_s), self._weight(found), path
        what = f"{spec.kind} {spec.resource} pressure"
        return self._threshold.judge(view.now_us, what, value, spec.above_centi, where)

    def _weight(self, found: PsiLine) -> float:
        if self._spec.worst == "weighted":
            return weighted(found)
        return average_centi(found, self._spec.average_s)
