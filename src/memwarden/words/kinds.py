"""Kinds of values: how each is read from TOML, how it is written, and what it is called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.words import quantities
from memwarden.words.near import nearest
from memwarden.words.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(NamedTuple):
    """``read`` takes what ``tomllib`` gives and raises :class:`WrongError`; ``write`` gives TOML."""

    says: str
    read: Callable[[Any], Any]
    write: Callable[[Any], str]


def quoted(text: str) -> str:
    r"""Text as a TOML string, in which nothing stands that a terminal would obey.

    >>> print(quoted('a "b"' + chr(10) + chr(92)))
    "a \"b\"\n\\"
    >>> print(quoted("é" + chr(0x202E) + chr(0x9B) + chr(0xE0001)))
    "é\u202e\u009b\U000e0001"
    """
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return f'"{"".join(escapes.get(one) or _printable(one) for one in text)}"'


def _printable(one: str) -> str:
    if one.isprintable():
        return one
    return f"\\u{ord(one):04x}" if ord(one) < 1 << 16 else f"\\U{ord(one):08x}"


def key(text: str) -> str:
    """A key, quoted where it has to be."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else quoted(text)


def listed(texts: tuple[str, ...]) -> str:
    """Texts as a TOML list."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"


def quantity(says: str, units: dict[str, int], example: str) -> Kind:
    """A number with one of some units, kept in the smallest."""
    return Kind(
        says,
        lambda value: quantities.read(value, units, example),
        lambda value: quoted(quantities.write(value, units)),
    )


def percent(whole: int, units: dict[str, int], example: str) -> Kind:
    """A share; ``whole`` parts are one percent."""
    return Kind(
        f'a percentage, as `"{example}"`',
        lambda value: quantities.read(value, units, example),
        lambda value: quoted(quantities.write_percent(value, whole)),
    )


DURATION: Final = quantity('a duration, as `"50ms"` (us, ms, s, min, h)', quantities.DURATIONS, "500ms")
BYTE_RATE: Final = quantity('memory per second, as `"20MiB/s"`', quantities.BYTE_RATES, "20MiB/s")
PER_SECOND: Final = quantity('a rate, as `"200/s"`', quantities.PER_SECOND, "200/s")
PERCENT: Final = percent(100, quantities.CENTI_PERCENT, "60%")
SHARE: Final = percent(10_000, quantities.PPM, "85%")


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongError(f"{shown(value)} is not true or false, without quotes")
    return value


FLAG: Final = Kind("`true` or `false`", _read_flag, lambda value: str(value).lower())


def count(least: int = 0, most: int | None = None) -> Kind:
    """A whole number without a unit."""
    span = f"{least} or more" if most is None else f"{least} to {most}"

    def read(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < least or (most is not None and value > most):
            raise WrongError(f"{shown(value)} is not a whole number, {span}, without quotes")
        return int(value)

    return Kind(f"a number, {span}", read, str)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongError(f"{shown(value)} is not text in quotes")
    return value


TEXT: Final = Kind("text", _read_text, quoted)


def _read_name(value: Any) -> str:
    if not _read_text(value).strip() or not value.isprintable():
        raise WrongError(f"{shown(value)} is not a name of printable characters")
    return str(value)


NAME: Final = Kind("a name", _read_name, quoted)


def one_of(*words: str) -> Kind:
    """One word of a few."""

    def read(value: Any) -> str:
        if value not in words:
            near = nearest(value, words) if isinstance(value, str) else ""
            raise WrongError(f"{shown(value)} is not known{near or '; there are ' + ', '.join(words)}")
        return str(value)

    return Kind("one of " + ", ".join(f"`{quoted(word)}`" for word in words), read, quoted)


def texts(value: Any, check: Callable[[str], object]) -> tuple[str, ...]:
    """A text or a list of texts, each of which ``check`` may refuse."""
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if not isinstance(entry, str):
            raise WrongError(f"{shown(entry)} is not text in quotes, or a list of such")
        check(entry)
    return tuple(entries)


def number(value: Any) -> float:
    """A finite number without a unit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise WrongError(f"{shown(value)} is not a number, without quotes")
    return float(value)
