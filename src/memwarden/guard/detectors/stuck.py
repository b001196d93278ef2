"""A cgroup is held at its own memory.high and gets nowhere."""

from typing import Final

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import at, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import reclaimable
from memwarden.units import SECOND_US, Max

THROTTLED_US: Final = 5 * SECOND_US
"""``high`` has to rise within so long: a task may wait for two seconds before it counts again
(``mm/memcontrol.c:MEMCG_MAX_HIGH_DELAY_JIFFIES``, v6.12)."""
LATEST_US: Final = THROTTLED_US * 3 // 2
"""When that can be seen as having risen within the time: samples thin out by a quarter of their age."""
LEFT: Final = 16
"""Who could give back more than this part of what it holds gets on, if slowly: it swaps, or reads again."""


class StuckWatch:
    """See :class:`memwarden.guard.ir.Stuck`."""

    __slots__ = ("_since_us", "_spec", "_what")

    def __init__(self, spec: ir.Stuck) -> None:
        self._spec = spec
        self._since_us: dict[str, int] = {}
        self._what = f"full memory stall at memory.high within {words_of(spec.window_us, 'us')}:"

    def see(self, view: View) -> Finding:
        """Look at the one that has been stuck for longest."""
        stalls: dict[str, int] = {}
        for path in view.targets_changed(self._spec.cgroups, LATEST_US):
            cgroup = view.snapshot.cgroups.get(path)
            if cgroup is not None and isinstance(cgroup.high_bytes, Max):
                continue  # most have no limit, and one that was lifted holds nobody any more
            stalled = self._stalled_us(view, path)
            if stalled > self._spec.above_us:
                stalls[path] = stalled
        if len(stalls) > 1:  # of equals it is the first
            stalls = {path: stalls[path] for path in view.targets(self._spec.cgroups) if path in stalls}
        self._since_us = {path: self._since_us.get(path, view.now_us) for path in stalls}
        if not stalls:
            return Finding("stuck", False, 0, self._spec.above_us, "us")
        where = min(stalls, key=lambda path: self._since_us[path])
        held_us = view.now_us - self._since_us[where]
        fired = held_us >= self._spec.for_us
        held = f", held {words_of(held_us, 'us')}" if held_us else ""
        compared = f"{words_of(stalls[where], 'us')} > {words_of(self._spec.above_us, 'us')}"
        return Finding(
            detector="stuck",
            fired=fired,
            value=stalls[where],
            threshold=self._spec.above_us,
            unit="us",
            where=where,
            held_us=held_us,
            text=f"{self._what} {compared}{at(where)}{held}" if fired else "",
        )

    def _stalled_us(self, view: View, path: str) -> int:
        if not view.history.increment(path, "events_local.high", THROTTLED_US):
            return 0
        stalled = view.history.stalled_us(path, "memory", "full", self._spec.window_us) or 0
        return 0 if stalled > self._spec.above_us and _has_more(view, path) else stalled


def _has_more(view: View, path: str) -> bool:
    """Whether reclaim finds something: then it is not the penalty that the tasks wait for."""
    cgroup, ladder = view.snapshot.cgroups.get(path), reclaimable(view.snapshot, path)
    if cgroup is None or ladder is None or cgroup.current_bytes is None:
        return False
    return ladder.reclaimable_bytes * LEFT > cgroup.current_bytes
