"""Pulse and engine together, for whoever has a whole snapshot at each tick: recordings and the simulator.

The daemon has its own loop over the same two, since it reads cgroups only when the pulse asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.engine import Engine
from memwarden.guard.pulse import FILL_BPS, Pulse, of_snapshot
from memwarden.state.intents import Kill, Outcome, Terminate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.guard.engine import Step
    from memwarden.guard.ir import Policy
    from memwarden.guard.never import Guarded
    from memwarden.guard.record import Decision
    from memwarden.state.snapshot import Snapshot


class Driver:
    """One policy, fed snapshots in order."""

    def __init__(self, policy: Policy, guarded: Guarded, *, fill_bps: int = FILL_BPS) -> None:
        self.engine = Engine(policy, guarded)
        self._pulse = Pulse(fill_bps=fill_bps)

    def step(self, snapshot: Snapshot, *, late_us: int = 0) -> Step:
        """One tick. ``sleep_us`` of the answer is when the daemon would have looked again."""
        beat = of_snapshot(snapshot, late_us=late_us)
        if beat is None:
            return self.engine.step(snapshot, late_us=late_us)
        reply = self._pulse.feel(beat)
        step = self.engine.step(snapshot, calm=not reply.alarm, late_us=late_us)
        if reply.alarm or step.busy or self.engine.policy.steady:
            return step
        return step._replace(sleep_us=reply.sleep_us)


def replay(policy: Policy, guarded: Guarded, snapshots: Iterable[Snapshot]) -> Iterator[Decision]:
    """What a policy would have decided on a recording, in order.

    Nobody dies on a recording. A victim is taken as gone at once and not chosen again; what is decided
    after the first kill is about a machine that would have looked different by then.
    """
    driver = Driver(policy, guarded)
    for snapshot in snapshots:
        for decision in driver.step(snapshot).decisions:
            yield decision
            for intent in decision.intents:
                driver.engine.report(decision.id, Outcome(intent, done=True, dry=True))
                if isinstance(intent, Kill | Terminate):
                    driver.engine.bury(intent.target)
