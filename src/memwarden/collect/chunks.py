"""Lines and exact sizes out of a stream of chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ChunkReader:
    """``readline`` and ``read`` over chunks of bytes of any size."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0

    def readline(self, limit: int, /) -> bytes:
        """The next line with its newline; ``limit`` bytes of a longer one, less at the end."""
        while (end := self._buffer.find(b"\n", self._at)) < 0 and len(self._buffer) - self._at < limit:
            if not self._fill():
                break
        stop = len(self._buffer) if end < 0 else end + 1
        return self._take(min(stop - self._at, limit))

    def read(self, size: int, /) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        parts = []
        while len(self._buffer) - self._at < size:
            parts.append(self._buffer[self._at :])
            size -= len(parts[-1])
            self._buffer, self._at = next(self._chunks, b""), 0
            if not self._buffer:
                return b"".join(parts)
        return b"".join((*parts, self._take(size)))

    def _fill(self) -> bool:
        chunk = next(self._chunks, b"")
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)

    def _take(self, size: int) -> bytes:
        taken = self._buffer[self._at : self._at + size]
        self._at += len(taken)
        return taken
