"""Memory of the largest of some cgroups above an amount."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, greatest
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class UsageWatch:
    """See :class:`memwarden.guard.ir.Usage`."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Usage) -> None:
        self._spec = spec
        self._threshold = Threshold("usage", "bytes", ">", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at the largest; a part of MemTotal needs MemTotal."""
        spec, total = self._spec, (view.snapshot.meminfo or {}).get("MemTotal")
        value, where = greatest((self._used(view, path), path) for path in view.targets(spec.cgroups))
        if total is None and spec.above.bytes is None:
            value = None
        what = "anonymous memory" if spec.anon else "memory"
        return self._threshold.judge(view.now_us, what, value, spec.above.of(total or 0), where)

    def _used(self, view: View, path: str) -> int | None:
        if path == MACHINE:
            return self._used_on_machine(view)
        cgroup = view.snapshot.cgroups[path]
        return (cgroup.stat or {}).get("anon") if self._spec.anon else cgroup.current_bytes

    def _used_on_machine(self, view: View) -> int | None:
        meminfo = view.snapshot.meminfo or {}
        if self._spec.anon:
            return meminfo.get("AnonPages")
        free = meminfo.get("MemAvailable") if self._spec.root == "available" else meminfo.get("MemFree")
        total = meminfo.get("MemTotal")
        return None if total is None or free is None else total - free
