"""Paragraphs that fit a number of cells."""

from __future__ import annotations

from memwarden.present.text import cells


def wrap(text: str, width: int, *, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most ``width`` cells; ``first`` stands before the first line, ``rest`` before the others.

    Words longer than a line, cgroup paths above all, are broken behind the last slash that fits, or where
    the line ends. ``rest`` is by default blank and as wide as ``first``.

    >>> wrap("one two three", 9, first="- ")
    ['- one two', '  three']
    """
    rest = " " * cells(first) if rest is None else rest
    lines: list[str] = []
    line = first
    empty = True
    for word in text.split(" "):
        left = word
        if not empty and cells(line) + 1 + cells(left) > width:
            lines.append(line)
            line, empty = rest, True
        if not empty:
            line += " "
        while cells(line) + cells(left) > width and (fits := _fitting(left, width - cells(line))):
            lines.append(line + fits)
            left, line, empty = left[len(fits) :], rest, True
        line, empty = line + left, False
    return [*lines, line]


def _fitting(word: str, width: int) -> str:
    end = len(word)
    while end and cells(word[:end]) > width:
        end -= 1
    return word[: word.rfind("/", 1, end) + 1 or end]
