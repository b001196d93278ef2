"""From numbers to words: true, half true, false; per kernel, and for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TRUE, HALF, FALSE = "true", "half true", "false"
SERIES = ("5.10", "6.1", "6.12", "7.2")
Numbers = dict[str, Any]


def never(*keys: str) -> Callable[[Numbers], str]:
    """True while all of these are 0."""
    return lambda found: FALSE if any(found[key] for key in keys) else TRUE


def both(holds: Callable[[Numbers], bool], besides: Callable[[Numbers], bool]) -> Callable[[Numbers], str]:
    """True where both hold, half true where one does, else false."""
    return lambda found: (FALSE, HALF, TRUE)[holds(found) + besides(found)]


def when(holds: Callable[[Numbers], bool]) -> Callable[[Numbers], str]:
    """True or false."""
    return lambda found: TRUE if holds(found) else FALSE


def overall(words: dict[str, str]) -> str:
    """One verdict of those per kernel, oldest first: the last one, and since when, where they differ."""
    in_order = [(series, words[series]) for series in SERIES if series in words]
    last = in_order[-1][1]
    for series, word in reversed(in_order):
        if word != last:
            return f"{last}, but {word} up to {series}"
    return last
