"""Kinds of values that only a policy has: amounts, marks, rankings, commands."""

from __future__ import annotations

import re
from typing import Any, Final

from memwarden.guard.ir import Amount, Weight
from memwarden.units import MILLISECOND_US
from memwarden.words import quantities
from memwarden.words.kinds import DURATION, Kind, key, listed, number, one_of, quoted, texts
from memwarden.words.quantities import WrongError, shown

UNIT_ENDS: Final = (".service", ".scope", ".slice", ".mount", ".socket", ".swap")


def _amount(says: str, *, signed: bool) -> Kind:
    def read(value: Any) -> Amount:
        if isinstance(value, str) and "%" in value:
            return Amount(ppm=quantities.read(value, quantities.PPM, "5%", signed=signed))
        return Amount(bytes=quantities.read(value, quantities.SIZES, "512MiB", signed=signed))

    return Kind(says, read, _write_amount)


def _write_amount(value: Amount) -> str:
    if value.bytes is not None:
        return quoted(quantities.write(value.bytes, quantities.SIZES))
    return quoted(quantities.write_percent(value.ppm or 0, 10_000))


AMOUNT: Final = _amount('memory, as `"512MiB"` or `"5%"`', signed=False)
SIGNED_AMOUNT: Final = _amount('memory, as `"16MiB"` or `"5%"`; `"-1B"` is less than nothing', signed=True)


def _read_tick(value: Any) -> int:
    tick_us: int = DURATION.read(value)
    if tick_us < MILLISECOND_US:
        raise WrongError(
            f'{shown(value)} is less than 1ms, and looking would take a CPU; write it as "500ms"'
        )
    return tick_us


TICK: Final = DURATION._replace(read=_read_tick)


def _read_average(value: Any) -> int:
    seconds = quantities.read(value, quantities.DURATIONS, "10s")
    if seconds not in (10_000_000, 60_000_000, 300_000_000):
        raise WrongError(f'{shown(value)}: the kernel averages over "10s", "60s" and "300s" only')
    return seconds // 1_000_000


AVERAGE: Final = Kind('`"10s"`, `"60s"` or `"300s"`', _read_average, lambda value: f'"{value}s"')


def _write_texts(value: tuple[str, ...]) -> str:
    return quoted(value[0]) if len(value) == 1 else listed(value)


def _check_glob(text: str) -> None:
    if not text or not text.isprintable():
        raise WrongError(
            f'{shown(text)} names no cgroup; write a path or a pattern, as "postgresql*.service"'
        )
    if text.startswith(("comm:", "comm~", "uid:", "uid~", "cgroup~", "adj<=")):
        raise WrongError(
            f'{shown(text)} is a mark; here the pattern of a cgroup is meant, as "postgresql*.service"'
        )


GLOBS: Final = Kind(
    "a cgroup pattern, or a list of them", lambda value: texts(value, _check_glob), _write_texts
)


def check_mark(text: str) -> None:
    """Raise :class:`WrongError` where an entry is none of the forms that name cgroups or processes."""
    form = re.match(r"comm:|comm~|cgroup~|uid:|uid~|adj<=", text)
    if form is None:
        _check_glob(text)
        if "/" not in text and not text.endswith(UNIT_ENDS):
            raise WrongError(
                f'{shown(text)} is neither a cgroup nor a process; write "{text}.service" for a unit, '
                f'"**/{text}" for a cgroup, "comm:{text}" for a process of that name'
            )
        return
    rest = text[form.end() :]
    if not rest:
        raise WrongError(f"{shown(text)} ends too early; a name or number has to follow")
    if form[0].endswith("~"):
        try:
            re.compile(rest)
        except re.error as error:
            raise WrongError(f"{shown(text)}: the regular expression is wrong: {error}") from None
    elif form[0] != "comm:" and not re.fullmatch(r"-?\d{1,10}", rest, re.ASCII):
        raise WrongError(f"{shown(text)}: what follows {form[0]} has to be a number")


MARKS: Final = Kind(
    "a list of marks, or one of them",
    lambda value: texts(value, check_mark),
    listed,
)


def words(*known: str) -> Kind:
    """A list of some words of a few."""
    one = one_of(*known)
    return Kind(
        "a list of " + ", ".join(f"`{quoted(word)}`" for word in known),
        lambda value: texts(value, one.read),
        listed,
    )


NOTES: Final = Kind("a list of texts", lambda value: texts(value, lambda _entry: None), listed)


def _read_command(value: Any) -> tuple[str, ...]:
    command = texts(value if isinstance(value, list) else [value], lambda _entry: None)
    if not command or not command[0].startswith("/"):
        raise WrongError(
            'needs a full path first, as ["/usr/local/bin/heap-dump", "--quick"]; there is no shell'
        )
    return command


COMMAND: Final = Kind("a list: a program's full path and its arguments", _read_command, listed)


def ranking(*keys: str) -> Kind:
    """A rank key, or a table of weights by rank key."""
    one = one_of(*keys)

    def read(value: Any) -> tuple[Weight, ...]:
        if not isinstance(value, dict):
            return (Weight(one.read(value)),)
        if not value:
            raise WrongError('has no rank key; write one, as rank = "culprit"')
        return tuple(Weight(one.read(name), number(weight)) for name, weight in value.items())

    def write(value: tuple[Weight, ...]) -> str:
        if len(value) == 1 and value[0].weight == 1.0:
            return quoted(value[0].key)
        return "{ " + ", ".join(f"{weight.key} = {weight.weight!r}" for weight in value) + " }"

    return Kind("a rank key, or a table of weights: `{ culprit = 1.0, size = 0.2 }`", read, write)


def _read_parameters(value: Any) -> tuple[tuple[str, float], ...]:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise WrongError(f"{shown(value)} is not a table of numbers, as {{ size_threshold = 50 }}")
    return tuple((pair[0], number(pair[1])) for pair in pairs)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def _write_parameters(value: tuple[tuple[str, float], ...]) -> str:
    if len({name for name, _ in value}) < len(value):
        return "[" + ", ".join(f"[{quoted(name)}, {number!r}]" for name, number in value) + "]"
    return "{ " + ", ".join(f"{key(name)} = {number!r}" for name, number in value) + " }"


PARAMETERS: Final = Kind(
    "a table of numbers by name, or a list of pairs where a name is there twice",
    _read_parameters,
    _write_parameters,
)
