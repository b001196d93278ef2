"""Who acts inside a simulation: the guard, a policy of another tool, or nobody.

``sim`` does not import ``guard``: whoever runs a simulation hands in something of this shape, made of the
same engine that the daemon runs (``cli`` has the adapter).
"""

from typing import NamedTuple, Protocol

from memwarden.sim.result import Note
from memwarden.state.intents import Intent, Outcome
from memwarden.state.snapshot import Snapshot


class Reply(NamedTuple):
    """What is to be done now: intents with the id of their decision, and when to look again."""

    acts: tuple[tuple[str, Intent], ...]
    sleep_us: int
    notes: tuple[Note, ...] = ()


class Guard(Protocol):
    """Looks at a snapshot and answers with acts; is told what became of each."""

    def look(self, snapshot: Snapshot) -> Reply:
        """One tick."""

    def report(self, decision: str, outcome: Outcome) -> None:
        """What became of one act."""
