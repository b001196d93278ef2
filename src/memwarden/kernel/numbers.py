"""Numbers as the kernel prints them: ``int()`` alone would take signs, ``_`` and other scripts' digits."""

from __future__ import annotations

from typing import Final

from memwarden.units import KIB

U64_DIGITS: Final = 20
"""An unsigned 64-bit number has at most 20 decimal digits."""
U64_HEX_DIGITS: Final = 16


def unsigned(word: str) -> int:
    """A decimal number without sign, as ``%u``, ``%lu`` and ``%llu`` print it.

    Raises ``ValueError``, as all here, which the parser that calls turns into a ``ParseError`` with its line.
    """
    if word.isdecimal() and word.isascii() and len(word) <= U64_DIGITS:
        return int(word)
    raise ValueError(word)


def signed(word: str) -> int:
    """A decimal number that may have a minus sign, as ``%d`` and ``%ld`` print it."""
    return -unsigned(word[1:]) if word.startswith("-") else unsigned(word)


def kilobytes(value: str) -> int:
    """``    1856 kB``, as in ``/proc/PID/status``, in bytes."""
    number, unit = value.split()
    if unit != "kB":
        raise ValueError(value)
    return unsigned(number) * KIB


def hexadecimal(word: str) -> int:
    """A mask of up to 64 bits without ``0x``, as ``%x`` and ``%016llx`` print it."""
    if 1 <= len(word) <= U64_HEX_DIGITS and not word.strip("0123456789abcdef"):
        return int(word, 16)
    raise ValueError(word)
