"""A policy inside a simulation: the engine that the daemon runs, in the shape that ``sim`` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.driver import Driver
from memwarden.guard.never import Guarded
from memwarden.guard.played import Taken
from memwarden.present.replay_text import said
from memwarden.sim.guarded import Reply
from memwarden.sim.result import Note

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot


class Inside:
    """One policy acting on one simulated machine; ours or another tool's."""

    def __init__(self, policy: Policy) -> None:
        self._driver = Driver(policy, Guarded(policy.never, policy.protect))

    def look(self, snapshot: Snapshot) -> Reply:
        """One tick of the engine."""
        step = self._driver.step(snapshot)
        now = snapshot.instant.monotonic_us
        return Reply(
            tuple((decision.id, intent) for decision in step.decisions for intent in decision.intents),
            step.sleep_us,
            tuple(
                Note(now, decision.id, decision.rule, said(Taken("", now, decision)))
                for decision in step.decisions
            ),
        )

    def report(self, decision: str, outcome: Outcome) -> None:
        """What became of an act."""
        self._driver.engine.report(decision, outcome)
