"""A cgroup spins at its limit with nothing killable in it."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE


class SpinningWatch:
    """See :class:`memwarden.guard.ir.Spinning`.

    ``oom`` of ``memory.events.local`` counts at the cgroup whose limit was hit, ``oom_kill`` of
    ``memory.events`` the kills anywhere below it (``mm/memcontrol.c:memcg_memory_event``).
    """

    __slots__ = ("_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Spinning) -> None:
        self._spec = spec
        self._threshold = Threshold("spinning", "count", ">=")
        self._what = f"out of memory without a kill within {words_of(spec.window_us, 'us')}:"

    def see(self, view: View) -> Finding:
        """Look at the cgroup that did so most often."""
        spec = self._spec
        # Whoever is as it was did not run out of memory.
        paths = view.targets_changed(spec.cgroups, spec.window_us)
        spins = {path: times for path in paths if (times := self._spins(view, path)) is not None}
        most = max(spins.values(), default=None)
        first = [path for path, times in spins.items() if times == most]
        if most and len(first) > 1:
            first = [path for path in view.targets(spec.cgroups) if path in first]
        where = first[0] if most else MACHINE
        return self._threshold.judge(view.now_us, self._what, most, spec.at_least, where)

    def _spins(self, view: View, path: str) -> int | None:
        history, window = view.history, self._spec.window_us
        times = history.increment(path, "events_local.oom", window)
        if times is None:
            # Kernels without the local file: what is below counts too.
            times = history.increment(path, "events.oom", window)
        if not times:
            return times
        kills = history.increment(path, "events.oom_kill", window)
        return None if kills is None else times if kills == 0 else 0
