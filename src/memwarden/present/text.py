"""How a figure or a hostile name looks to a person."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from memwarden.units import SECOND_US, Max, scaled
from memwarden.units import size as size_of

if TYPE_CHECKING:
    from memwarden.units import Limit

ABSENT: Final = "-"
"""Stands where a value is not known; a measured zero is ``0``."""


def size(value: Limit | None) -> str:
    """Bytes in running text, three figures: ``512 MiB``, ``1.50 GiB``, ``max``, ``-``.

    >>> size(0), size(4096), size(1610612736), size(-1048576)
    ('0 B', '4.00 KiB', '1.50 GiB', '-1.00 MiB')
    """
    return ABSENT if value is None else size_of(value)


def short_size(value: Limit | None) -> str:
    """Bytes in a column, at most six characters: ``512M``, ``1.50G`` (K, M, G count in 1024), ``max``, ``-``.

    >>> short_size(0), short_size(4096), short_size(1610612736), short_size(1048575)
    ('0', '4.00K', '1.50G', '1.00M')
    """
    if value is None:
        return ABSENT
    if isinstance(value, Max):
        return "max"
    number, unit = scaled(value)
    return number + unit.removesuffix("iB").removesuffix("B")


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` as a whole percentage; ``-`` of nothing.

    >>> percent(1, 3), percent(999, 1000), percent(1, 0)
    ('33%', '99%', '-')
    """
    # Rounded down: 100 % is said only when it is reached.
    return f"{int(part * 100 // whole)}%" if whole else ABSENT


def duration(value_us: int) -> str:
    """Microseconds in the unit that suits them.

    >>> duration(900), duration(1500), duration(2_500_000), duration(200_000_000), duration(90_000_000_000)
    ('900 us', '1.5 ms', '2.5 s', '3 min 20 s', '25 h 0 min')
    """
    if value_us < 1000:
        return f"{value_us} us"
    if value_us < SECOND_US:
        return f"{value_us / 1000:.1f} ms"
    seconds = value_us // SECOND_US
    if seconds < 60:
        return f"{value_us / SECOND_US:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """``1 process``, ``2 processes``.

    >>> counted(1, "cgroup"), counted(0, "cgroup"), counted(2, "process", "processes")
    ('1 cgroup', '0 cgroups', '2 processes')
    """
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def escape(text: str) -> str:
    r"""A name as it may be shown on a terminal: what moves the cursor, colours, hides or reorders is escaped.

    Names of processes and cgroups are written by whoever made them. Control characters, line and
    paragraph separators, format characters (among them the bidirectional overrides), unassigned code
    points and bytes that are not UTF-8 become ``\xNN`` or ``\uNNNN``; everything else stays.

    >>> escape("a\x1b[31m\nb")
    'a\\x1b[31m\\x0ab'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _harmless(character) else _escaped(character) for character in text)


def _harmless(character: str) -> bool:
    return character == " " or unicodedata.category(character) not in {
        "Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs",
    }  # fmt: skip


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cells(text: str) -> int:
    """Columns that printable text takes: wide East Asian characters two, combining marks none.

    >>> cells("abc"), cells("日本"), cells("e" + chr(0x301))
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """Text shortened in its middle to at most ``columns`` cells, ``..`` standing for what is missing.

    The end is kept longer than the start, since the end tells names with a long common prefix apart.

    >>> cut("kubepods-burstable-pod1234.slice", 16), cut("short", 16)
    ('kubep..234.slice', 'short')
    """
    if cells(text) <= columns:
        return text
    if columns <= 2:
        return text[:0] + "." * columns
    tail = _fitting(text[::-1], (columns - 2) * 2 // 3)[::-1]
    return _fitting(text, columns - 2 - cells(tail)) + ".." + tail


def _fitting(text: str, columns: int) -> str:
    end = 0
    used = 0
    for character in text:
        used += _cell(character)
        if used > columns:
            break
        end += 1
    return text[:end]
