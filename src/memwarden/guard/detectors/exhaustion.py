"""Memory ends soon: the forecast, its error included."""

from memwarden.guard import ir
from memwarden.guard.detectors.threshold import Threshold, words_of
from memwarden.guard.record import Finding
from memwarden.guard.view import Forecast, View, soonest
from memwarden.units import Max


class ExhaustionWatch:
    """See :class:`memwarden.guard.ir.Exhaustion`. It holds when memory ends in time even at the latest."""

    __slots__ = ("_spec", "_threshold")

    def __init__(self, spec: ir.Exhaustion) -> None:
        self._spec = spec
        self._threshold = Threshold("exhaustion", "us", "<=", spec.for_us)

    def see(self, view: View) -> Finding:
        """Look at where memory ends first: at a limit, or on the machine."""
        spec = self._spec
        found = [view.exhaustion(path, spec.within_us) for path in view.targets(spec.cgroups)]
        first = min((one for one in found if one is not None), key=soonest, default=None)
        if first is None:
            return self._threshold.judge(view.now_us, "memory ends in", None, spec.within_us)
        ends = first.ends
        return self._threshold.judge(
            view.now_us,
            "memory ends in",
            ends.expected_us,
            spec.within_us,
            first.path,
            holds=ends.latest_us <= spec.within_us,
            error=None if isinstance(ends.expected_us, Max) else ends.expected_us - ends.earliest_us,
            note=_note(first),
        )


def _note(forecast: Forecast) -> str:
    ends, trend = forecast.ends, forecast.trend
    return (
        f" ({words_of(ends.earliest_us, 'us')} to {words_of(ends.latest_us, 'us')}: "
        f"{words_of(forecast.headroom_bytes, 'bytes')} left, growing "
        f"{words_of(trend.rate_bps, 'bytes-per-second')} give or take "
        f"{words_of(trend.error_bps, 'bytes-per-second')})"
    )
