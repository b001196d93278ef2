"""What is added to the badness of a process: ``/proc/PID/oom_score_adj``.

::

    -500

Kernel: Documentation/filesystems/proc.rst, ``fs/proc/base.c:oom_score_adj_read``. In thousandths of the
memory that the out-of-memory scope may use; -1000 exempts the process.
"""

from __future__ import annotations

from typing import Final

from memwarden.errors import ParseError
from memwarden.kernel.numbers import signed

LEAST: Final = -1000
MOST: Final = 1000


def parse(text: str, *, path: str = "<oom_score_adj>") -> int:
    """The adjustment, -1000 to 1000."""
    try:
        value = signed(text.removesuffix("\n"))
    except ValueError:
        value = MOST + 1
    if LEAST <= value <= MOST:
        return value
    raise ParseError(path, text, "not a number from -1000 to 1000")
