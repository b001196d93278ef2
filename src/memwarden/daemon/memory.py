"""What remembers: everything the loop tells goes to the ledger, the flight recorder and the incidents.

Nothing is encoded while something is to be done: :meth:`Keeper.flush` is called at the end of each turn. It
hands over what is to be written and waits for no disk: that is for the writer's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.daemon.saying import say_at_once
from memwarden.host.writer import MOST_BYTES
from memwarden.state.snapshot import Instant
from memwarden.units import SECOND_US, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.daemon.incidents import Incidents
    from memwarden.daemon.ledger import Ledger
    from memwarden.daemon.recorder import Recorder
    from memwarden.guard.pulse import Beat, Reply
    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.host.clock import Clock
    from memwarden.host.writer import Writer
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot

AGAIN_US: Final = 60 * SECOND_US
"""The same trouble is not told again before."""
TROUBLES: Final = 64
STUCK_US: Final = 5 * SECOND_US
"""A disk that has taken nothing for so long is told of."""
ANSWER_US: Final = SECOND_US
"""So long who asks for the last minutes waits for them; the loop waits as well."""
CLOSE_US: Final = 2 * SECOND_US
"""So long the end is put off for what waits."""


class Keeper:
    """The loop's :class:`memwarden.daemon.loop.Memory`.

    ``recorder`` and ``incidents`` are ``None`` where there is no disk to keep them on.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        writer: Writer,
        ledger: Ledger,
        recorder: Recorder | None = None,
        incidents: Incidents | None = None,
    ) -> None:
        self._clock = clock
        self._writer = writer
        self._ledger = ledger
        self._recorder = recorder
        self._incidents = incidents
        self._told: dict[str, int] = {}
        self._dropped = self._lost = 0
        """Entries of the ledger that were told of."""
        self._stuck = False

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
        name = self._incidents.dump(self._now())
        taken = self._writer.wait(0 if self._stuck else ANSWER_US)
        wrong = self._incidents.wrong.pop(name, "")
        if not (wrong or taken):
            wrong = f"incident {name} is not written yet: the files below {self._writer.where} do not answer"
        return name, wrong

    def counts(self) -> dict[str, int]:
        """What did not fit, or could not be written, since the start."""
        recorder = self._recorder
        return {
            "ledger_dropped": self._ledger.dropped,
            "ledger_lost": self._ledger.lost,
            "journal_dropped": self._ledger.untold,
            "recorder_dropped": 0 if recorder is None else recorder.dropped,
        }

    def flush(self) -> None:
        """Nothing is urgent now: tell what became of what was handed over, and hand over what waits."""
        self._writer.collect()
        self._heed()
        self._tell_failures()
        self._ledger.flush()
        dropped, self._dropped = self._ledger.dropped - self._dropped, self._ledger.dropped
        if dropped:
            self.trouble(f"{dropped} entries of the ledger were dropped: too many at once")
        if self._recorder is not None:
            self._recorder.flush()
        if self._incidents is not None:
            self._incidents.flush(self._now())
        self._writer.wake()  # once a turn: each time is a switch of threads

    def _tell_failures(self) -> None:
        lost, self._lost = self._ledger.lost - self._lost, self._ledger.lost
        if lost:
            self.trouble(f"the ledger cannot be written: {self._ledger.error}")
        if self._recorder is not None and self._recorder.error:
            self.trouble(f"the flight recorder cannot be written: {self._recorder.error}")
            self._recorder.error = ""
        while self._incidents is not None and self._incidents.wrong:
            self.trouble(self._incidents.wrong.popitem()[1])

    def _heed(self) -> None:
        """Whether the disk still takes what it is given; said where that disk is not needed, too."""
        stuck_us = self._writer.stuck_us()
        if stuck_us >= STUCK_US and not self._stuck:
            self._stuck = True
            self._say(
                f"the files below {self._writer.where} have not taken a write for {STUCK_US // SECOND_US} s: "
                f"what is to be written waits, {size(MOST_BYTES)} of it at most, and more is dropped"
            )
        elif self._stuck and not stuck_us:
            self._stuck = False
            self._say(f"the files below {self._writer.where} take writes again")

    def _say(self, sentence: str) -> None:
        self.trouble(sentence)
        say_at_once(2, sentence)

    def close(self) -> None:
        """Hand over everything, have the files of the recorder closed, and wait for it, but not for ever."""
        until_us = self._clock.monotonic_us() + CLOSE_US
        self.flush()
        if self._incidents is not None:
            self._incidents.close()
        self._writer.wait(CLOSE_US)
        self.flush()  # what went wrong with the last writes is told
        if self._recorder is not None:
            self._recorder.close()
        if not self._writer.wait(until_us - self._clock.monotonic_us()):
            self._say(f"the files below {self._writer.where} do not answer: what waits for them is given up")
            self._ledger.flush()
        self._writer.close()

    def _now(self) -> Instant:
        return Instant(self._clock.monotonic_us(), self._clock.wall_us())
