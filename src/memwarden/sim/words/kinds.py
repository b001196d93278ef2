"""Kinds of values that only a scenario has: limits, rates that may be as fast as it goes, costs."""

from __future__ import annotations

from typing import Any, Final

from memwarden.state.traits import BadnessRule
from memwarden.units import MAX
from memwarden.words import quantities
from memwarden.words.kinds import BYTE_RATE, Kind, number, one_of, quantity, quoted
from memwarden.words.quantities import WrongError, shown

SIZES: Final = {**quantities.SIZES, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
"""As elsewhere, and as the kernel takes them in its files: ``lib/cmdline.c:memparse (v6.12)``."""
_MILLION: Final = 1_000_000
FREQUENCIES: Final = {"/s": _MILLION}
COSTS: Final = {"us": 1000, "ns": 1}
FULL: Final = "full"
IGNORED: Final = "ignored"


SIZE: Final = quantity('memory, as `"512MiB"`', SIZES, "512MiB")


def _or(kind: Kind, word: str, stands_for: Any) -> Kind:
    """A kind, and a word for the one value that has no number and unit."""
    return Kind(
        f'{kind.says}, or `"{word}"`',
        lambda value: stands_for if value == word else kind.read(value),
        lambda value: quoted(word) if value == stands_for else kind.write(value),
    )


LIMIT: Final = _or(SIZE, "max", MAX)
RATE: Final = BYTE_RATE._replace(write=lambda value: BYTE_RATE.write(round(value)))
FLOW: Final = _or(RATE, FULL, None)
SIGTERM: Final = _or(quantity('a duration, as `"2s"`', quantities.DURATIONS, "2s"), IGNORED, None)


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


def cgroup_path(value: Any) -> str:
    """The path, when it can be one.

    Raises :class:`WrongError`.
    """
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise WrongError(f'{shown(value)} is not the path of a cgroup; write it as "/web"')
    if value != "/" and any(name in ("", ".", "..") for name in value.split("/")[1:]):
        raise WrongError(f"{shown(value)} is not the path of a cgroup: a name in it is empty, . or ..")
    return value


CGROUP: Final = Kind('the path of a cgroup, as `"/web"`', cgroup_path, quoted)
_BADNESS: Final = one_of(*(one.value for one in BadnessRule))
BADNESS: Final = Kind(
    _BADNESS.says,
    lambda value: BadnessRule(_BADNESS.read(value)),
    lambda value: quoted(value.value),
)
