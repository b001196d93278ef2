"""A log file that grows, is truncated and is rotated, as ``tail -F`` reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.host.logs import CHUNK
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.host.clock import Clock

INTERVAL_US: Final = SECOND_US // 2


def follow(path: str, clock: Clock, *, interval_us: int = INTERVAL_US) -> Iterator[bytes]:
    """The file from its start, then what is added, without end; an empty chunk is given before each wait.

    A file that shrinks is read from its start, one that is replaced is read to its end and then the new one.
    Raises :class:`InputError` when the file cannot be opened at first; later it is waited for.
    """
    fd = _open(path)
    if fd is None:
        raise InputError(f"{path}: cannot be opened to follow it; does the file exist?")
    try:
        while True:
            yield from _new(fd)
            yield b""
            clock.sleep_us(interval_us)
            if os.fstat(fd).st_size < os.lseek(fd, 0, os.SEEK_CUR):
                os.lseek(fd, 0, os.SEEK_SET)
            elif _replaced(path, fd) and (fresh := _open(path)) is not None:
                yield from _new(fd)  # what was written between the last read and the rotation
                os.close(fd)
                fd = fresh
    finally:
        os.close(fd)


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _new(fd: int) -> Iterator[bytes]:
    while chunk := os.read(fd, CHUNK):
        yield chunk


def _replaced(path: str, fd: int) -> bool:
    try:
        there = os.stat(path)
    except OSError:
        return False  # between the rename and the new file
    here = os.fstat(fd)
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
