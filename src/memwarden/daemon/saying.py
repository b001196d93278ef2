"""What the guard's process says to whoever started it, on standard output or error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.errors import printable
from memwarden.host.blocks import Suppress

if TYPE_CHECKING:
    from collections.abc import Iterable


def say(fd: int, lines: Iterable[str], *, who: str = "memwarden: ") -> None:
    """Lines, with no character that a terminal would obey; ``who`` is before each. Nobody may read them."""
    text = "".join([f"{who}{printable(line)}\n" for line in lines])
    with Suppress(OSError):
        os.write(fd, text.encode("utf-8", "backslashreplace"))
