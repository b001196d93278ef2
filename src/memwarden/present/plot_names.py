"""Who died, beside the lines of a picture: names that leave each other room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.present.text import cut, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.result import Event

LINES: Final = 4
"""Names that stand below each other."""
LONGEST: Final = 24
LETTER: Final = 0.06
"""How wide a letter is, in inches: of the widest names' at 7 points."""


class Name(NamedTuple):
    """What stands beside the first of some deaths; ``line`` counts from 1, downwards."""

    time_us: int
    text: str
    line: int


class _Bunch(NamedTuple):
    """Deaths of one program that follow each other so closely that their names would overlap."""

    program: str
    first_us: int
    last_us: int
    pids: frozenset[int]

    @property
    def text(self) -> str:
        name = cut(escape(self.program), LONGEST)
        return f"{name} x{len(self.pids)}" if len(self.pids) > 1 else name


def names(died: Sequence[Event], duration_us: int, inches: float) -> list[Name]:
    """The names in a panel that is so wide; who finds no free line is left out.

    ``died`` is in order of time. A process that is asked to end and then killed dies once.
    """
    letter_us = LETTER * duration_us / inches
    ends = [0.0] * LINES
    found = []
    for bunch in _bunches(died, letter_us):
        free = next((line for line in range(LINES) if ends[line] <= bunch.first_us), None)
        if free is not None:
            ends[free] = bunch.first_us + letter_us * (len(bunch.text) + 1)
            found.append(Name(bunch.first_us, bunch.text, free + 1))
    return found


def _bunches(died: Sequence[Event], letter_us: float) -> list[_Bunch]:
    found: list[_Bunch] = []
    latest: dict[str, int] = {}
    for one in died:
        at = latest.get(one.program)
        before = None if at is None else found[at]
        if before is None or one.time_us > before.last_us + letter_us * (len(before.text) + 1):
            latest[one.program] = len(found)
            found.append(_Bunch(one.program, one.time_us, one.time_us, frozenset({one.pid})))
        else:
            found[latest[one.program]] = before._replace(last_us=one.time_us, pids=before.pids | {one.pid})
    return found
