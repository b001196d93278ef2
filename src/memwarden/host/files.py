"""Reading of files below directories that are held open; no link is ever followed.

The kernel's interface files are read from their start with ``pread``, which makes ``seq_file`` produce
the text anew. An error becomes :class:`memwarden.errors.ReadError` with its errno name.
"""

from __future__ import annotations

import os
from errno import ENODATA, EOPNOTSUPP, errorcode
from typing import Final

from memwarden.errors import ReadError
from memwarden.kernel import cgroup_marks

CHUNK: Final = 1 << 16
FIRST: Final = 1 << 12
"""Bytes asked for at first; nearly every file has fewer."""
WHOLE: Final = 4000
"""``fs/seq_file.c:seq_read_iter`` ends a read early where the next record does not fit into its buffer,
which is at least a page: what is shorter than a page by a line of a list is the whole file."""
FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""``O_NONBLOCK`` so that a FIFO in somebody's idea of a ``/proc`` does not hang us."""
DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# Python knows 95 by the other of its two names.
_NAMES: Final = {**errorcode, EOPNOTSUPP: "EOPNOTSUPP"}


def failed(path: str, error: OSError) -> ReadError:
    """The typed error for an ``OSError``."""
    return ReadError(path, _NAMES.get(error.errno or 0, "EIO"))


def read_fd(fd: int) -> bytes:
    """The whole content of an open file from its start; raises ``OSError``."""
    data = os.pread(fd, FIRST, 0)
    return data if len(data) < WHOLE else to_the_end(fd, data)


def to_the_end(fd: int, data: bytes) -> bytes:
    """The whole content of an open file that begins with what was read already; raises ``OSError``."""
    parts = [data]
    offset = len(data)
    while more := os.pread(fd, CHUNK, offset):
        parts.append(more)
        offset += len(more)
    return b"".join(parts)


def read_at(directory_fd: int, name: str) -> bytes:
    """The whole content of a file in an open directory; raises ``OSError``."""
    fd = os.open(name, FILE_FLAGS, dir_fd=directory_fd)
    try:
        return read_fd(fd)
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


def marks(directory_fd: int) -> bytes:
    """Owner and marks of an open directory, as :mod:`memwarden.kernel.cgroup_marks` reads them.

    A file system without extended attributes has no marks. ``trusted.`` ones are seen by root only.
    Raises ``OSError``.
    """
    lines = [f"uid {os.fstat(directory_fd).st_uid}"]
    try:
        names = os.listxattr(directory_fd)
    except OSError as error:
        if error.errno != EOPNOTSUPP:
            raise
        names = []
    for name in sorted(set(names).intersection(cgroup_marks.ATTRIBUTES)):
        try:
            value = os.getxattr(directory_fd, name)
        except OSError as error:
            if error.errno != ENODATA:  # else it was taken away meanwhile
                raise
            continue
        # Of a value only what is printable and short can be a boolean.
        word = value.decode("latin-1")
        lines.append(f"{name} {word if len(word) < 8 and word.isprintable() and word.isascii() else '?'}")
    return "".join(f"{line}\n" for line in lines).encode()


def subdirectories(directory_fd: int) -> list[tuple[str, int]]:
    """Names and inode numbers of the directories in an open directory; raises ``OSError``."""
    with os.scandir(directory_fd) as entries:
        return [(entry.name, entry.inode()) for entry in entries if entry.is_dir(follow_symlinks=False)]
