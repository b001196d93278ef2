"""Numbers as the kernel prints them: ``int()`` alone would take signs, ``_`` and other scripts' digits."""

from __future__ import annotations

from typing import Final

U64_DIGITS: Final = 20
"""An unsigned 64-bit number has at most 20 decimal digits."""


def unsigned(word: str) -> int:
    """A decimal number without sign, as ``%u``, ``%lu`` and ``%llu`` print it.

    Raises ``ValueError``, which the parser that calls it turns into a ``ParseError`` with its line.
    """
    if word.isdecimal() and word.isascii() and len(word) <= U64_DIGITS:
        return int(word)
    raise ValueError(f"{word[:40]!r} is no unsigned decimal number")


def signed(word: str) -> int:
    """A decimal number that may have a minus sign, as ``%d`` and ``%ld`` print it."""
    return -unsigned(word[1:]) if word.startswith("-") else unsigned(word)
