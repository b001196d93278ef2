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
from memwarden.kernel.numbers import U64_DIGITS, kilobytes, unsigned
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


class _Form(NamedTuple):
    """A file without its figures, and where those are whose key is known, with what they are counted in."""

    text: bytes
    keys: list[str]
    known: list[tuple[str, int, int]]

    def figures(self, text: str) -> dict[str, int] | None:
        """The figures of a file of this form, without a test of each line; ``None`` of any other."""
        if _form(text) != self.text:
            return None
        words = text.replace(" kB\n", "\n").split()
        values = words[1::2]
        # A digit too many in a key makes it another; a space in a figure, or none, makes other words.
        if words[::2] != self.keys or len(values) != len(self.keys) or not "".join(values).isdecimal():
            return None
        if max(map(len, values)) > U64_DIGITS:
            return None
        return {key: int(values[at]) * unit for key, at, unit in self.known}


def _form(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(None, b"0123456789 ")


_last: list[_Form] = []
"""The form of the last file: a guard reads it at each look, and it never changes on a machine."""


def parse(text: str, *, path: str = "<meminfo>") -> Meminfo:
    """Parse the file, kB to bytes; unknown keys are ignored."""
    for form in _last:
        if (known := form.figures(text)) is not None:
            return cast("Meminfo", known)
    figures = _line_by_line(text, path)
    keys = text.replace(" kB\n", "\n").split()[::2]
    places = [(key[:-1], at) for at, key in enumerate(keys) if key[:-1] in KEYS and key[-1] == ":"]
    form = _Form(
        _form(text), keys, [(key, at, 1 if key.startswith("HugePages_") else KIB) for key, at in places]
    )
    if text.isascii() and form.figures(text) == figures:
        _last[:] = [form]
    return cast("Meminfo", figures)


def _line_by_line(text: str, path: str) -> dict[str, int]:
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
    return figures


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
