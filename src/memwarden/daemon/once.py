"""``memwarden guard --once``: one turn, and what it came to in a line or two for whoever started it.

What was decided is said as the ledger says it. Where nothing was, one line says so and what was looked at, so
that a calm machine does not look like a guard that did not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.daemon import remembering, start
from memwarden.daemon.memory import Keeper
from memwarden.guard import ledger
from memwarden.host.clock import SystemClock
from memwarden.units import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.daemon.options import Options
    from memwarden.guard.pulse import Beat, Reply
    from memwarden.guard.record import Decision
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot


class Aloud(Keeper):
    """Keeps what the loop tells, and has it as sentences."""

    _dry = False
    _memory = ""
    _alarm = ""
    _cgroups = 0
    _said: tuple[str, ...] = ()

    def pretend(self, dry: bool) -> None:
        """Whether what is decided is not really done: it is said so."""
        super().pretend(dry)
        self._dry = dry

    def beat(self, beat: Beat, reply: Reply) -> None:
        """A wake-up."""
        super().beat(beat, reply)
        self._memory = f"{size(beat.available_bytes)} of {size(beat.total_bytes)} available"
        self._alarm = reply.alarm

    def seen(self, snapshot: Snapshot) -> None:
        """What was looked at."""
        super().seen(snapshot)
        self._cgroups = len(snapshot.cgroups)

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """A decision and what became of it at once."""
        super().decided(decision, outcomes)
        self._said += (ledger.sentence(decision, outcomes, dry=self._dry),)

    def lines(self, doing: str, *, observe: bool) -> list[str]:
        """``doing``: how the guard was started, in words; ``observe``: it decides nothing."""
        if not self._memory:
            return ["the machine does not say how much memory is available: nothing was looked at", doing]
        looked = ", ".join(filter(None, (f"{self._cgroups} cgroups", self._memory, self._alarm)))
        nothing = "nothing is decided" if observe else "nothing is to be done"
        return [*(self._said or (f"{looked}: {nothing}",)), doing]


def run(options: Options) -> tuple[list[str], list[str]]:
    """Look once, decide and end; what came of it in lines, and what is odd about the policy."""
    told = remembering.keeper(options, SystemClock(), Aloud)
    process = start.Process(options, told)
    process.prepare()
    process.run()
    return told.lines(process.doing(), observe=options.observe), process.notes
