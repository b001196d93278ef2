"""What the guard remembers, while nothing better is there: a line of JSON per decision."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from memwarden.guard import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.pulse import Beat, Reply
    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot


class Lines:
    def __init__(self, state: str) -> None:
        os.makedirs(state, exist_ok=True)
        self._fd = os.open(f"{state}/decisions.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.alarm = ""

    def _say(self, document: dict[str, object]) -> None:
        os.write(self._fd, (json.dumps(document) + "\n").encode())

    def beat(self, beat: Beat, reply: Reply) -> None:
        if reply.alarm != self.alarm and bool(reply.alarm) != bool(self.alarm):
            self._say({"beat": [beat.now_us, beat.available_bytes >> 20], "alarm": reply.alarm})
        self.alarm = reply.alarm

    def seen(self, snapshot: Snapshot) -> None:
        pass

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        self._say(written.decision(decision, outcomes))

    def result(self, result: Result) -> None:
        self._say(written.result(result))

    def trouble(self, sentence: str) -> None:
        self._say({"trouble": sentence})

    def looked(self, text: str) -> None:
        self._say({"look": text})
