"""A policy inside a simulation: the engine that the daemon runs, in the shape that ``sim`` asks for.

As in the daemon's loop the pulse is felt at each wake-up, and the cgroups are looked at when it says so. That
looking takes time, and that a busy machine may not let it, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.daemon.loop import LONGEST_TICK_US, LOOKS, UNKNOWN_US
from memwarden.guard.engine import Engine
from memwarden.guard.never import Guarded
from memwarden.guard.played import Taken
from memwarden.guard.pulse import Pulse, of_snapshot
from memwarden.present.replay_text import said
from memwarden.sim.guarded import Reply
from memwarden.sim.result import Note
from memwarden.state.intents import Outcome

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy
    from memwarden.state.snapshot import Snapshot


class Inside:
    """One policy acting on one simulated machine; ours or another tool's. One that is dry only decides."""

    def __init__(self, policy: Policy) -> None:
        self._engine = Engine(policy, Guarded(policy.never, policy.protect))
        self._pulse = Pulse()
        self._busy = False

    def look(self, snapshot: Snapshot) -> Reply:
        """One wake-up."""
        beat = of_snapshot(snapshot)
        if beat is None:
            return Reply((), UNKNOWN_US)
        pulse, steady = self._pulse.feel(beat), self._engine.policy.steady
        if not (pulse.alarm or pulse.sweep or self._busy or steady):
            return Reply((), pulse.sleep_us)
        step = self._engine.step(snapshot, calm=not pulse.alarm)
        self._busy = step.busy
        if any(result.gone for result in step.results):
            self._pulse.relieved()
        sleep_us = pulse.sleep_us
        if steady:
            sleep_us = step.sleep_us
        elif pulse.alarm or step.busy:
            spare = 0 if pulse.lasts_us is None else min(pulse.lasts_us // LOOKS, LONGEST_TICK_US)
            sleep_us = max(step.sleep_us, spare)
        now = snapshot.instant.monotonic_us
        acts = tuple((decision.id, intent) for decision in step.decisions for intent in decision.intents)
        if self._engine.policy.dry_run:
            for decision_id, intent in acts:
                self.report(decision_id, Outcome(intent, done=True, dry=True))
            acts = ()
        return Reply(
            acts,
            sleep_us,
            tuple(
                Note(now, decision.id, decision.rule, said(Taken("", now, decision)))
                for decision in step.decisions
            ),
        )

    def report(self, decision: str, outcome: Outcome) -> None:
        """What became of an act."""
        self._engine.report(decision, outcome)
