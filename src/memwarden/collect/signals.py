"""Machine-wide signals over time, as CSV: what most monitoring keeps, read as snapshots.

::

    time_s,mem_total_mib,mem_available_mib,swap_total_mib,swap_free_mib,psi_some_avg10,psi_full_avg10
    0,1000,612.5,0,0,0.00,0.00
    1,1000,590,0,0,1.20,

Seconds that rise, MiB, and percent; fractions are allowed, an empty cell is not known. No cgroup and no
process is in it, so that nobody can be named. What the figures imply is put into the snapshots besides:

- memory that is not available is held (``AnonPages``), so that growth can be seen and forecast;
- the stalled time, out of the averages (:mod:`memwarden.rules.psi_average`);
- who stalls for memory waits for reclaim, mostly (``mm/vmscan.c`` is where PSI is told, and of refaults in
  ``mm/filemap.c``): the kernel is taken to scan a page in each millisecond that some task stalls;
- free swap that shrinks was swapped out to: at least so many pages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.errors import InputError
from memwarden.kernel.psi import Psi
from memwarden.rules.psi_average import lines
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.units import MIB, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memwarden.kernel.meminfo import Meminfo
    from memwarden.kernel.vmstat import Vmstat

COLUMNS: Final = (
    "time_s",
    "mem_total_mib",
    "mem_available_mib",
    "swap_total_mib",
    "swap_free_mib",
    "psi_some_avg10",
    "psi_full_avg10",
)
HEADER: Final = ",".join(COLUMNS)
PARTED: Final = {b",": "commas", b";": "semicolons", b"\t": "tabs"}
"""How programs part columns; only the first is read."""
LONGEST_DIGITS: Final = 24
MOST: Final = 4e12
"""Seconds, or MiB: as many microseconds, or bytes, fit 64 bits."""
PAGE_BYTES: Final = 4096
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


class Sample(NamedTuple):
    """One line. Microseconds, bytes, percent; ``None`` where the cell is empty."""

    time_us: int
    total: int | None
    available: int | None
    swap_total: int | None
    swap_free: int | None
    some: float | None
    full: float | None


def read(text: Iterable[str], name: str) -> list[Sample]:
    """The samples of a file's lines. Raises :class:`InputError` with the line of the first that is wrong."""
    found: list[Sample] = []
    number = 0
    for number, raw in enumerate(text, 1):
        line = raw.rstrip("\r\n")
        where = f"{name}:{number}"
        if number == 1:
            _check_header(line, where)
            continue
        sample = _sample(line, where)
        if found and sample.time_us <= found[-1].time_us:
            raise InputError(
                f"{where}: time_s {line.partition(',')[0]} is not after the one before; sort the lines"
            )
        found.append(sample)
    if not found:
        raise InputError(f"{name}:{number + 1}: there is no sample after the header; record some")
    return found


def _check_header(line: str, where: str) -> None:
    if line == HEADER:
        return
    if line.startswith("\ufeff"):
        raise InputError(f"{where}: begins with a byte order mark; save the file as UTF-8 without one")
    for sign, named in PARTED.items():
        if line.replace(sign.decode(), ",") == HEADER:
            raise InputError(f"{where}: the columns are parted by {named}; save the file with commas")
    raise InputError(f"{where}: the header is {line[:80]!r}; it has to be exactly {HEADER}")


def _sample(line: str, where: str) -> Sample:
    if not line.strip():
        raise InputError(f"{where}: this line is empty; take it out")
    cells = line.split(",")
    if len(cells) != len(COLUMNS):
        raise InputError(
            f"{where}: has {len(cells)} cell{'s' if len(cells) > 1 else ''}, not {len(COLUMNS)}; "
            "leave those empty that are not known, between commas"
        )
    time, total, available, swap_total, swap_free, some, full = (
        _number(cell, column, where) for cell, column in zip(cells, COLUMNS, strict=True)
    )
    if time is None:
        raise InputError(f"{where}: time_s is empty; every sample needs its time in seconds")
    for part, whole, names in ((available, total, COLUMNS[1:3]), (swap_free, swap_total, COLUMNS[3:5])):
        if part is not None and whole is not None and part > whole:
            raise InputError(f"{where}: {names[1]} {part:g} is more than {names[0]} {whole:g}; correct it")
    for share, column in ((some, COLUMNS[5]), (full, COLUMNS[6])):
        if share is not None and share > 100:
            raise InputError(f"{where}: {column} {share:g} is more than 100 percent; correct it")
    return Sample(
        round(time * SECOND_US),
        _bytes(total),
        _bytes(available),
        _bytes(swap_total),
        _bytes(swap_free),
        some,
        full,
    )


def _bytes(mib: float | None) -> int | None:
    return None if mib is None else round(mib * MIB)


def _number(cell: str, column: str, where: str) -> float | None:
    if not cell:
        return None
    time = column == COLUMNS[0]
    if cell.startswith("-") and _NUMBER.fullmatch(cell[1:]):
        todo = "count from 0" if time else "leave it empty if it is not known"
        raise InputError(f"{where}: {column} is {cell[:40]}, which is below zero; {todo}")
    if len(cell) > LONGEST_DIGITS or not _NUMBER.fullmatch(cell):
        todo = "every sample needs its time in seconds" if time else "leave it empty if it is not known"
        raise InputError(f"{where}: {column} is {cell[:40]!r}, not a number as 12.5; {todo}")
    if float(cell) >= MOST:
        raise InputError(f"{where}: {column} is {cell[:40]}, which is more than there can be; correct it")
    return float(cell)


def snapshots(samples: Sequence[Sample]) -> Iterator[Snapshot]:
    """What each sample says of its machine."""
    times = [sample.time_us for sample in samples]
    some = lines(times, [sample.some for sample in samples])
    full = lines(times, [sample.full for sample in samples])
    vmstat: Vmstat = {}
    free: int | None = None
    for sample, *pressure in zip(samples, some, full, strict=True):
        stalled = [line.total_us for line in pressure if line is not None]
        if stalled:
            vmstat["pgscan_direct"] = max(vmstat.get("pgscan_direct", 0), max(stalled) // 1000)
        if sample.swap_free is not None:
            out = max((free or 0) - sample.swap_free, 0) // PAGE_BYTES
            vmstat["pswpout"] = vmstat.get("pswpout", 0) + out
            free = sample.swap_free
        yield Snapshot(
            Instant(sample.time_us),
            meminfo=_meminfo(sample),
            vmstat=vmstat.copy(),
            memory_pressure=Psi(*pressure) if stalled else None,
        )


def _meminfo(sample: Sample) -> Meminfo:
    found: Meminfo = {}
    if sample.total is not None:
        found["MemTotal"] = sample.total
    if sample.available is not None:
        found["MemAvailable"] = sample.available
    if sample.total is not None and sample.available is not None:
        found["AnonPages"] = sample.total - sample.available
    if sample.swap_total is not None:
        found["SwapTotal"] = sample.swap_total
    if sample.swap_free is not None:
        found["SwapFree"] = sample.swap_free
    return found
