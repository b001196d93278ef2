"""Whether the multi-generational LRU is on: ``/sys/kernel/mm/lru_gen/enabled``.

::

    0x0007

Kernel: Documentation/admin-guide/mm/multigen_lru.rst, ``mm/vmscan.c:enabled_show``. The file is there
since 6.1 where the kernel was built with it; Debian's 6.1 has it off, 6.12 on.
"""

from __future__ import annotations

from typing import Final

from memwarden.errors import ParseError
from memwarden.kernel.numbers import hexadecimal

CORE: Final = 0x0001
"""``LRU_GEN_CORE``: reclaim goes by generations. The other bits only choose how they are aged."""


def parse(text: str, *, path: str = "<lru_gen/enabled>") -> int:
    """The mask; ``mask & CORE`` says whether it is on."""
    word = text.removesuffix("\n")
    try:
        # Without the prefix this is no mask: an empty word is no number either.
        return hexadecimal(word[2:] if word.startswith("0x") else "")
    except ValueError:
        raise ParseError(path, text, "not a mask such as 0x0007") from None
