"""A recording of any kind as snapshots: an archive of files, a flight recorder's ring, or signals as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.collect import flight_blocks, rootar, signals
from memwarden.collect.archive import Archive
from memwarden.collect.chunks import ChunkReader
from memwarden.collect.flight import Decoder
from memwarden.collect.snapshot import Collector
from memwarden.collect.woken import Woken
from memwarden.errors import InputError
from memwarden.host import logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from memwarden.state.snapshot import Snapshot

LONGEST_LINE: Final = 1 << 12
NEEDED: Final = flight_blocks.BLOCK + 4
"""Bytes that tell a ring whose first block is torn."""
LARGEST_RING: Final = 1 << 28
LEAST_COMMAS: Final = 3
"""A first line with fewer is no header that somebody spelled wrongly."""


class Recording(NamedTuple):
    """What was recorded; ``notes`` gets a sentence where it was cut off, once the snapshots were taken.

    ``kind``: an ``archive`` of memwarden record, a ``flight`` recorder's ring, which has no processes, or
    ``signals``, which name nobody.
    """

    name: str
    kind: Literal["archive", "flight", "signals"]
    snapshots: Iterator[Snapshot]
    notes: list[str]


def open_recording(path: str) -> Recording:
    """A recording by its file, ``-`` for standard input; compression and kind are seen from what is in it.

    Raises :class:`InputError`, for what is wrong further down only when that is reached.
    """
    stream = logs.open_file(path, binary=True)
    chunks = iter(stream)
    first = next(chunks, b"")
    while len(first) < len(rootar.MAGIC) and (more := next(chunks, b"")):
        first += more
    name, notes = stream.name, stream.notes
    if first.startswith(rootar.MAGIC):
        reader = ChunkReader(_again(first, chunks))
        return Recording(name, "archive", _archives(reader, name, notes), notes)
    while len(first) < NEEDED and (more := next(chunks, b"")):
        first += more
    if flight_blocks.is_flight(first):
        return Recording(name, "flight", _flight(first, chunks, name, notes), notes)
    reader = ChunkReader(_again(first, chunks))
    if not first:
        raise InputError(f"{name}: is empty; record or copy it again")
    head = first.partition(b"\n")[0]
    if max(map(head.count, signals.PARTED)) < LEAST_COMMAS:
        raise InputError(
            f"{name}: is neither a recording of memwarden record --interval, nor of a flight recorder, nor "
            f"CSV whose first line is {signals.HEADER}"
        )
    samples = signals.read(_lines(reader, name), name)
    return Recording(name, "signals", signals.snapshots(samples), notes)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _archives(reader: ChunkReader, name: str, notes: list[str]) -> Iterator[Snapshot]:
    for recorded in rootar.read(reader, name, notes):
        yield Collector(Archive(recorded, name), marks=True).snapshot()


def _flight(first: bytes, rest: Iterator[bytes], name: str, notes: list[str]) -> Iterator[Snapshot]:
    """A ring has no order in the file: it is read whole, which is some MiB."""
    data = bytearray(first)
    for chunk in rest:
        data += chunk
        if len(data) > LARGEST_RING:
            raise InputError(f"{name}: is larger than any ring of a flight recorder")
    decoder = Decoder()
    for one in decoder.read(flight_blocks.records_of(flight_blocks.blocks_of(bytes(data)))):
        if not isinstance(one, Woken):
            yield one
    if decoder.skipped:
        notes.append(f"{name}: {decoder.skipped} records build on ones that were overwritten or torn")


def _lines(reader: ChunkReader, name: str) -> Iterator[str]:
    number = 0
    while line := reader.readline(LONGEST_LINE):
        number += 1
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{name}:{number}: is not UTF-8; save the file as UTF-8") from error
