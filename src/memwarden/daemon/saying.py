"""What the guard's process says to whoever started it, on standard output or error."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Final

from memwarden.errors import printable
from memwarden.host.blocks import Suppress

if TYPE_CHECKING:
    from collections.abc import Iterable

KIND: Final = 0o170000
PIPE: Final = 0o010000
TERMINAL: Final = 0o020000
"""Kinds of files, as in ``st_mode``."""


def say(fd: int, lines: Iterable[str], *, who: str = "memwarden: ") -> None:
    """Lines, with no character that a terminal would obey; ``who`` is before each. Nobody may read them."""
    text = "".join([f"{who}{printable(line)}\n" for line in lines])
    with Suppress(OSError):
        os.write(fd, text.encode("utf-8", "backslashreplace"))


def say_at_once(fd: int, line: str) -> None:
    """The same in the middle of guarding: to a terminal or a pipe that takes it without a wait.

    Not to a file, whose disk may be what hangs, nor to the socket that a unit has: its journal was told.
    """
    with Suppress(OSError):
        if os.fstat(fd).st_mode & KIND in (PIPE, TERMINAL):
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if poll.poll(0):
                say(fd, [line])
