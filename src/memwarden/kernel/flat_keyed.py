"""The "flat keyed" format of cgroup v2 and of ``/proc/vmstat``: one ``KEY VALUE`` line per figure.

::

    anon 1323008
    file 4628480

Kernel: Documentation/admin-guide/cgroup-v2.rst, "Format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import ParseError
from memwarden.kernel.numbers import U64_DIGITS, unsigned

if TYPE_CHECKING:
    from collections.abc import Sequence

INT_TAKES: Final = 640
"""Digits that ``int()`` takes however it is configured (``sys.int_info.str_digits_check_threshold``)."""


def parse(text: str, known: frozenset[str], *, path: str) -> dict[str, int]:
    """The figures whose key is in ``known``; other keys are ignored, but every line must be well formed.

    Raises ``ParseError`` when a line is not a key and an unsigned number, or no key is known.
    """
    keys, values = columns(text, known, path=path)
    return figures(keys, values, known)


def columns(text: str, known: frozenset[str], *, path: str) -> tuple[list[str], list[str]]:
    """The keys and the values as they stand there; raises ``ParseError`` where ``parse`` does."""
    words = text.split()
    keys, values = words[::2], words[1::2]
    # Whole columns are tested and turned at once: a thousand of these files are read per snapshot.
    if len(keys) == len(values) == line_count(text) and unsigned_all(values) and not known.isdisjoint(keys):
        return keys, values
    raise _first_wrong(text, path)


def line_count(text: str) -> int:
    """Lines of a file whose last line may lack its end."""
    return text.count("\n") + (not text.endswith("\n"))


def unsigned_all(values: Sequence[str]) -> bool:
    """Whether every value is an unsigned number that ``int()`` takes."""
    digits = "".join(values)
    # As bytes, the test for digits is five times as quick.
    return (
        digits.isascii()
        and digits.encode().isdigit()
        and (len(digits) <= INT_TAKES or max(map(len, values)) <= U64_DIGITS)
    )


def figures(keys: Sequence[str], values: Sequence[str], known: frozenset[str]) -> dict[str, int]:
    """Known keys to their values, of columns that were tested."""
    found = dict(zip(keys, map(int, values), strict=True))
    if known.issuperset(found):
        return found
    return {key: value for key, value in found.items() if key in known}


def _first_wrong(text: str, path: str) -> ParseError:
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            _key, value = line.split()
            unsigned(value)
        except ValueError:
            return ParseError(path, line, "not a key and an unsigned number", line_number=number)
    return ParseError(path, text, "no known key")
