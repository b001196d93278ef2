"""Limits of cgroup v1: ``memory.limit_in_bytes``, and those of ``memsw``, ``soft`` and ``kmem``.

::

    9223372036854771712

Kernel: Documentation/admin-guide/cgroup-v1/memory.rst, ``include/linux/page_counter.h`` (v6.1). v1 has
no word for unlimited: it prints the largest count of pages in bytes, ``LONG_MAX / PAGE_SIZE`` pages on
64-bit machines, ``LONG_MAX`` pages on 32-bit ones. Kernels before 3.19 printed the largest 64-bit number.
"""

from __future__ import annotations

from typing import Final

from memwarden.kernel import scalar
from memwarden.units import KIB, MAX, Limit

UNLIMITED_64_BIT: Final = (1 << 63) - 64 * KIB
"""``PAGE_COUNTER_MAX`` in bytes with the largest pages in use, 64 KiB; with smaller pages it is more."""

UNLIMITED_32_BIT: Final = frozenset(((1 << 31) - 1) * size * KIB for size in (4, 8, 16, 64))
"""``PAGE_COUNTER_MAX`` in bytes of 32-bit machines, by page size: 8 TiB less one page for 4 KiB pages."""


def limit(value: int) -> Limit:
    """``MAX`` for the numbers that mean unlimited, other numbers as they are."""
    return MAX if value >= UNLIMITED_64_BIT or value in UNLIMITED_32_BIT else value


def parse(text: str, *, path: str = "<limit_in_bytes>") -> Limit:
    """Bytes, or ``MAX``."""
    return limit(scalar.parse_number(text, path=path))
