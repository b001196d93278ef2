"""systemd's texts: configuration files, properties as ``systemctl show`` prints them, spans of time, shares.

Follows ``src/shared/conf-parser.c``, ``src/basic/time-util.c:parse_time`` and ``src/basic/percent-util.c``.
What systemd warns about and ignores is ignored here too, and named.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from memwarden.guard.foreign.words import instead, refused, shown
from memwarden.units import MILLISECOND_US, SECOND_US

_SPACE: Final = " \t\n\r"


class Setting(NamedTuple):
    """``key=value`` at a line of a section."""

    line: int
    key: str
    value: str


def settings(path: str, text: str, section: str, known: set[str], notes: list[str]) -> list[Setting]:
    """What a file sets in a section, in order; the last counts, and an empty one takes all before it back."""
    found, inside, other = [], False, False
    for line, content in _lines(text):
        if content.startswith("["):
            if not content.endswith("]"):
                raise refused(
                    path, line, f"systemd refuses this file: bad section header {shown(content)}; close it"
                )
            inside, other = content == f"[{section}]", True
            if not inside and not content.startswith("[X-"):
                notes.append(f"{path}:{line}: unknown section {shown(content)}, which systemd ignores")
            continue
        key, equals, value = content.partition("=")
        key = key.rstrip(_SPACE)
        if not equals:
            notes.append(f"{path}:{line}: {shown(content)} has no '=', so that systemd ignores it")
        elif not inside:
            if not other:
                notes.append(
                    f"{path}:{line}: {shown(key)} stands before any section, so that systemd ignores it"
                )
        elif key in known:
            found.append(Setting(line, key, value.strip(_SPACE)))
        elif not key.startswith("X-"):
            notes.append(
                f"{path}:{line}: unknown key {shown(key)}, which systemd ignores; {instead(key, known)}"
            )
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that say something, those that end in a backslash joined to the next by a space."""
    joined, start = "", 0
    for line, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        content = raw.strip(_SPACE)
        if content.startswith(("#", ";")) or not (content or joined):
            continue
        start = start or line
        if content.endswith("\\"):
            joined += content[:-1] + " "
            continue
        if whole := (joined + content).strip(_SPACE):
            yield start, whole
        joined, start = "", 0
    if joined.strip(_SPACE):
        yield start, joined.strip(_SPACE)


_UNITS_US: Final = {
    **dict.fromkeys(("seconds", "second", "sec", "s", ""), SECOND_US),
    **dict.fromkeys(("minutes", "minute", "min", "m"), 60 * SECOND_US),
    **dict.fromkeys(("months", "month", "M"), 2_629_800 * SECOND_US),
    **dict.fromkeys(("msec", "ms"), MILLISECOND_US),
    **dict.fromkeys(("hours", "hour", "hr", "h"), 3600 * SECOND_US),
    **dict.fromkeys(("days", "day", "d"), 86_400 * SECOND_US),
    **dict.fromkeys(("weeks", "week", "w"), 7 * 86_400 * SECOND_US),
    **dict.fromkeys(("years", "year", "y"), 31_557_600 * SECOND_US),
    **dict.fromkeys(("usec", "us", "\u00b5s", "\u03bcs"), 1),
}
_SPAN: Final = re.compile(r"\s*([0-9]{1,15})(?:\.([0-9]{0,15}))?\s*([A-Za-z\u00b5\u03bc]*)", re.ASCII)


def span_us(text: str) -> int | None:
    """A span of time as ``1min 30s``, a bare number in seconds; ``None`` is ``infinity``. Or ``ValueError``.

    >>> span_us("1min 30s"), span_us("20"), span_us("1.5h"), span_us("infinity")
    (90000000, 20000000, 5400000000, None)
    """
    if text.strip() == "infinity":
        return None
    total, at = 0, 0
    while at < len(text.rstrip()):
        found = _SPAN.match(text, at)
        if found is None or found[3] not in _UNITS_US:
            raise ValueError("it is no time as 30s or 1min 30s")
        whole, part, unit = found[1], found[2] or "", _UNITS_US[found[3]]
        total += int(whole) * unit + int(part or "0") * unit // 10 ** len(part)
        at = found.end()
    if at == 0:
        raise ValueError("it is no time as 30s or 1min 30s")
    return total


_SHARES: Final = (
    (re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,2}))?%"), 100, 2),
    (re.compile(r"([0-9]{1,5})(?:\.([0-9]))?\u2030"), 10, 1),
    (re.compile(r"([0-9]{1,5})()\u2031"), 1, 0),
)


def permyriad(text: str) -> int:
    """A share in hundredths of a percent, given in percent, per mille or per ten thousand. Or ``ValueError``.

    >>> permyriad("20.5%"), permyriad("100%")
    (2050, 10000)
    """
    for pattern, scale, digits in _SHARES:
        if found := pattern.fullmatch(text):
            share = int(found[1]) * scale + int((found[2] or "").ljust(digits, "0") or "0")
            if share > 10_000:
                raise ValueError("a share must be from 0% to 100%")
            return share
    raise ValueError("it is no share as 60%, 605\u2030 or 6050\u2031")


def records(text: str) -> Iterator[dict[str, str]]:
    """What ``systemctl show`` prints: one record per unit, with an empty line between."""
    record: dict[str, str] = {}
    for raw in (*text.split("\n"), ""):
        key, equals, value = raw.strip(_SPACE).partition("=")
        if equals:
            record[key] = value
        elif not key and record:
            yield record
            record = {}
