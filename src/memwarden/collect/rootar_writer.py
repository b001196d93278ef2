"""Writes a recording, one snapshot after another: cut off, it is readable up to its last whole snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from memwarden.collect.rootar import MAGIC, VERSION, Dir, Failed, File, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.collect.rootar import Entry


class Out(Protocol):
    """What the writer needs of a binary file."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""

    def flush(self) -> object:
        """Pass on what was taken."""


class Writer:
    """Writes to ``out``; entries that did not change since the snapshot before become ``SAME``.

    ``snapshots`` is how many have been written.
    """

    def __init__(self, out: Out) -> None:
        self._out = out
        self._count = 0
        self.snapshots = 0
        self._facts: dict[str, str] = {}
        self._previous: Mapping[str, Entry] = {}

    def snapshot(self, facts: Mapping[str, str], entries: Mapping[str, Entry]) -> None:
        """One snapshot. ``facts`` has to have ``taken_monotonic_us``; only what changed of it is written."""
        parts: list[bytes] = []
        if not self.snapshots:
            self._out.write(b"%s %d\n" % (MAGIC, VERSION))
        else:
            parts.append(f"SNAP {self.snapshots} {facts['taken_monotonic_us']}\n".encode())
            self._facts["taken_monotonic_us"] = facts["taken_monotonic_us"]
            self._facts.pop("taken_wall_us", None)
        parts.extend(
            f"FACT {key} {_one_line(value)}\n".encode("utf-8", "surrogateescape")
            for key, value in facts.items()
            if self._facts.get(key) != value
        )
        self._facts.update(facts)
        parts.extend(self._line(path, entry) for path, entry in entries.items())
        self._count += len(parts)
        self.snapshots += 1
        self._previous = entries
        self._out.write(b"".join(parts))
        self._out.flush()

    def _line(self, path: str, entry: Entry) -> bytes:
        if self._previous.get(path) == entry:
            return b"SAME %s\n" % escape(path)
        if isinstance(entry, File):
            return b"FILE %d %s\n%s\n" % (len(entry.data), escape(path), entry.data)
        if isinstance(entry, Dir):
            return b"DIR %d %s\n" % (entry.inode, escape(path))
        if isinstance(entry, Failed):
            return b"ERR %s %s\n" % (entry.errno_name.encode(), escape(path))
        return b"LINK %d %s\n%s\n" % (len(entry.target), escape(path), entry.target)

    def finish(self) -> None:
        """The line that says that nothing is missing."""
        self._out.write(b"END %d\n" % self._count)
        self._out.flush()


def _one_line(value: str) -> str:
    return value.replace("\n", " ")
