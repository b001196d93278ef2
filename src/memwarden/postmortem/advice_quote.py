"""Commands are shown, never run: names from a log made safe to paste, sizes in each tool's spelling."""

from __future__ import annotations

import shlex
from typing import Final

from memwarden.units import KIB, MIB

STEPS: Final = 8
"""A suggested size has at most four significant bits: 640 MiB rather than 637 MiB."""


def quoted(name: str) -> str:
    r"""A word for a POSIX shell; names with control or other invisible characters in bash's ``$'...'``.

    >>> quoted("web.service"), quoted("a b"), quoted("x\n$(reboot)")
    ('web.service', "'a b'", "$'x\\x0a$(reboot)'")
    """
    if name.isprintable():
        return shlex.quote(name)
    return "$'" + "".join(_escaped(character) for character in name) + "'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def option_safe(name: str) -> str:
    """The same for an argument that could be taken for an option: ``-- -.slice``."""
    return f"-- {quoted(name)}" if name.startswith("-") else quoted(name)


def rounded_up(size_bytes: int) -> int:
    """The next round size: at most four significant bits, whole MiB from 8 MiB on, whole KiB below.

    >>> rounded_up(637 * MIB) // MIB, rounded_up(1), rounded_up(131 * MIB) // MIB
    (640, 1024, 144)
    """
    step = KIB if size_bytes < STEPS * MIB else MIB
    while step * STEPS < size_bytes:
        step *= 2
    step = max(step // 2, KIB)
    return -(-size_bytes // step) * step


def spelled(size_bytes: int, mebi: str, kibi: str) -> str:
    """A size in whole MiB or else KiB, with the suffix that a tool takes for each.

    >>> spelled(640 * MIB, "Mi", "Ki"), spelled(1280 * KIB, "M", "K")
    ('640Mi', '1280K')
    """
    if size_bytes % MIB == 0:
        return f"{size_bytes // MIB}{mebi}"
    return f"{-(-size_bytes // KIB)}{kibi}"
