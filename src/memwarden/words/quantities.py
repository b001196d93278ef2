"""Quantities as they stand in a policy: a number and its unit, read and written without rounding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.errors import MemwardenError
from memwarden.units import GIB, KIB, MIB, MILLISECOND_US, SECOND_US
from memwarden.words.near import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

DURATIONS: Final = {
    "h": 3600 * SECOND_US,
    "min": 60 * SECOND_US,
    "s": SECOND_US,
    "ms": MILLISECOND_US,
    "us": 1,
}
SIZES: Final = {
    "TiB": 1 << 40, "GiB": GIB, "MiB": MIB, "KiB": KIB, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9,
    "TB": 10**12,
}  # fmt: skip
"""Greatest first down to bytes; the decimal ones are read and never written."""
BYTE_RATES: Final = {f"{unit}/s": factor for unit, factor in SIZES.items()}
PER_SECOND: Final = {"/s": 1}
CENTI_PERCENT: Final = {"%": 100}
PPM: Final = {"%": 10_000}

_QUANTITY: Final = re.compile(r"\s*(-?\d{1,20})(?:\.(\d{1,20}))?\s*([^\s\d.].*?)?\s*", re.ASCII)
_TOO_LONG: Final = re.compile(r"\d{21}", re.ASCII)
_MEANT: Final = {
    "K": "KiB", "M": "MiB", "G": "GiB", "T": "TiB", "k": "KiB", "KB": "KiB (1024) or kB (1000)",
    "m": "min or ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "minutes": "min",
    "minute": "min", "mins": "min", "hours": "h", "hour": "h", "msec": "ms", "usec": "us", "pages/s": "/s",
}  # fmt: skip


class WrongError(MemwardenError):
    """What is wrong with one value, without its place."""


def shown(value: object) -> str:
    """A value of a TOML document as it stands in an error.

    >>> shown("5x"), shown(True), shown(5), shown([1]), shown({})
    ('"5x"', 'true', '5', 'a list', 'a table')
    """
    if isinstance(value, str):
        return f'"{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "a date or time"


def read(value: object, units: Mapping[str, int], example: str, *, signed: bool = False) -> int:
    """The quantity in its smallest unit.

    Raises :class:`WrongError` where it is not text with a number and a unit, or finer than the smallest unit.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0 and not signed:  # with a unit it would be wrong, too
            raise WrongError(f'{value} is below zero; write it as "{example}"')
        raise WrongError(f'{value} has no unit; write it as "{example}"')
    matched = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if matched is None and isinstance(value, str) and _TOO_LONG.search(value):
        raise WrongError(f'{shown(value)} has a number of more than 20 digits; write it as "{example}"')
    if matched is None:
        raise WrongError(f'{shown(value)} is not a number with a unit; write it as "{example}"')
    whole, fraction, unit = matched[1], matched[2] or "", matched[3]
    if whole.startswith("-") and not signed:
        raise WrongError(f'{shown(value)} is below zero; write it as "{example}"')
    if unit is None:
        raise WrongError(f'{shown(value)} has no unit; write it as "{example}"')
    if unit not in units:
        meant = f"{unit}/s" if f"{unit}/s" in units else _MEANT.get(unit, "")
        hint = f" (did you mean {meant}?)" if meant.split(" ")[0] in units else nearest(unit, units)
        raise WrongError(f"{shown(value)}: the unit is not one of {', '.join(units)}{hint}")
    parts = int(whole + fraction) * units[unit]
    smallest = min(units, key=lambda name: units[name])
    if parts % 10 ** len(fraction):
        finest = "0.01 %" if units is CENTI_PERCENT else "0.0001 %" if units is PPM else f"1 {smallest}"
        raise WrongError(f"{shown(value)} is finer than {finest}; round it")
    return int(parts // 10 ** len(fraction))


def write(value: int, units: Mapping[str, int]) -> str:
    """The quantity in the largest unit that holds it without a fraction.

    >>> write(1_500_000, DURATIONS), write(120_000_000, DURATIONS), write(0, DURATIONS)
    ('1500ms', '2min', '0s')
    """
    if not value:
        return next(f"0{unit}" for unit in ("s", "B", *units) if unit in units)
    return next(f"{value // size}{unit}" for unit, size in units.items() if not value % size)


def write_percent(value: int, whole: int) -> str:
    """A share as percent; ``whole`` parts are one percent.

    >>> write_percent(6000, 100), write_percent(5, 100), write_percent(12_500, 10_000)
    ('60%', '0.05%', '1.25%')
    """
    digits = len(str(whole)) - 1
    fraction = f"{abs(value) % whole:0{digits}}".rstrip("0")
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(value) // whole}{'.' if fraction else ''}{fraction}%"
