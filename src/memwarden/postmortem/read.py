"""Text in, reports out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.assemble import Assembler
from memwarden.postmortem.kinds import kind_of
from memwarden.postmortem.transport.prefix import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import OomReport


def find_reports(chunks: Iterable[bytes], *, file: str) -> Iterator[OomReport]:
    """The OOM reports of a stream of bytes, in order; ``file`` is the name they carry.

    Memory stays bounded whatever the size; lines count from 1 in the text as given.
    """
    assembler = Assembler(file)
    number = 0
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for raw in lines:
            number += 1
            stamp, message = split(raw.decode("utf-8", "backslashreplace"))
            message = message.strip()
            assembler.feed(number, stamp, kind_of(message), message)
        yield from assembler.take()
    if rest:
        stamp, message = split(rest.decode("utf-8", "backslashreplace"))
        assembler.feed(number + 1, stamp, kind_of(message.strip()), message.strip())
    assembler.close()
    yield from assembler.take()
