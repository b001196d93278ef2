"""The known spelling that is closest to a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME_THING: Final = {
    "cooldown": "pause",
    "duration": "for",
    "threshold": "above",
    "window": "in",
    "services": "who",
    "actions": "do",
    "detectors": "when",
    "ranking": "rank",
    "protected": "protect",
}
"""What other tools call what we call otherwise."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``" (did you mean X?)"``, or nothing where no spelling is close.

    >>> nearest("abvoe", ["above", "below"]), nearest("cooldown", ["pause"]), nearest("x", ["above"])
    (' (did you mean above?)', ' (did you mean pause?)', '')
    """
    spellings = list(known)
    if SAME_THING.get(word) in spellings:
        return f" (did you mean {SAME_THING[word]}?)"
    # At most a third of the letters may be wrong, and not all of them; a transposition counts as one.
    steps, best = min(((distance(word.lower(), one.lower()), one) for one in spellings), default=(99, ""))
    return f" (did you mean {best}?)" if steps <= max(1, len(word) // 3) and steps < len(word) else ""


def distance(one: str, other: str) -> int:
    """How many letters are missing, too many, wrong, or swapped with the one beside them.

    >>> distance("abvoe", "above"), distance("kil", "kill"), distance("", "ab")
    (1, 1, 2)
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, against in enumerate(other, 1):
            steps = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != against))
            if before and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                steps = min(steps, before[column - 2] + 1)
            now.append(steps)
        before, last = last, now
    return last[-1]
