"""The ledger: every decision, what came of it, and what went wrong with ourselves, one line of JSON each.

The file survives the guard and the boot. Systemd's journal is told the same with fields, the kernel's log
with a line where that is asked for. Nothing is written while something is to be done: it waits in a queue,
bounded, for :meth:`Ledger.flush`, which leaves the file to the writer's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.guard import ledger as documents
from memwarden.host import kmsg, plain_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.host.journald import Journald
    from memwarden.host.own_files import Lines
    from memwarden.host.writer import Writer
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Instant

NAME: Final = "decisions.jsonl"
WAITING: Final = 256
"""Entries that may wait. A guard that decides more between two flushes is not helped by a record of it."""


class Ledger:
    """``dropped`` counts entries that did not fit the queue, ``lost`` lines that could not be written."""

    def __init__(
        self,
        *,
        boot: str,
        writer: Writer,
        lines: Lines | None = None,
        journald: Journald | None = None,
        kmsg_fd: int | None = None,
        waiting: int = WAITING,
    ) -> None:
        self.boot = boot
        self._writer = writer
        self._lines = lines
        self._journald = journald
        self._kmsg_fd = kmsg_fd
        self.dry = False
        self._most = waiting
        self._waiting: list[Callable[[], tuple[dict[str, Any], dict[str, str]]]] = []
        self.dropped = 0
        self.lost = 0
        self.error = ""
        """Why the last line was lost."""

    @property
    def untold(self) -> int:
        """How many messages the journal did not take."""
        return 0 if self._journald is None else self._journald.dropped

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """Keep a decision and what became of it at once."""

        def make() -> tuple[dict[str, Any], dict[str, str]]:
            document = documents.decision(decision, outcomes, boot=self.boot, dry=self.dry)
            return document, documents.decision_fields(decision, document)

        self._put(make)

    def ended(self, decision_id: str, outcome: Outcome, at: Instant) -> None:
        """Keep what became of an intent later."""

        def make() -> tuple[dict[str, Any], dict[str, str]]:
            document = documents.outcome(decision_id, outcome, at=at, boot=self.boot)
            return document, documents.outcome_fields(decision_id, outcome, document)

        self._put(make)

    def result(self, result: Result, at: Instant) -> None:
        """Keep what came of a decision."""

        def make() -> tuple[dict[str, Any], dict[str, str]]:
            document = documents.result(result, at=at, boot=self.boot)
            return document, documents.result_fields(result, document)

        self._put(make)

    def trouble(self, sentence: str, at: Instant) -> None:
        """Keep what went wrong with ourselves."""

        def make() -> tuple[dict[str, Any], dict[str, str]]:
            document = documents.trouble(sentence, at=at, boot=self.boot)
            return document, documents.trouble_fields(document)

        self._put(make)

    def _put(self, make: Callable[[], tuple[dict[str, Any], dict[str, str]]]) -> None:
        if len(self._waiting) < self._most:
            self._waiting.append(make)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Hand over what waits. What cannot be written is counted; a guard goes on without its ledger."""
        waiting, self._waiting = self._waiting, []
        for make in waiting:
            self._write(*make())

    def _write(self, document: dict[str, Any], fields: dict[str, str]) -> None:
        lines = self._lines
        if lines is not None:
            line = plain_json.dumps(document, separators=(",", ":")).encode() + b"\n"
            self._writer.put(lambda: lines.append(line), len(line), self._failed)
        if self._journald is not None:
            self._journald.send(fields)
        if self._kmsg_fd is not None:
            try:
                kmsg.say(self._kmsg_fd, fields["MESSAGE"], int(fields["PRIORITY"]))
            except OSError:
                self.lost += 1

    def _failed(self, why: str) -> None:
        self.lost += 1
        self.error = f"{NAME}: {why}"
