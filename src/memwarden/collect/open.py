"""The machine or the recording that a command line names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.collect import rootar
from memwarden.collect.archive import Archive
from memwarden.collect.chunks import ChunkReader
from memwarden.host import logs
from memwarden.host.live import Live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.collect.source import Source


def open_source(root: str | None, proc: str = "/proc", *, keep: int = 0) -> Source:
    """This machine with its procfs at ``proc``, or the last whole snapshot of the recording ``root``.

    ``keep`` is how many descriptors of cgroups may stay open between snapshots. Raises :class:`InputError`.
    """
    if root is None:
        return Live(proc, keep=keep)
    recorded = archives(root)
    last = next(recorded)  # there is one, or it raises
    for last in recorded:  # noqa: B007 - the last one is what is wanted
        pass
    return last


def archives(path: str, notes: list[str] | None = None) -> Iterator[Archive]:
    """All snapshots of a recording in order; ``-`` is standard input, compression is seen by its magic.

    ``notes`` gets a sentence when the recording was cut off behind a whole snapshot.
    """
    stream = logs.open_file(path, binary=True)
    for recorded in rootar.read(ChunkReader(stream), stream.name, notes):
        yield Archive(recorded, stream.name)
    if notes is not None:
        notes.extend(stream.notes)
