"""A cgroup exists, or none does."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE
from memwarden.state.snapshot import CgroupMode


class ExistsWatch:
    """See :class:`memwarden.guard.ir.Exists`."""

    __slots__ = ("_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Exists) -> None:
        self._spec = spec
        self._threshold = Threshold("exists", "count", "<" if spec.negate else ">=")
        self._what = f"cgroups that match {' or '.join(spec.cgroups)}:"

    def see(self, view: View) -> Finding:
        """Count those that match; where there is no hierarchy, as in signals of a machine, nobody knows."""
        paths, seen = view.targets(self._spec.cgroups), view.snapshot
        known = bool(seen.cgroups) or seen.cgroup_mode is not CgroupMode.NONE
        where = paths[0] if paths else MACHINE
        return self._threshold.judge(view.now_us, self._what, len(paths) if known else None, 1, where)
