"""Reading of files below directories that are held open; no link is ever followed.

The kernel's interface files are read from their start with ``pread``, which makes ``seq_file`` produce
the text anew. An error becomes :class:`memwarden.errors.ReadError` with its errno name.
"""

from __future__ import annotations

import os
from errno import EOPNOTSUPP, errorcode
from typing import Final

from memwarden.errors import ReadError

CHUNK: Final = 1 << 16
FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""``O_NONBLOCK`` so that a FIFO in somebody's idea of a ``/proc`` does not hang us."""
DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# Python knows 95 by the other of its two names.
_NAMES: Final = {**errorcode, EOPNOTSUPP: "EOPNOTSUPP"}


def failed(path: str, error: OSError) -> ReadError:
    """The typed error for an ``OSError``."""
    return ReadError(path, _NAMES.get(error.errno or 0, "EIO"))


def read_fd(fd: int) -> bytes:
    """The whole content of an open file from its start; raises ``OSError``.

    ``fs/seq_file.c:seq_read_iter`` ends a read early between two records, so only an empty read is the end.
    """
    data = os.pread(fd, CHUNK, 0)
    if not data:
        return data
    parts = [data]
    offset = len(data)
    while more := os.pread(fd, CHUNK, offset):
        parts.append(more)
        offset += len(more)
    return data if len(parts) == 1 else b"".join(parts)


def read_record(fd: int) -> bytes:
    """The content of a file that is one record, like most of a process or cgroup; raises ``OSError``.

    ``seq_file`` gives a record that fits in one piece, so that the read that would find the end is saved.
    """
    data = os.pread(fd, CHUNK, 0)
    return data if len(data) < CHUNK else read_fd(fd)


def read_at(directory_fd: int, name: str) -> bytes:
    """The content of a file of one record in an open directory; raises ``OSError``."""
    fd = os.open(name, FILE_FLAGS, dir_fd=directory_fd)
    try:
        return read_record(fd)
    finally:
        os.close(fd)


def open_below(directory_fd: int, relative: str, flags: int) -> int:
    """Open a path below a directory component by component, so that no link on the way is followed either."""
    *above, last = relative.split("/")
    here = directory_fd
    try:
        for part in above:
            below = os.open(part, DIRECTORY_FLAGS, dir_fd=here)
            if here != directory_fd:
                os.close(here)
            here = below
        return os.open(last, flags, dir_fd=here)
    finally:
        if here != directory_fd:
            os.close(here)


def subdirectories(directory_fd: int) -> list[tuple[str, int]]:
    """Names and inode numbers of the directories in an open directory; raises ``OSError``."""
    with os.scandir(directory_fd) as entries:
        return [(entry.name, entry.inode()) for entry in entries if entry.is_dir(follow_symlinks=False)]
