"""The kernel has scanned pages for reclaim lately."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class ReclaimingWatch:
    """See :class:`memwarden.guard.ir.Reclaiming`."""

    __slots__ = ("_last", "_rose_us", "_spec", "_sum", "_threshold")

    def __init__(self, spec: ir.Reclaiming) -> None:
        self._spec = spec
        self._threshold = Threshold("reclaiming", "us", "<=")
        self._sum = 0
        self._last: dict[str, tuple[int, int]] = {}
        self._rose_us: int | None = None

    def see(self, view: View) -> Finding:
        """Look whether the counters rose since the last look, and how long ago they last did."""
        scans = {}
        for path in view.targets(self._spec.cgroups):
            found = self._scanned(view, path)
            if found is not None:
                scans[path] = found
        if self._spec.since_start:
            rose = self._rose_in_sum(scans)
        else:
            rose = any(self._rose(path, *found) for path, found in scans.items())
        self._last = scans
        if rose:
            self._rose_us = view.now_us
        ago = None if self._rose_us is None else view.now_us - self._rose_us
        return self._threshold.judge(view.now_us, "last reclaim, ago:", ago, self._spec.within_us)

    def _scanned(self, view: View, path: str) -> tuple[int, int] | None:
        """Inode and pages scanned."""
        cgroup = view.snapshot.cgroups.get(path)
        if path != MACHINE or self._spec.since_start:
            scanned = None if cgroup is None or cgroup.stat is None else cgroup.stat.get("pgscan")
            return None if cgroup is None or scanned is None else (cgroup.inode, scanned)
        total = view.history.total(MACHINE, "pgscan")
        return None if total is None else (0, total)

    def _rose(self, path: str, inode: int, scanned: int) -> bool:
        before = self._last.get(path)
        return before is not None and before[0] == inode and scanned > before[1]

    def _rose_in_sum(self, scans: dict[str, tuple[int, int]]) -> bool:
        """As oomd has it (``oomd/plugins/MemoryReclaim.cpp``): of all together, from 0 at the start."""
        before, self._sum = self._sum, sum(scanned for _, scanned in scans.values())
        return self._sum > before
