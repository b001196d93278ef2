"""Records in blocks of a file that is written round and round, readable whatever its writer died of.

A block is 4 KiB: ``MWF1``, where in it the first record begins (65535: nowhere), how many bytes are used,
a number that counts blocks, a CRC-32 of all of that but itself and of the used bytes. The number modulo the
count of blocks is the place in the file. Records follow each other over the ends of blocks, each behind its
length in four bytes. Blocks are as large as pages, and written whole, so that a page which is not in memory
need not be read from a disk first.
"""

from __future__ import annotations

from binascii import crc32
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC: Final = b"MWF1"
BLOCK: Final = 4096
HEAD: Final = Struct("<4sHHQI")
ROOM: Final = BLOCK - HEAD.size
NOWHERE: Final = 0xFFFF
LENGTH: Final = 4


class Block(NamedTuple):
    """One valid block: its number, where its first record begins, and its used bytes."""

    number: int
    first: int
    used: bytes


class Framer:
    """Turns records into blocks, from block ``number`` on."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        """Of the block that is being filled."""
        self._used = bytearray()
        self._first = NOWHERE

    def add(self, records: Iterable[bytes]) -> list[tuple[int, bytes]]:
        """Number and bytes of each block that has to be written; the last one will be written again."""
        done = []
        for record in records:
            data = len(record).to_bytes(LENGTH, "little") + record
            at = 0
            if self._first == NOWHERE:
                self._first = len(self._used)
            while at < len(data):
                room = ROOM - len(self._used)
                self._used += data[at : at + room]
                at += room
                if len(self._used) == ROOM:
                    done.append((self.number, self._block()))
                    self.number += 1
                    self._used.clear()
                    self._first = NOWHERE
        if self._used:
            done.append((self.number, self._block()))
        return done

    def _block(self) -> bytes:
        used = bytes(self._used)
        checked = crc32(used, _crc(self._first, len(used), self.number))
        return HEAD.pack(MAGIC, self._first, len(used), self.number, checked) + used.ljust(ROOM, b"\0")


def _crc(first: int, used: int, number: int) -> int:
    return crc32(HEAD.pack(MAGIC, first, used, number, 0))


def parse(data: bytes) -> Block | None:
    """A block; ``None`` for one that was never written, or was torn."""
    if len(data) < BLOCK:
        return None
    magic, first, used, number, checked = HEAD.unpack_from(data)
    if magic != MAGIC or used > ROOM or (first > used and first != NOWHERE):
        return None
    content = data[HEAD.size : HEAD.size + used]
    return Block(number, first, content) if crc32(content, _crc(first, used, number)) == checked else None


def is_flight(data: bytes) -> bool:
    """Whether a file that begins so is of blocks; the first of them may be torn."""
    return MAGIC in (data[:4], data[BLOCK : BLOCK + 4])


def blocks_of(data: bytes) -> list[Block]:
    """The valid blocks of a file, in the order of their numbers."""
    found = [parse(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    return sorted(block for block in found if block is not None)


def records_of(blocks: Iterable[Block]) -> Iterator[bytes | None]:
    """The records of blocks in order; ``None`` where some are missing, so that none builds on them."""
    waiting = bytearray()
    expected: int | None = None
    begun = False
    for block in blocks:
        used, first = block.used, block.first
        follows = block.number == expected and (first == NOWHERE or _goes_on(waiting, used, first))
        expected = block.number + 1
        if not follows:
            if begun:
                yield None
            waiting.clear()
            if first == NOWHERE:
                expected = None
                continue
            used = used[first:]
        begun = True
        waiting += used
        while len(waiting) >= LENGTH:
            end = LENGTH + int.from_bytes(waiting[:LENGTH], "little")
            if len(waiting) < end:
                break
            yield bytes(waiting[LENGTH:end])
            del waiting[:end]


def _goes_on(waiting: bytearray, used: bytes, first: int) -> bool:
    """Whether the record that is waited for ends where the block's first one begins."""
    if not waiting:
        return first == 0
    begun = waiting + used[:first]
    return len(begun) >= LENGTH and len(begun) == LENGTH + int.from_bytes(begun[:LENGTH], "little")
