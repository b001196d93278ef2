"""What the readers of foreign files have in common: refusing in one sentence, and naming what was meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from memwarden.errors import InputError, printable

PERCENT_PPM: Final = 10_000
"""Parts per million in one percent."""
LONGEST: Final = 400
"""No sentence has more characters."""
SHOWN: Final = 60
"""So many characters of somebody's text are shown in a sentence."""


def refused(path: str, line: int, what: str) -> InputError:
    """The error for a file that cannot be taken; ``line`` counts from 1, 0 means the whole file."""
    return InputError(one_line(f"{path}:{line}: {what}" if line else f"{path}: {what}"))


MOST: Final = 12
"""Words that are listed where none is near; more are no help, and would be cut off."""


def one_line(sentence: str) -> str:
    r"""A sentence that somebody's text is in, without control characters and not endless.

    >>> one_line("a\nb")
    'a\\nb'
    """
    cut = sentence if len(sentence) <= LONGEST else sentence[: LONGEST - 3] + "..."
    return printable(cut)


def shown(text: str) -> str:
    """Somebody's text as it stands in a sentence, cut and with control characters spelled out."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def instead(word: str, known: Iterable[str]) -> str:
    """What to do about a word that is not known: the nearest one, or all there are.

    >>> instead("trheshold", ["threshold", "duration"])
    'did you mean "threshold"?'
    >>> instead("x", ["threshold", "duration"])
    'known are duration, threshold'
    """
    names = sorted(known)
    near = get_close_matches(word, names, 1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known are {', '.join(names)}" if len(names) <= MOST else "none that is known is spelled like it"
