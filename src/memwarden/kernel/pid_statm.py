"""Sizes of a process: ``/proc/PID/statm``.

::

    732 439 410 6 0 89 0

Kernel: Documentation/filesystems/proc.rst table 1-3, ``fs/proc/array.c:proc_pid_statm``. In pages: size,
resident, shared (file and shmem), text, lib (always 0), data and stack, dirty (always 0).
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


class PidStatm(NamedTuple):
    """Bytes; a kernel thread has zero everywhere."""

    total_vm_bytes: int
    rss_bytes: int
    shared_bytes: int
    text_bytes: int
    data_bytes: int


def parse(text: str, *, path: str = "<statm>", page_size: int = 4096) -> PidStatm:
    """Parse the line, pages to bytes of ``page_size``."""
    try:
        size, resident, shared, code, _lib, data, _dirty = [
            unsigned(word) * page_size for word in text.split()
        ]
    except ValueError:
        raise ParseError(path, text, "not seven numbers") from None
    return PidStatm(size, resident, shared, code, data)
