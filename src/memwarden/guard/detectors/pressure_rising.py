"""oomd's ``pressure_rising_beyond``: high for a while, high now, and not falling fast."""

from typing import Final

from memwarden.guard import ir
from memwarden.guard.detectors.psi import average_centi, line, weighted
from memwarden.guard.detectors.threshold import Threshold
from memwarden.guard.record import Finding
from memwarden.guard.view import View
from memwarden.rules.reclaimable import MACHINE

_AT_FIRST_CENTI: Final = 10_000
"""What avg10 is taken to have been before the first look (``oomd/plugins/PressureRisingBeyond.h``)."""


class PressureRisingWatch:
    """See :class:`memwarden.guard.ir.PressureRising`."""

    __slots__ = ("_last_centi", "_spec", "_threshold")

    def __init__(self, spec: ir.PressureRising) -> None:
        self._spec = spec
        self._threshold = Threshold("pressure_rising", "centi-percent", ">", spec.for_us)
        self._last_centi = _AT_FIRST_CENTI

    def see(self, view: View) -> Finding:
        """Look at the worst cgroup; only avg60 has to have held, the rest has to be so now."""
        spec = self._spec
        minute, now_centi, weight, where = None, 0, 0.0, MACHINE
        for path in view.targets(spec.cgroups):
            found = line(view.pressure(path, spec.resource), "full")
            if found is not None and (minute is None or weighted(found) > weight):
                minute, now_centi = average_centi(found, 60), average_centi(found, 10)
                weight, where = weighted(found), path
        falling = now_centi * 1_000_000 < self._last_centi * spec.fast_fall_ppm
        self._last_centi = now_centi
        note = f", last 10 s {now_centi / 100:.2f} %{', falling' if falling else ''}"
        found_so = self._threshold.judge(
            view.now_us,
            f"full {spec.resource} pressure of a minute",
            minute,
            spec.above_centi,
            where,
            note=note,
        )
        rises = now_centi > spec.above_centi and not falling
        return found_so._replace(fired=found_so.fired and rises)
