"""The guard inside a simulation: the same engine that the daemon runs, in the shape that ``sim`` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.driver import Driver
from memwarden.guard.never import Guarded
from memwarden.sim.guarded import Reply
from memwarden.sim.result import Note
from memwarden.state.intents import Kill, Outcome, Terminate

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy
    from memwarden.guard.record import Decision
    from memwarden.state.intents import Intent
    from memwarden.state.snapshot import Snapshot


class Inside:
    """One policy at work in a simulated machine; one that is dry decides everything and does nothing."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._driver = Driver(policy, Guarded(policy.never, policy.protect))

    def look(self, snapshot: Snapshot) -> Reply:
        """One tick."""
        step = self._driver.step(snapshot)
        acts: list[tuple[str, Intent]] = []
        for decision in step.decisions:
            if self.policy.dry_run:
                self._pretend(decision)
            else:
                acts += [(decision.id, intent) for intent in decision.intents]
        now = snapshot.instant.monotonic_us
        notes = tuple(Note(now, one.id, one.rule, _said(one)) for one in step.decisions)
        return Reply(tuple(acts), step.sleep_us, notes)

    def report(self, decision: str, outcome: Outcome) -> None:
        """What became of one act."""
        self._driver.engine.report(decision, outcome)

    def _pretend(self, decision: Decision) -> None:
        for intent in decision.intents:
            self.report(decision.id, Outcome(intent, done=True, dry=True))
            if isinstance(intent, Kill | Terminate):
                self._driver.engine.bury(intent.target)


def _said(decision: Decision) -> str:
    from memwarden.present.replay_text import intent_words

    done = ", ".join(intent_words(one) for one in decision.intents)
    if decision.withheld:
        done = f"no {decision.action}: {decision.withheld}"
    return f"{decision.rule}: {done or decision.action}"
