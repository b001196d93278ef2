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

from typing import Final, NamedTuple, TypedDict, cast

from memwarden.errors import ParseError
from memwarden.kernel.numbers import kilobytes, unsigned
from memwarden.units import KIB

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


class Headline(NamedTuple):
    """What tells how far the machine is from its end, in bytes."""

    total_bytes: int
    available_bytes: int
    swap_free_bytes: int


def headline(data: bytes) -> Headline | None:
    """The three figures that a guard looks at at every wake-up, without the other fifty.

    They stand in this order on every kernel (``meminfo_proc_show``). ``None`` when one is missing or no
    number; :func:`parse` says what is wrong then.
    """
    figures, at = [], 0
    for key in (b"MemTotal:", b"MemAvailable:", b"SwapFree:"):
        at = data.find(key, at)
        word = data[at + len(key) : data.find(b"kB", at)] if at >= 0 else b""
        if not word.strip().isdigit():
            return None
        figures.append(int(word) * KIB)
    return Headline._make(figures)
