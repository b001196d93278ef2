"""What remembers: everything the loop tells goes to the ledger, the flight recorder and the incidents.

Nothing is written to a disk while something is to be done: :meth:`Keeper.flush` is called at the end of each
turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.state.snapshot import Instant
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.daemon.ledger import Ledger
    from memwarden.guard.pulse import Beat, Reply
    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.host.clock import Clock
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot

AGAIN_US: Final = 60 * SECOND_US
"""The same trouble is not told again before."""
TROUBLES: Final = 64


class Keeper:
    """The loop's :class:`memwarden.daemon.loop.Memory`."""

    def __init__(self, *, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._told: dict[str, int] = {}

    def beat(self, beat: Beat, reply: Reply) -> None:
        """A wake-up."""

    def seen(self, snapshot: Snapshot) -> None:
        """What was looked at."""

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """A decision and what became of it at once."""
        self._ledger.decided(decision, outcomes)

    def ended(self, decision_id: str, outcome: Outcome) -> None:
        """What became later of an intent that was not over at once."""
        self._ledger.ended(decision_id, outcome, self._now())

    def result(self, result: Result) -> None:
        """What came of it later."""
        self._ledger.result(result, self._now())

    def trouble(self, sentence: str) -> None:
        """Something that went wrong with ourselves; told once a minute, however often it happens."""
        now = self._now()
        last = self._told.get(sentence)
        if last is not None and now.monotonic_us < last + AGAIN_US:
            return
        if len(self._told) >= TROUBLES:
            self._told.clear()
        self._told[sentence] = now.monotonic_us
        self._ledger.trouble(sentence, now)

    def flush(self) -> None:
        """Nothing is urgent now: write what waits."""
        dropped, lost = self._ledger.dropped, self._ledger.lost
        self._ledger.flush()
        if dropped:
            self.trouble(f"{dropped} entries of the ledger were dropped: too many at once")
            self._ledger.dropped = 0
        if self._ledger.lost > lost:
            self.trouble(f"the ledger cannot be written: {self._ledger.error}")

    def _now(self) -> Instant:
        return Instant(self._clock.monotonic_us(), self._clock.wall_us())
