"""A cgroup spins at its limit with nothing killable in it."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, greatest, words_of
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
        targets, changed = view.targets(spec.cgroups), view.history.changed(spec.window_us)
        # Whoever is as it was did not run out of memory; one of them says so for all.
        paths = [path for path in targets if path in changed or path == MACHINE] or targets[:1]
        value, where = greatest((self._spins(view, path), path) for path in paths)
        return self._threshold.judge(view.now_us, self._what, value, spec.at_least, where)

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
