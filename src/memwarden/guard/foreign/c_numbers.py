"""Numbers as the C and C++ libraries read them for other tools: from the front, whatever follows.

Each raises ``ValueError`` with the reason where the C++ function throws.
"""

import re
from math import inf, isfinite
from typing import Final

_SPACE: Final = r"[ \t\n\v\f\r]*"
_INTEGER: Final = re.compile(_SPACE + r"([+-]?[0-9]+)")
_FLOAT: Final = re.compile(
    _SPACE
    + r"([+-]?(?:0x[0-9a-f]+\.?[0-9a-f]*(?:p[+-]?[0-9]+)?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?))",
    re.IGNORECASE,
)
_DIGITS: Final = 40  # more than any type takes; int() is slow, and refuses, on thousands
_FLOAT32_MAX: Final = 3.4028235e38


def integer(text: str, least: int, most: int) -> tuple[int, int]:
    """A decimal number within a type's range, and how many characters it took."""
    found = _INTEGER.match(text)
    if found is None:
        raise ValueError("it does not begin with a whole number")
    if len(found[1]) > _DIGITS or not least <= int(found[1]) <= most:
        raise ValueError("the number is out of range")
    return int(found[1]), found.end()


def stoi(text: str) -> int:
    """``std::stoi``: 32 bits with sign.

    >>> stoi(" 5abc"), stoi("1.5"), stoi("-3")
    (5, 1, -3)
    """
    return integer(text, -(1 << 31), (1 << 31) - 1)[0]


def stoll(text: str) -> int:
    """``std::stoll``: 64 bits with sign."""
    return integer(text, -(1 << 63), (1 << 63) - 1)[0]


def stoull(text: str) -> int:
    """``std::stoull`` kept in 64 bits with sign: what is below zero wraps there and back.

    >>> stoull("-1"), stoull("18446744073709551615")
    (-1, -1)
    """
    number = integer(text, -(1 << 64) + 1, (1 << 64) - 1)[0] % (1 << 64)
    return number - (1 << 64) if number >= 1 << 63 else number


def floating(text: str) -> tuple[float, int]:
    """``strtod`` without infinities and NaN, and how many characters it took."""
    found = _FLOAT.match(text)
    if found is None:
        raise ValueError("it does not begin with a number")
    try:
        number = float.fromhex(found[1]) if "x" in found[1].lower() else float(found[1])
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise ValueError("the number is out of range")
    return number, found.end()


def stof(text: str) -> float:
    """``std::stof``, without rounding to 32 bits.

    >>> stof("0.85x"), stof(".5"), stof("0x10")
    (0.85, 0.5, 16.0)
    """
    number = floating(text)[0]
    if abs(number) > _FLOAT32_MAX:
        raise ValueError("the number is out of range")
    return number
