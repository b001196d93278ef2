"""The flight recorder: the last minutes of beats and looks in a ring, a file of a fixed size.

It is written with ``pwrite(2)`` alone, so that what was written is there whatever the guard dies of: the page
cache survives it. Nothing is encoded or written while something is to be done: what was seen waits for
:meth:`Recorder.flush`, which encodes it and leaves the file to the writer's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.collect import flight_blocks
from memwarden.collect.flight import Encoder
from memwarden.collect.flight_blocks import BLOCK, Framer
from memwarden.collect.woken import Woken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.guard.pulse import Beat, Reply
    from memwarden.host.own_files import Blocks
    from memwarden.host.writer import Writer
    from memwarden.state.snapshot import Snapshot

NAME: Final = "flight"
SIZE: Final = 16 << 20
WAITING: Final = 16
"""Beats and looks that may wait for a flush; one turn makes four at most."""


class Recorder:
    """``dropped`` counts what did not fit the queue or could not be written, ``error`` says why."""

    def __init__(self, blocks: Blocks, writer: Writer, *, size: int = SIZE) -> None:
        """Goes on behind the last block of the guard before, which stays until it is overwritten."""
        self._blocks = blocks
        self._writer = writer
        self._count = size // BLOCK
        self._framer = Framer(self._last() + 1)
        self._encoder = Encoder(key_every=size // 32)
        self._waiting: list[Snapshot | Woken] = []
        self.dropped = 0
        self.error = ""

    def _last(self) -> int:
        heads = (self._blocks.read(number * BLOCK, BLOCK) for number in range(self._count))
        return max((block.number for block in map(flight_blocks.parse, heads) if block), default=-1)

    def beat(self, beat: Beat, reply: Reply) -> None:
        """Keep a wake-up."""
        self._keep(
            Woken(
                beat.now_us,
                beat.total_bytes,
                beat.available_bytes,
                beat.swap_free_bytes,
                beat.full_us,
                beat.some_us,
                beat.late_us,
                beat.signalled,
                reply.alarm,
            )
        )

    def look(self, snapshot: Snapshot) -> None:
        """Keep what was looked at."""
        self._keep(snapshot)

    def _keep(self, one: Snapshot | Woken) -> None:
        if len(self._waiting) < WAITING:
            self._waiting.append(one)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Hand over what waits. While the disk hangs, half of what may wait is left to what is rarer."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        encoder = self._encoder
        records = [encoder.woken(one) if isinstance(one, Woken) else encoder.look(one) for one in waiting]
        blocks, count = self._framer.add(records), len(records)
        self._writer.put(
            lambda: self._write(blocks), BLOCK * len(blocks), lambda why: self._failed(count, why), share=2
        )

    def _write(self, blocks: list[tuple[int, bytes]]) -> None:
        for number, data in blocks:
            self._blocks.write(number % self._count * BLOCK, data)

    def _failed(self, count: int, why: str) -> None:
        self.dropped += count
        self.error = why

    def latest(self, size: int) -> Iterator[bytes]:
        """The last blocks as of now in order, ``size`` bytes at most: a file to be read like the ring.

        They are read when they are asked for, which is for the writer's thread.
        """
        return self._until(self._framer.number, size)

    def _until(self, last: int, size: int) -> Iterator[bytes]:
        for number in range(max(last + 1 - min(size // BLOCK, self._count), 0), last + 1):
            data = self._blocks.read(number % self._count * BLOCK, BLOCK)
            block = flight_blocks.parse(data)
            if block is not None and block.number == number:
                yield data

    def close(self) -> None:
        """Hand over what waits, and have the file closed after it."""
        self.flush()
        self._writer.put(self._blocks.close, 0, lambda why: self._failed(0, why))
