"""The "flat keyed" format of cgroup v2 and of ``/proc/vmstat``: one ``KEY VALUE`` line per figure.

::

    anon 1323008
    file 4628480

Kernel: Documentation/admin-guide/cgroup-v2.rst, "Format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


def parse(text: str, known: AbstractSet[str], *, path: str) -> dict[str, int]:
    """The figures whose key is in ``known``; other keys are ignored, all lines must be well formed.

    Raises ``ParseError`` when a line is not a key and an unsigned number, or no key is known.
    """
    words = text.split()
    values = words[1::2]
    digits = "".join(values)
    # One test each over the whole file instead of one per line: a thousand of these are read per snapshot.
    if digits.isdecimal() and text.isascii() and len(words) == 2 * len(values) == 2 * _lines(text):
        try:
            figures = dict(zip(words[::2], map(int, values), strict=True))
        except ValueError:  # thousands of digits, which int() refuses
            return _by_line(text, known, path)
        if figures.keys() <= known:
            return figures
    return _by_line(text, known, path)


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _by_line(text: str, known: AbstractSet[str], path: str) -> dict[str, int]:
    """The slow way: for kernels with keys we do not know, and to name the line that is wrong."""
    figures = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        try:
            key, value = words
            figure = unsigned(value)
        except ValueError:
            raise ParseError(path, line, "not a key and an unsigned number", line_number=number) from None
        if key in known:
            figures[key] = figure
    if not figures:
        raise ParseError(path, text, "no known key")
    return figures
