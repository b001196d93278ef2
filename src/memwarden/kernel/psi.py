"""Pressure stall information: ``/proc/pressure/{cpu,memory,io,irq}`` and cgroup v2 ``*.pressure``.

::

    some avg10=0.12 avg60=0.05 avg300=0.01 total=12653113
    full avg10=0.00 avg60=0.00 avg300=0.00 total=98020

Kernel: Documentation/accounting/psi.rst, ``kernel/sched/psi.c:psi_show``. ``cpu`` has no ``full``
line before 5.13 and ``irq`` never has a ``some`` line. Memory of cgroup v1 has no such file.
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError

KINDS: Final = frozenset({"some", "full"})
NAMES: Final = ["avg10", "avg60", "avg300", "total"]
LONGEST: Final = len("100.00") * 3 + len("18446744073709551615")


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
        words = line.replace("=", " ").split(" ")
        if words[0] in KINDS:
            try:
                _, name10, avg10, name60, avg60, name300, avg300, name, total = words
                figures = avg10 + avg60 + avg300 + total
                # float() and int() alone would take more than the kernel prints: 1e3, inf, 1_0, -1.
                if (
                    [name10, name60, name300, name] != NAMES
                    or line.count("=") != len(NAMES)
                    or len(figures) > LONGEST
                    or not (figures.replace(".", "").isdecimal() and figures.isascii())
                ):
                    raise ValueError(line)  # noqa: TRY301 - one message for all that can be wrong
                found[words[0]] = PsiLine(float(avg10), float(avg60), float(avg300), int(total))
            except ValueError:
                raise ParseError(path, line, "not a pressure line", line_number=number) from None
    if not found:
        raise ParseError(path, text, "no some or full line")
    return Psi(found.get("some"), found.get("full"))


def totals(data: bytes) -> tuple[int | None, int | None]:
    """Stalled microseconds of some and of all tasks; ``None`` where there is no such line.

    For who looks often: the averages lag, and this takes a tenth of the time that :func:`parse` takes.
    """
    return _total(data, b"some "), _total(data, b"full ")


def _total(data: bytes, kind: bytes) -> int | None:
    at = data.find(kind)
    start = data.find(b"total=", at) if at >= 0 else -1
    word = data[start + 6 : data.find(b"\n", start)] if start >= 0 else b""
    return int(word) if word.isdigit() else None
