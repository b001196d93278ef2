"""Kinds of values that only a scenario has: limits, rates that may be as fast as it goes, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.state.traits import BadnessRule
from memwarden.units import MAX, Limit
from memwarden.words import quantities
from memwarden.words.kinds import Kind, number, one_of, quoted
from memwarden.words.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES: Final = {**quantities.SIZES, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
"""As elsewhere, and as the kernel takes them in its files: ``lib/cmdline.c:memparse (v6.12)``."""
_MILLION: Final = 1_000_000
FREQUENCIES: Final = {"/s": _MILLION}
COSTS: Final = {"us": 1000, "ns": 1}
FULL: Final = "full"
IGNORED: Final = "ignored"

SIZE: Final = Kind(
    'memory, as `"512MiB"`',
    lambda value: quantities.read(value, SIZES, "512MiB"),
    lambda value: quoted(quantities.write(value, quantities.SIZES)),
)


def _read_limit(value: Any) -> Limit:
    return MAX if value == "max" else int(quantities.read(value, SIZES, "512MiB"))


LIMIT: Final = Kind(
    'memory, as `"512MiB"`, or `"max"`',
    _read_limit,
    lambda value: quoted("max") if value == MAX else SIZE.write(value),
)


def _or(says: str, word: str, read: Callable[[Any], Any], write: Callable[[Any], str]) -> Kind:
    """A kind, or a word that stands for ``None``."""
    return Kind(
        f'{says}, or `"{word}"`',
        lambda value: None if value == word else read(value),
        lambda value: quoted(word) if value is None else write(value),
    )


RATE: Final = Kind(
    'memory per second, as `"20MiB/s"`',
    lambda value: quantities.read(value, quantities.BYTE_RATES, "20MiB/s"),
    lambda value: quoted(quantities.write(round(value), quantities.BYTE_RATES)),
)
FLOW: Final = _or(RATE.says, FULL, RATE.read, RATE.write)
SIGTERM: Final = _or(
    'a duration, as `"2s"`',
    IGNORED,
    lambda value: quantities.read(value, quantities.DURATIONS, "2s"),
    lambda value: quoted(quantities.write(value, quantities.DURATIONS)),
)


def _decimal(millionths: int) -> str:
    whole, part = divmod(millionths, _MILLION)
    return f"{whole}.{part:06}".rstrip("0").rstrip(".")


FREQUENCY: Final = Kind(
    'a rate, as `"200/s"`',
    lambda value: quantities.read(value, FREQUENCIES, "200/s") / _MILLION,
    lambda value: quoted(f"{_decimal(round(value * _MILLION))}/s"),
)
COST: Final = Kind(
    'a time, as `"500ns"` (us, ns)',
    lambda value: quantities.read(value, COSTS, "500ns") / 1000,
    lambda value: quoted(quantities.write(round(value * 1000), COSTS)),
)


def _read_share(value: Any) -> float:
    share = quantities.read(value, quantities.PPM, "80%") / _MILLION
    if share > 1:
        raise WrongError(f"{shown(value)} is more than all; write 100% at most")
    return share


SHARE: Final = Kind(
    'a percentage, as `"80%"`',
    _read_share,
    lambda value: quoted(quantities.write_percent(round(value * _MILLION), 10_000)),
)


def _read_ratio(value: Any) -> float:
    ratio = number(value)
    if ratio < 1:
        raise WrongError(f"{shown(value)} is not a number of 1 or more, without quotes")
    return ratio


RATIO: Final = Kind("a number, 1 or more", _read_ratio, lambda value: repr(float(value)))


def signed(least: int, most: int) -> Kind:
    """A whole number that may be below zero."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise WrongError(f"{shown(value)} is not a whole number from {least} to {most}, without quotes")
        return value

    return Kind(f"a number, {least} to {most}", read, str)


def cgroup_path(text: str) -> str:
    """The path, when it can be one.

    Raises :class:`WrongError`.
    """
    names = text.split("/")[1:]
    if not text.startswith("/") or not text.isprintable():
        raise WrongError(f'{shown(text)} is not the path of a cgroup; write it as "/web"')
    if text != "/" and any(name in ("", ".", "..") for name in names):
        raise WrongError(f"{shown(text)} is not the path of a cgroup: a name in it is empty, . or ..")
    return text


def _read_cgroup(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongError(f'{shown(value)} is not the path of a cgroup; write it as "/web"')
    return cgroup_path(value)


CGROUP: Final = Kind('the path of a cgroup, as `"/web"`', _read_cgroup, quoted)
_BADNESS: Final = one_of(*(one.value for one in BadnessRule))
BADNESS: Final = Kind(
    _BADNESS.says,
    lambda value: BadnessRule(_BADNESS.read(value)),
    lambda value: quoted(value.value),
)
