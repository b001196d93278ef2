"""Files of one value: a number, a limit that may be ``max``, or a switch.

::

    67108864

Read: ``memory.{current,peak,min,low,high,max}``, ``memory.swap.{current,peak,high,max}``,
``memory.zswap.{current,max}`` in bytes; the switches ``memory.oom.group``, ``memory.zswap.writeback`` and
``cgroup.freeze``. ``memory.reclaim`` and ``cgroup.kill`` can only be written. Kernel:
Documentation/admin-guide/cgroup-v2.rst, ``mm/memcontrol.c:seq_puts_memcg_tunable``.
"""

from __future__ import annotations

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned
from memwarden.units import MAX, Limit


def parse(text: str, *, path: str = "<scalar>") -> Limit:
    """A limit: bytes, or ``MAX`` where the kernel prints ``max``."""
    word = text.removesuffix("\n")
    if word == "max":
        return MAX
    try:
        return unsigned(word)
    except ValueError:
        raise ParseError(path, text, "not a number and not 'max'") from None


def parse_number(text: str, *, path: str = "<number>") -> int:
    """A number that cannot be ``max``: bytes in use, or a count."""
    try:
        return unsigned(text.removesuffix("\n"))
    except ValueError:
        raise ParseError(path, text, "not a number") from None


def parse_switch(text: str, *, path: str = "<switch>") -> bool:
    """``0`` or ``1``."""
    word = text.removesuffix("\n")
    if word in ("0", "1"):
        return word == "1"
    raise ParseError(path, text, "not 0 or 1")
