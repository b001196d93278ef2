"""One file per detector: the words of :mod:`memwarden.guard.ir` to something that sees.

A detector is compiled once per rule (and once per cgroup, where a rule runs per cgroup), keeps its own state,
and has to see every tick, whatever the others say, so that what has to hold for a time is seen to.
"""

from typing import Any, Final, Protocol

from memwarden.guard import ir
from memwarden.guard.detectors.available import AvailableWatch
from memwarden.guard.detectors.blackout import BlackoutWatch
from memwarden.guard.detectors.constant import ConstantWatch
from memwarden.guard.detectors.dying import DyingWatch
from memwarden.guard.detectors.events import EventsWatch
from memwarden.guard.detectors.exhaustion import ExhaustionWatch
from memwarden.guard.detectors.exists import ExistsWatch
from memwarden.guard.detectors.growth import GrowthWatch
from memwarden.guard.detectors.headroom import HeadroomWatch
from memwarden.guard.detectors.pressure import PressureWatch
from memwarden.guard.detectors.pressure_rising import PressureRisingWatch
from memwarden.guard.detectors.reclaiming import ReclaimingWatch
from memwarden.guard.detectors.refault import RefaultWatch
from memwarden.guard.detectors.spinning import SpinningWatch
from memwarden.guard.detectors.stall import StallWatch
from memwarden.guard.detectors.stuck import StuckWatch
from memwarden.guard.detectors.swap_free import SwapFreeWatch
from memwarden.guard.detectors.swap_out import SwapOutWatch
from memwarden.guard.detectors.usage import UsageWatch
from memwarden.guard.record import Finding
from memwarden.guard.view import View


class Watch(Protocol):
    """A detector with its state."""

    def see(self, view: View) -> Finding:
        """Look at one tick; to be called at every tick, in order."""


_WATCHES: Final[dict[type, Any]] = {
    ir.Pressure: PressureWatch,
    ir.PressureRising: PressureRisingWatch,
    ir.Stall: StallWatch,
    ir.Available: AvailableWatch,
    ir.SwapFree: SwapFreeWatch,
    ir.Usage: UsageWatch,
    ir.Headroom: HeadroomWatch,
    ir.Events: EventsWatch,
    ir.Refault: RefaultWatch,
    ir.SwapOut: SwapOutWatch,
    ir.Reclaiming: ReclaimingWatch,
    ir.Growth: GrowthWatch,
    ir.Exhaustion: ExhaustionWatch,
    ir.Dying: DyingWatch,
    ir.Exists: ExistsWatch,
    ir.Spinning: SpinningWatch,
    ir.Stuck: StuckWatch,
    ir.Blackout: BlackoutWatch,
    ir.Constant: ConstantWatch,
}


def compile_detector(spec: ir.Detector) -> Watch:
    """A detector that has seen nothing yet."""
    watch: Watch = _WATCHES[type(spec)](spec)
    return watch
