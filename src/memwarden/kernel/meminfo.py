"""The machine's memory: ``/proc/meminfo``.

::

    MemTotal:       24684096 kB
    MemFree:        22334500 kB
    Active(anon):       3616 kB
    HugePages_Total:       0
    Hugepagesize:       2048 kB

Kernel: Documentation/filesystems/proc.rst, ``fs/proc/meminfo.c:meminfo_proc_show``. lxcfs prints
the same format with the container's figures.
"""

from __future__ import annotations

from typing import Final, TypedDict, cast

from memwarden.errors import ParseError
from memwarden.kernel.numbers import kilobytes, unsigned

Meminfo = TypedDict(
    "Meminfo",
    {
        "MemTotal": int,
        "MemFree": int,
        "MemAvailable": int,
        "Buffers": int,
        "Cached": int,
        "SwapCached": int,
        "Active": int,
        "Inactive": int,
        "Active(anon)": int,
        "Inactive(anon)": int,
        "Active(file)": int,
        "Inactive(file)": int,
        "Unevictable": int,
        "Mlocked": int,
        "HighTotal": int,
        "HighFree": int,
        "LowTotal": int,
        "LowFree": int,
        "MmapCopy": int,
        "SwapTotal": int,
        "SwapFree": int,
        "Zswap": int,
        "Zswapped": int,
        "Dirty": int,
        "Writeback": int,
        "AnonPages": int,
        "Mapped": int,
        "Shmem": int,
        "KReclaimable": int,
        "Slab": int,
        "SReclaimable": int,
        "SUnreclaim": int,
        "KernelStack": int,
        "ShadowCallStack": int,
        "PageTables": int,
        "SecPageTables": int,
        "NFS_Unstable": int,
        "Bounce": int,
        "WritebackTmp": int,
        "CommitLimit": int,
        "Committed_AS": int,
        "VmallocTotal": int,
        "VmallocUsed": int,
        "VmallocChunk": int,
        "Percpu": int,
        "HardwareCorrupted": int,
        "AnonHugePages": int,
        "ShmemHugePages": int,
        "ShmemPmdMapped": int,
        "FileHugePages": int,
        "FilePmdMapped": int,
        "CmaTotal": int,
        "CmaFree": int,
        "Unaccepted": int,
        "Balloon": int,
        "GPUActive": int,
        "GPUReclaim": int,
        "HugePages_Total": int,
        "HugePages_Free": int,
        "HugePages_Rsvd": int,
        "HugePages_Surp": int,
        "Hugepagesize": int,
        "Hugetlb": int,
    },
    total=False,
)
"""Bytes by the kernel's own names; ``HugePages_*`` are counts of pages of ``Hugepagesize`` bytes."""

KEYS: Final = frozenset(Meminfo.__annotations__)


def parse(text: str, *, path: str = "<meminfo>") -> Meminfo:
    """Parse the file, kB to bytes; unknown keys are ignored."""
    figures: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, _, rest = line.partition(":")
        if key in KEYS:
            try:
                figures[key] = unsigned(rest.strip(" ")) if key.startswith("HugePages_") else kilobytes(rest)
            except ValueError:
                raise ParseError(
                    path, line, "not a number of kB, or of huge pages", line_number=number
                ) from None
    if not figures:
        raise ParseError(path, text, "no known key")
    return cast("Meminfo", figures)
