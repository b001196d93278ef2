"""Sums over all mappings of a process: ``/proc/PID/smaps_rollup``.

::

    55b2207b1000-7ffda75a4000 ---p 00000000 00:00 0                          [rollup]
    Rss:                1740 kB
    Pss:                 303 kB
    Private_Dirty:       112 kB
    Swap:                  0 kB

Kernel: Documentation/filesystems/proc.rst, ``fs/proc/task_mmu.c:show_smaps_rollup`` (4.14). Walks the page
tables: dear to read. What dies with the process is ``Private_Clean + Private_Dirty + Swap``.
"""

from typing import Final, TypedDict, cast

from memwarden.errors import ParseError
from memwarden.kernel.numbers import kilobytes


class SmapsRollup(TypedDict, total=False):
    """Bytes by the kernel's own names; ``Pss`` shares each page out among those who map it."""

    Rss: int
    Pss: int
    Pss_Dirty: int
    Pss_Anon: int
    Pss_File: int
    Pss_Shmem: int
    Shared_Clean: int
    Shared_Dirty: int
    Private_Clean: int
    Private_Dirty: int
    Referenced: int
    Anonymous: int
    KSM: int
    LazyFree: int
    AnonHugePages: int
    ShmemPmdMapped: int
    FilePmdMapped: int
    Shared_Hugetlb: int
    Private_Hugetlb: int
    Swap: int
    SwapPss: int
    Locked: int


KEYS: Final = frozenset(SmapsRollup.__annotations__)


def parse(text: str, *, path: str = "<smaps_rollup>") -> SmapsRollup:
    """Parse the file, kB to bytes; unknown keys are ignored."""
    figures = {}
    for number, line in enumerate(text.split("\n"), 1):
        key, _, value = line.partition(":")
        if key in KEYS:
            try:
                figures[key] = kilobytes(value)
            except ValueError:
                raise ParseError(path, line, "not a number of kB", line_number=number) from None
    if not figures:
        raise ParseError(path, text, "no known key")
    return cast("SmapsRollup", figures)
