"""Where a message says it comes from: clock, host, printing task."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple


class Stamp(NamedTuple):
    """What the front of a line says, as printed; ``None`` for what it does not say.

    ``caller`` is ``T123`` (task) or ``C0`` (interrupt on CPU 0) of CONFIG_PRINTK_CALLER. ``mono`` are the
    seconds since boot, ``wall`` a date. ``kernel`` is False for a line that another program wrote.
    """

    wall: str | None = None
    host: str | None = None
    mono: str | None = None
    caller: str | None = None
    kernel: bool = True

    def within(self, outer: Stamp) -> Stamp:
        """This stamp, with what it does not say taken from the stamp around it."""
        return Stamp(
            self.wall or outer.wall,
            self.host or outer.host,
            self.mono or outer.mono,
            self.caller or outer.caller,
            True,
        )


NO_STAMP: Final = Stamp()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = re.compile(r" *(\d{1,15})\.(\d+)")
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?(?: UTC)?$"
)
_UNIX: Final = re.compile(r"(\d{9,10})\.(\d{6})$")
_FULL: Final = re.compile(r"\S+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (\S+)$")
_CTIME: Final = re.compile(r"\S+ +([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)( [A-Z]{2,5})? (\d{4})$")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def monotonic_us(seconds: str | None) -> int | None:
    """Microseconds of ``12345.678901``; digits beyond microseconds are dropped.

    >>> monotonic_us(" 1.5"), monotonic_us(None)
    (1500000, None)
    """
    found = _SECONDS.match(seconds or "")
    if found is None:
        return None
    return int(found[1]) * 1_000_000 + int(found[2][:6].ljust(6, "0"))


def wall_clock(printed: str | None) -> str | None:
    """ISO 8601 where year, month and day are known and not in words we cannot read; else as printed.

    >>> wall_clock("Thu May  9 14:52:38 2024"), wall_clock("May  9 14:52:38")
    ('2024-05-09T14:52:38', 'May  9 14:52:38')
    """
    if printed is None:
        return None
    if (unix := _UNIX.match(printed)) is not None:
        return unix_time(unix[1] + unix[2])
    if (full := _FULL.match(printed)) is not None:
        # The name of a zone does not tell its offset.
        printed = full[1] + (" UTC" if full[2] == "UTC" else "")
    if (iso := _ISO.match(printed)) is not None:
        fraction = f".{iso[3]}" if iso[3] else ""
        zone = iso[4] or ("Z" if printed.endswith(" UTC") else "")
        if zone[1:] and ":" not in zone:
            zone = f"{zone[:3]}:{zone[3:]}"
        return f"{iso[1]}T{iso[2]}{fraction}{zone}"
    ctime = _CTIME.match(printed)
    if ctime is not None and ctime[1] in _MONTHS:
        zone = "Z" if ctime[4] == " UTC" else ""
        return f"{ctime[5]}-{_MONTHS.index(ctime[1]) + 1:02d}-{int(ctime[2]):02d}T{ctime[3]}{zone}"
    return printed


def unix_time(microseconds: str | None) -> str | None:
    """Unix time in microseconds as ISO 8601 in UTC.

    >>> unix_time("1715266358123456")
    '2024-05-09T14:52:38.123456Z'
    """
    if microseconds is None or not microseconds.isdecimal() or len(microseconds) > 17:
        return None
    when = _EPOCH + timedelta(microseconds=int(microseconds))
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}Z"
