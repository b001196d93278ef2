"""A counter of ``memory.events`` that rose."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, greatest, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class EventsWatch:
    """See :class:`memwarden.guard.ir.Events`."""

    __slots__ = ("_counter", "_spec", "_threshold", "_what")

    def __init__(self, spec: ir.Events) -> None:
        self._spec = spec
        self._threshold = Threshold("events", "count", ">=")
        self._counter = f"{'events_local' if spec.local else 'events'}.{spec.counter}"
        self._what = f"{spec.counter} events within {words_of(spec.window_us, 'us')}:"

    def see(self, view: View) -> Finding:
        """Look at the cgroup with the most."""
        value, where = greatest(
            (view.history.increment(path, self._counter, self._spec.window_us), path)
            for path in view.targets(self._spec.cgroups)
        )
        return self._threshold.judge(view.now_us, self._what, value, self._spec.at_least, where)
