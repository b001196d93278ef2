"""The same scenario at several values of one key: the values, and where the curve bends.

The knee is Kneedle's (V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, "Finding a 'Kneedle' in a Haystack:
Detecting Knee Points in System Behavior", ICDCS Workshops 2011, section III), for a curve that falls and is
convex, without its smoothing, since a simulation has no noise: both axes are scaled to the unit square and
the curve turned over; its knee is the first local maximum of its height above the diagonal that the curve
later falls ``SENSITIVITY`` mean steps below.

Stalls need not fall everywhere: a file that does not fit at all is read again without stalling for memory,
since its pages were gone too long to count as the working set (``mm/workingset.c``). So the curve is the
worst stall at a value or any above it, which never rises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.errors import UsageError
from memwarden.sim.summary import PANIC
from memwarden.sim.words.kinds import FREQUENCIES, SIZES
from memwarden.words import quantities
from memwarden.words.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.sim.summary import Summary

SENSITIVITY: Final = 1.0
"""``S`` of the paper, whose default it is."""
MOST: Final = 10_000
SEED: Final = "seed"
"""The key whose values have no order."""
SAMPLE: Final = "write it as memory.high=1G..4G:128M, that is KEY=FROM..TO:STEP"
_UNITS: Final = (
    SIZES,
    quantities.DURATIONS,
    quantities.BYTE_RATES,
    FREQUENCIES,
    quantities.PPM,
    {"ns": 1},
    {"": 1},
)
_PLAIN: Final = len(_UNITS) - 1
_ZERO: Final = re.compile(r"0+")
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
_WRITTEN: Final = (quantities.SIZES, *_UNITS[1:])


class Sweep(NamedTuple):
    """The key as it was said, and its values: as numbers in the smallest unit, and as they are set."""

    key: str
    values: tuple[int, ...]
    texts: tuple[str, ...]


class Point(NamedTuple):
    """One value and what came of it; ``deaths`` names who was killed, each program once.

    A panic is the death of the machine, and counts as one kill.
    """

    value: int
    text: str
    stalled_us: int
    throttled_us: int
    full_us: int
    lost: float | None
    kills: int
    deaths: tuple[str, ...]


def point(value: int, text: str, found: Summary) -> Point:
    """What a sweep keeps of one run."""
    ends = [one.program for one in found.deaths]
    if found.panic_us is not None:
        ends.append(PANIC)
    names, kills = tuple(dict.fromkeys(ends)), found.kills + (found.panic_us is not None)
    return Point(value, text, found.stalled_us, found.throttled_us, found.full_us, found.lost, kills, names)


def sweep(said: str) -> Sweep:
    """Read ``KEY=FROM..TO:STEP``.

    Raises :class:`UsageError` where it is none.
    """
    key, _, span = said.partition("=")
    first, _, rest = span.partition("..")
    last, _, step = rest.partition(":")
    key, parts = key.strip(), {"FROM": first.strip(), "TO": last.strip(), "STEP": step.strip()}
    if not key or ".." not in span:
        raise UsageError(f"--sweep {said}: is no range; {SAMPLE}")
    for name, text in parts.items():
        if not text:
            raise UsageError(f"--sweep {said}: has no {name}; {SAMPLE}")
        if _kind(text) is None and _kind(text.removeprefix("-")) is not None:
            raise UsageError(f"--sweep {said}: {name}, {shown(text)}, is below zero; write 0 or more")
        if _kind(text) is None:
            why = _why(text) or f"{shown(text)}, is no quantity; {SAMPLE}"
            raise UsageError(f"--sweep {said}: {name}, {why}")
    # Nothing is nothing in every unit.
    kinds = {_kind(text) for text in parts.values() if not _ZERO.fullmatch(text)} or {_PLAIN}
    kind = kinds.pop()
    if kind is None or kinds:
        raise UsageError(
            f"--sweep {said}: FROM, TO and STEP are not of one kind; write all three with units of one"
        )
    numbers = [_number(text, _UNITS[kind]) or 0 for text in parts.values()]
    return _range(key, numbers, _WRITTEN[kind], said)


def _kind(text: str) -> int | None:
    """The place of the units that it has: no two kinds share one."""
    found = (at for at, units in enumerate(_UNITS) if _number(text, units) is not None)
    return next(found, None)


def _why(text: str) -> str:
    """What is wrong with a number that has a unit."""
    for units in _UNITS[:_PLAIN]:
        try:
            quantities.read(text, units, "1")
        except WrongError as error:
            if " is finer than " in str(error):
                return str(error)
    return ""


def _number(text: str, units: Mapping[str, int]) -> int | None:
    if "" in units:
        return int(text) if _WHOLE.fullmatch(text) else None
    try:
        return quantities.read(text, units, "1")
    except WrongError:
        return None


def _range(key: str, numbers: list[int], units: Mapping[str, int], said: str) -> Sweep:
    first, last, step = numbers
    if last < first:
        raise UsageError(f"--sweep {said}: FROM is more than TO; write the lesser one first")
    if step <= 0:
        raise UsageError(f"--sweep {said}: STEP is not more than nothing; write how far apart the values are")
    if (last - first) // step >= MOST:
        raise UsageError(f"--sweep {said}: has {(last - first) // step + 1} values; take a larger STEP")
    values = tuple(range(first, last + 1, step))
    return Sweep(key, values, tuple(quantities.write(one, units) for one in values))


WORTH: Final = 2
"""How many times the stalls at the knee those before it have to be."""


def knee(points: Sequence[Point]) -> int | None:
    """The number of the point from which on more helps little; ``None`` where the curve has no bend."""
    worst, stalls = 0, []
    for one in reversed(points):
        worst = max(worst, one.stalled_us)
        stalls.append(worst)
    stalls.reverse()
    at = kneedle([one.value for one in points], stalls)
    # Kneedle measures the curve by its own height, so that it finds a bend in one that hardly falls.
    return None if at is None or stalls[0] < WORTH * stalls[at] else at


def kneedle(xs: Sequence[float], ys: Sequence[float]) -> int | None:
    """The knee of a falling convex curve, as its index.

    >>> kneedle([0, 1, 2, 3, 4, 5], [10, 4, 1, 0.5, 0.2, 0]), kneedle([0, 1, 2], [3, 3, 3])
    (2, None)
    """
    if len(xs) < 3 or max(ys) == min(ys):
        return None
    wide, low, tall = xs[-1] - xs[0], min(ys), max(ys) - min(ys)
    above = [(1 - (y - low) / tall) - (x - xs[0]) / wide for x, y in zip(xs, ys, strict=True)]
    drop = SENSITIVITY / (len(xs) - 1)
    best: int | None = None
    for at in range(1, len(above)):
        if best is not None and above[at] < above[best] - drop:
            return best
        ends = at + 1 == len(above)
        if not ends and above[at - 1] < above[at] >= above[at + 1]:
            best = at
    return None


def safe(points: Sequence[Point]) -> int | None:
    """The number of the first point from which on nobody dies; ``None`` where somebody always does."""
    found: int | None = None
    for at, one in enumerate(points):
        found = None if one.kills else at if found is None else found
    return found
