"""Unreclaimable slab caches and tagged allocations.

``mm/slab_common.c:dump_unreclaimable_slab`` (4.15 and later, only when slab outgrows the LRU lists) and
``lib/show_mem.c`` with memory allocation profiling (6.10 and later).
"""

from __future__ import annotations

import re
from typing import Final

_SLAB: Final = re.compile(r"(\S.*?) +(\d+)KB +(\d+)KB$")
_ALLOCATION: Final = re.compile(r"([\d.]+) ?([KMGTP]?)(?:i?B)? +\d+ (\S+:\d+ (?:\[[^\]]*\] )?func:\S+)")
_UNIT: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}


def parse_slab(message: str) -> tuple[str, int] | None:
    """Cache and the bytes of its slabs (the column ``Total``).

    >>> parse_slab("page->ptl                153KB        293KB")
    ('page->ptl', 300032)
    """
    found = _SLAB.match(message)
    return (found[1], int(found[3]) * 1024) if found else None


def parse_allocation(message: str) -> tuple[str, int] | None:
    """Call site and bytes; the kernel rounds figures with a unit (``1.25 GiB``)."""
    found = _ALLOCATION.match(message)
    if found is None:
        return None
    try:
        return found[3], int(float(found[1]) * _UNIT[found[2]])
    except ValueError:
        return None
