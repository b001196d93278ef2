"""Kinds of values: how each is read from TOML, how it is written, and what it is called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.guard.ir import Amount, Weight
from memwarden.guard.policy import quantities
from memwarden.guard.policy.near import nearest
from memwarden.guard.policy.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT_ENDS: Final = (".service", ".scope", ".slice", ".mount", ".socket", ".swap")


class Kind(NamedTuple):
    """``read`` takes what ``tomllib`` gives and raises :class:`WrongError`; ``write`` gives TOML."""

    says: str
    read: Callable[[Any], Any]
    write: Callable[[Any], str]


def quoted(text: str) -> str:
    r"""Text as a TOML string.

    >>> print(quoted('a "b"' + chr(10) + chr(92)))
    "a \"b\"\n\\"
    """
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return (
        '"'
        + "".join(escapes.get(one, one if " " <= one != "\x7f" else f"\\u{ord(one):04x}") for one in text)
        + '"'
    )


def key(text: str) -> str:
    """A key, quoted where it has to be."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else quoted(text)


def listed(texts: tuple[str, ...]) -> str:
    """Texts as a TOML list."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"


def _quantity(says: str, units: dict[str, int], example: str) -> Kind:
    return Kind(
        says,
        lambda value: quantities.read(value, units, example),
        lambda value: quoted(quantities.write(value, units)),
    )


def _percent(whole: int, units: dict[str, int], example: str) -> Kind:
    return Kind(
        f'a percentage, as `"{example}"`',
        lambda value: quantities.read(value, units, example),
        lambda value: quoted(quantities.write_percent(value, whole)),
    )


DURATION: Final = _quantity('a duration, as `"50ms"` (us, ms, s, min, h)', quantities.DURATIONS, "500ms")
BYTE_RATE: Final = _quantity('memory per second, as `"20MiB/s"`', quantities.BYTE_RATES, "20MiB/s")
PER_SECOND: Final = _quantity('a rate, as `"200/s"`', quantities.PER_SECOND, "200/s")
PERCENT: Final = _percent(100, quantities.CENTI_PERCENT, "60%")
SHARE: Final = _percent(10_000, quantities.PPM, "85%")


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


def _read_average(value: Any) -> int:
    seconds = quantities.read(value, quantities.DURATIONS, "10s")
    if seconds not in (10_000_000, 60_000_000, 300_000_000):
        raise WrongError(f'{shown(value)}: the kernel averages over "10s", "60s" and "300s" only')
    return seconds // 1_000_000


AVERAGE: Final = Kind('`"10s"`, `"60s"` or `"300s"`', _read_average, lambda value: f'"{value}s"')


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


def _texts(value: Any, check: Callable[[str], object]) -> tuple[str, ...]:
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if not isinstance(entry, str):
            raise WrongError(f"{shown(entry)} is not text in quotes, or a list of such")
        check(entry)
    return tuple(entries)


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
    "a cgroup pattern, or a list of them", lambda value: _texts(value, _check_glob), _write_texts
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
    lambda value: _texts(value, check_mark),
    listed,
)


def words(*known: str) -> Kind:
    """A list of some words of a few."""
    one = one_of(*known)
    return Kind(
        "a list of " + ", ".join(f"`{quoted(word)}`" for word in known),
        lambda value: _texts(value, one.read),
        listed,
    )


NOTES: Final = Kind("a list of texts", lambda value: _texts(value, lambda _entry: None), listed)


def _read_command(value: Any) -> tuple[str, ...]:
    command = _texts(value if isinstance(value, list) else [value], lambda _entry: None)
    if not command or not command[0].startswith("/"):
        raise WrongError(
            'needs a full path first, as ["/usr/local/bin/heap-dump", "--quick"]; there is no shell'
        )
    return command


COMMAND: Final = Kind("a list: a program's full path and its arguments", _read_command, listed)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise WrongError(f"{shown(value)} is not a number, without quotes")
    return float(value)


def ranking(*keys: str) -> Kind:
    """A rank key, or a table of weights by rank key."""
    one = one_of(*keys)

    def read(value: Any) -> tuple[Weight, ...]:
        if not isinstance(value, dict):
            return (Weight(one.read(value)),)
        if not value:
            raise WrongError('has no rank key; write one, as rank = "culprit"')
        return tuple(Weight(one.read(name), _number(weight)) for name, weight in value.items())

    def write(value: tuple[Weight, ...]) -> str:
        if len(value) == 1 and value[0].weight == 1.0:
            return quoted(value[0].key)
        return "{ " + ", ".join(f"{weight.key} = {weight.weight!r}" for weight in value) + " }"

    return Kind("a rank key, or a table of weights: `{ culprit = 1.0, size = 0.2 }`", read, write)


def _read_parameters(value: Any) -> tuple[tuple[str, float], ...]:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise WrongError(f"{shown(value)} is not a table of numbers, as {{ size_threshold = 50 }}")
    return tuple((pair[0], _number(pair[1])) for pair in pairs)


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
