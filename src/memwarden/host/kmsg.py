"""The kernel log of this machine: ``/dev/kmsg`` record by record, or ``syslog(2)`` where that is missing.

A line may be written into it, too, where the guard is asked to.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EPIPE
from typing import TYPE_CHECKING, Final

from memwarden.host.blocks import Suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH: Final = "/dev/kmsg"
RECORD: Final = 1 << 14
"""Bytes for one record; ``kernel/printk/printk.c:devkmsg_read`` refuses to cut one (EINVAL)."""
LINE: Final = 900
"""Bytes of a line that is written; ``kernel/printk/printk.c:devkmsg_write`` refuses 1 KiB and more."""
USER: Final = 1 << 3
"""``LOG_USER``: the facility of what the kernel did not say itself."""
SYSLOG_ACTION_READ_ALL: Final = 3
SYSLOG_ACTION_SIZE_BUFFER: Final = 10


class Kmsg:
    """The log from its oldest record on. ``lost`` counts records that were overwritten before we came.

    ``ended``: nothing will come any more, so that this is no log. In containers it may be ``/dev/null``.
    """

    def __init__(self, path: str = PATH, *, read: Callable[[int, int], bytes] = os.read) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._read = read
        self._next: int | None = None
        self.lost = 0
        self.ended = False

    def fileno(self) -> int:
        """For ``poll``."""
        return self._fd

    def skip(self) -> None:
        """Leave out what is there now (``kernel/printk/printk.c:devkmsg_llseek``).

        What is new cannot be told by the stamps: they are of ``local_clock``, which is not set right as
        ``CLOCK_MONOTONIC`` is, and after weeks differ from that by seconds.
        """
        with Suppress(OSError):  # a pipe, which has no old records
            os.lseek(self._fd, 0, os.SEEK_END)

    def records(self) -> Iterator[bytes]:
        """What is there now, one record at a time, as :mod:`memwarden.kernel.kmsg` parses it."""
        while True:
            try:
                record = self._read(self._fd, RECORD)
            except OSError as error:
                if error.errno == EPIPE:  # the next record was overwritten; the read after it goes on
                    continue
                if error.errno == EAGAIN:
                    return
                raise
            if not record:
                self.ended = True
                return
            self._count(record)
            yield record

    def _count(self, record: bytes) -> None:
        fields = record[:64].split(b",", 2)
        if len(fields) > 1 and fields[1].isdigit():
            sequence = int(fields[1])
            if self._next is not None and sequence > self._next:
                self.lost += sequence - self._next
            self._next = sequence + 1

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


def syslog() -> bytes:
    """The whole log as ``dmesg --raw`` prints it, without taking anything from it; raises ``OSError``."""
    import ctypes  # noqa: PLC0415 - only where /dev/kmsg cannot be read

    libc = ctypes.CDLL(None, use_errno=True)
    size = libc.klogctl(SYSLOG_ACTION_SIZE_BUFFER, None, 0)
    buffer = ctypes.create_string_buffer(max(size, RECORD))
    got = libc.klogctl(SYSLOG_ACTION_READ_ALL, buffer, len(buffer))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return buffer.raw[:got]


def open_to_write(path: str = PATH) -> int:
    """The log, to write lines into; raises ``OSError``."""
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def say(fd: int, text: str, priority: int) -> None:
    """Write one line; raises ``OSError``. The kernel itself drops lines where there are too many."""
    line = f"<{USER | priority}>memwarden: {text}".replace("\n", " ").encode("utf-8", "backslashreplace")
    os.write(fd, line[:LINE])
