"""Pressure stall information: ``/proc/pressure/{cpu,memory,io,irq}`` and cgroup v2 ``*.pressure``.

::

    some avg10=0.12 avg60=0.05 avg300=0.01 total=12653113
    full avg10=0.00 avg60=0.00 avg300=0.00 total=98020

Kernel: Documentation/accounting/psi.rst, ``kernel/sched/psi.c:psi_show``. ``cpu`` has no ``full``
line before 5.13 and ``irq`` never has a ``some`` line. Memory of cgroup v1 has no such file.
"""

from __future__ import annotations

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


class PsiLine(NamedTuple):
    """One line: averages in percent of the wall clock, the total in microseconds since boot."""

    avg10_pct: float
    avg60_pct: float
    avg300_pct: float
    total_us: int


class Psi(NamedTuple):
    """A pressure file; ``None`` where this kernel prints no such line."""

    some: PsiLine | None
    full: PsiLine | None


def parse(text: str, *, path: str = "<pressure>") -> Psi:
    """Parse one pressure file; other kinds of lines are ignored."""
    found: dict[str, PsiLine] = {}
    for number, line in enumerate(text.splitlines(), 1):
        kind, _, rest = line.partition(" ")
        if kind == "some" or kind == "full":  # noqa: PLR1714 - a thousand of these files per snapshot
            try:
                found[kind] = _line(rest)
            except (KeyError, ValueError):
                raise ParseError(path, line, "not a pressure line", line_number=number) from None
    if not found:
        raise ParseError(path, text, "no some or full line")
    return Psi(found.get("some"), found.get("full"))


def _line(rest: str) -> PsiLine:
    pairs = dict([pair.split("=", 1) for pair in rest.split()])
    return PsiLine(
        _percent(pairs["avg10"]),
        _percent(pairs["avg60"]),
        _percent(pairs["avg300"]),
        unsigned(pairs["total"]),
    )


def _percent(word: str) -> float:
    whole, _, hundredths = word.partition(".")
    return unsigned(whole) + unsigned(hundredths) / 100
