"""Text in, reports out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.reader import Reader
from memwarden.postmortem.scan import Scan
from memwarden.postmortem.stream import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import OomReport


def find_reports(
    chunks: Iterable[bytes], *, file: str = "-", scan: Scan | None = None
) -> Iterator[OomReport]:
    """The OOM reports of a stream of bytes, in order; ``file`` is the name they carry.

    The stream is read once, forwards, in chunks of any size; memory stays bounded whatever its length.
    Lines count from 1 in the text as given. ``scan`` is filled with what the stream was like.
    No input raises: what cannot be read is counted or left out.
    """
    scan = scan if scan is not None else Scan(file)
    lines = Lines(chunks, scan)
    reader = Reader(file)
    while lines.seek():
        while (block := lines.block()) is not None:
            lines.skip(reader.read(block, lines.number))
            yield from reader.assembler.take()
            if reader.bored:
                break
        reader.pause()
        lines.watch()
    scan.lines = lines.number - 1
    reader.assembler.close()
    yield from reader.assembler.take()
