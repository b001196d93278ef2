"""Quantities: the value ``MAX`` and the sizes every other module counts in.

Inside memwarden memory is an ``int`` of bytes and time an ``int`` of microseconds. A limit is
``int``, ``MAX`` (the kernel prints ``max``) or ``None`` (there is no such file); these are three
different states and are never folded into one number.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
MILLISECOND_US: Final = 1_000
SECOND_US: Final = 1_000_000


@final
class Max:
    """Unlimited: greater than every integer, equal only to itself.

    There is one instance, :data:`MAX`. Subtracting from it leaves it unlimited; any other
    arithmetic is a mistake and raises ``TypeError``.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "MAX"

    def __str__(self) -> str:
        return "max"

    def __hash__(self) -> int:
        return hash("memwarden.MAX")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Max)

    def __lt__(self, other: int | Max) -> bool:
        return False

    def __le__(self, other: int | Max) -> bool:
        return isinstance(other, Max)

    def __gt__(self, other: int | Max) -> bool:
        return not isinstance(other, Max)

    def __ge__(self, other: int | Max) -> bool:
        return True

    def __sub__(self, other: int) -> Max:
        return self

    def __add__(self, other: int) -> Max:
        return self

    __radd__ = __add__

    def __reduce__(self) -> str:
        return "MAX"


MAX: Final = Max()

Limit: TypeAlias = int | Max
"""Bytes, or ``MAX``."""


def least(first: Limit, *rest: Limit) -> Limit:
    """Return the tightest of some limits."""
    tightest = first
    for limit in rest:
        tightest = min(tightest, limit)
    return tightest


_LARGEST: Final = 1 << 512  # a float holds it; figures of damaged text may be larger
_UNIT_NAMES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(value: Limit) -> str:
    """Bytes as they stand in a sentence, with three figures: ``512 MiB``, ``1.50 GiB``, ``max``.

    >>> size(0), size(4096), size(1610612736), size(-1048576)
    ('0 B', '4.00 KiB', '1.50 GiB', '-1.00 MiB')
    """
    if isinstance(value, Max):
        return "max"
    number, unit = scaled(value)
    return f"{number} {unit}"


def scaled(value: int) -> tuple[str, str]:
    """Three significant figures of a number of bytes, and their unit.

    >>> scaled(1048575), scaled(999)
    (('1.00', 'MiB'), ('999', 'B'))
    """
    if -1000 < value < 1000:
        return str(value), _UNIT_NAMES[0]
    # 1023.5 and more would print as 1024, so it takes the next unit.
    magnitude, unit = float(min(abs(value), _LARGEST)) / 1024, 1
    while magnitude >= 999.5 and unit < len(_UNIT_NAMES) - 1:
        magnitude /= 1024
        unit += 1
    sign = "-" if value < 0 else ""
    digits = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    return f"{sign}{magnitude:.{digits}f}", _UNIT_NAMES[unit]


def limit_json(limit: Limit | None) -> int | str | None:
    """A limit as it stands in a JSON document: a number, ``"max"``, or null for unknown."""
    return "max" if isinstance(limit, Max) else limit
