"""Carries decisions out with ``host.effects``, and remembers which outcome belongs to which decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.daemon.loop import Heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.record import Decision
    from memwarden.host.effects import Effects
    from memwarden.state.intents import Intent, Outcome


class Hands:
    """The loop's hands."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._underway: list[tuple[str, Intent]] = []
        self._stirred = False

    def carry(self, decision: Decision) -> list[Outcome]:
        """Do what was decided, in order; what goes on by itself is told by :meth:`ended`."""
        outcomes = []
        for intent in decision.intents:
            outcome = self._effects.apply(intent)
            if outcome is None:
                self._underway.append((decision.id, intent))
            else:
                outcomes.append(outcome)
        return outcomes

    def ended(self) -> list[tuple[str, Outcome]]:
        """What has ended since: the decision it belongs to, and what became of it."""
        if not (self._underway or self._stirred or self._effects.unsettled):
            return []
        self._stirred = False
        return self._told(self._effects.ended())

    def settle(self) -> list[tuple[str, Outcome]]:
        """The same after waiting for all that goes on, as far as it ends in time."""
        return self._told(self._effects.settle())

    def _told(self, outcomes: Sequence[Outcome]) -> list[tuple[str, Outcome]]:
        ended = []
        for outcome in outcomes:
            for place, (decision_id, intent) in enumerate(self._underway):
                if intent == outcome.intent:
                    del self._underway[place]
                    ended.append((decision_id, outcome))
                    break
        return ended

    def stir(self, _events: int) -> Heard:
        """A descriptor of the effects is ready: it is seen to at :meth:`ended`."""
        self._stirred = True
        return Heard()

    @property
    def busy(self) -> bool:
        """Whether something goes on."""
        return bool(self._underway)
