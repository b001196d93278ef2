"""Several runs of one scenario beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present.colour import PLAIN
from memwarden.present.simulate_words import share, time_of, who_dies
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, escape
from memwarden.sim.summary import PANIC, summary
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.present.colour import Paint
    from memwarden.sim.result import Result

COLUMNS: Final = (
    Column("WITH", right=False, flexible=True, least=16),
    Column("WHO DIES", right=False, flexible=True, least=16),
    Column("FIRST AT"),
    Column("STALLED"),
    Column("THROTTLED"),
    Column("LOST"),
)


def text(runs: Sequence[tuple[str, Result]], *, width: int, paint: Paint = PLAIN) -> str:
    """A table with one line for each."""
    rows = []
    for label, result in runs:
        found = summary(result)
        ends = [(one.program, one.first_us) for one in found.deaths]
        if found.panic_us is not None:
            ends.append((PANIC, found.panic_us))
        who = who_dies(name for name, _ in ends)
        at = f"{ends[0][1] / SECOND_US:.1f} s" if ends else ABSENT
        lost = ABSENT if found.lost is None else share(found.lost)
        figures = (time_of(found.stalled_us), time_of(found.throttled_us), lost)
        rows.append(Row((escape(label), who, at, *figures), {1: ("red",)} if ends else {}))
    return "\n".join(render(COLUMNS, rows, width, paint)) + "\n"
