"""Texts put by until it is known how many there are."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE: Final = 1 << 16
"""Bytes that are unpacked at once: texts that are much alike may grow a hundredfold."""


class Kept:
    """Texts in order, packed: a log that kills again and again makes explanations that are much alike.

    ``1 of 5000`` stands above the first text, so that none can be printed before the last is known. Nothing
    is written to a disk: the machine in question may have none to spare.
    """

    def __init__(self) -> None:
        self._packer = zlib.compressobj(1)
        self._packed: list[bytes] = []
        self._sizes: list[int] = []

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, text: str) -> None:
        """Put a text by."""
        data = text.encode("utf-8", "surrogatepass")
        self._sizes.append(len(data))
        if packed := self._packer.compress(data):
            self._packed.append(packed)

    def __iter__(self) -> Iterator[str]:
        unpacker = zlib.decompressobj()
        pieces = iter((*self._packed, self._packer.copy().flush()))
        ready = b""
        for size in self._sizes:
            while len(ready) < size:
                ready += unpacker.decompress(unpacker.unconsumed_tail or next(pieces, b""), _AT_ONCE)
            yield ready[:size].decode("utf-8", "surrogatepass")
            ready = ready[size:]
