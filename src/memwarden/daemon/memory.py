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

    from memwarden.daemon.incidents import Incidents
    from memwarden.daemon.ledger import Ledger
    from memwarden.daemon.recorder import Recorder
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
    """The loop's :class:`memwarden.daemon.loop.Memory`.

    ``recorder`` and ``incidents`` are ``None`` where there is no disk to keep them on.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        recorder: Recorder | None = None,
        incidents: Incidents | None = None,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._recorder = recorder
        self._incidents = incidents
        self._told: dict[str, int] = {}

    def pretend(self, dry: bool) -> None:
        """Whether what is decided is not really done: it is kept with that mark."""
        self._ledger.dry = dry
        if self._incidents is not None:
            self._incidents.dry = dry

    def beat(self, beat: Beat, reply: Reply) -> None:
        """A wake-up."""
        if self._recorder is not None:
            self._recorder.beat(beat, reply)

    def seen(self, snapshot: Snapshot) -> None:
        """What was looked at."""
        if self._recorder is not None:
            self._recorder.look(snapshot)
        if self._incidents is not None:
            self._incidents.look(snapshot)

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """A decision and what became of it at once."""
        self._ledger.decided(decision, outcomes)
        if self._incidents is not None:
            self._incidents.decided(decision, outcomes)

    def ended(self, decision_id: str, outcome: Outcome) -> None:
        """What became later of an intent that was not over at once."""
        self._ledger.ended(decision_id, outcome, self._now())

    def result(self, result: Result) -> None:
        """What came of it later."""
        now = self._now()
        self._ledger.result(result, now)
        if self._incidents is not None:
            self._incidents.result(result, now)

    def kernel_said(self, record: bytes) -> None:
        """A record of the kernel's log."""
        if self._incidents is not None:
            self._incidents.kernel_said(record, self._now())

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

    def dump(self) -> tuple[str, str]:
        """Put the last minutes aside now: the name of the incident, and what went wrong with that."""
        if self._incidents is None or self._recorder is None:
            return "", "there is no flight recorder: its directory could not be used"
        self._recorder.flush()
        return self._incidents.dump(self._now())

    def counts(self) -> dict[str, int]:
        """What did not fit, or could not be written, since the start."""
        recorder = self._recorder
        return {
            "ledger_dropped": self._ledger.dropped,
            "ledger_lost": self._ledger.lost,
            "recorder_dropped": 0 if recorder is None else recorder.dropped,
        }

    def flush(self) -> None:
        """Nothing is urgent now: write what waits."""
        dropped, lost = self._ledger.dropped, self._ledger.lost
        self._ledger.flush()
        if dropped:
            self.trouble(f"{dropped} entries of the ledger were dropped: too many at once")
            self._ledger.dropped = 0
        if self._ledger.lost > lost:
            self.trouble(f"the ledger cannot be written: {self._ledger.error}")
        if self._recorder is not None:
            self._recorder.flush()
            if self._recorder.error:
                self.trouble(f"the flight recorder cannot be written: {self._recorder.error}")
                self._recorder.error = ""
        if self._incidents is not None:
            wrong = self._incidents.flush(self._now())
            if wrong:
                self.trouble(wrong)

    def close(self) -> None:
        """Write everything, and close the files of the recorder."""
        self.flush()
        if self._incidents is not None:
            self._incidents.close(self._now())
        if self._recorder is not None:
            self._recorder.close()

    def _now(self) -> Instant:
        return Instant(self._clock.monotonic_us(), self._clock.wall_us())
