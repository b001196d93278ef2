"""A directory held open for as long as one process or cgroup is read.

Everything read through it belongs to the same one: ``fs/proc/base.c`` ties a ``/proc/PID`` directory to the
process it was opened for, so a pid that is used again gives errors, not another process's figures.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.errors import ReadError
from memwarden.host import files

if TYPE_CHECKING:
    from collections.abc import Sequence


class OpenDirectory:
    """A :class:`memwarden.collect.source.Directory` of this machine that is closed when it is released."""

    __slots__ = ("_fd", "inode", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.inode = os.fstat(fd).st_ino
        self._fd = fd

    def read(self, name: str) -> bytes:
        """The whole content of a file here."""
        try:
            return files.read_at(self._fd, name)
        except OSError as error:
            raise files.failed(f"{self.path}/{name}", error) from None

    def read_all(self, names: Sequence[str]) -> list[bytes | ReadError]:
        """The contents of some files here, or their errors."""
        return [self._read_or_error(name) for name in names]

    def _read_or_error(self, name: str) -> bytes | ReadError:
        try:
            return self.read(name)
        except ReadError as error:
            return error

    def subdirectories(self) -> list[tuple[str, int]]:
        """The directories here."""
        try:
            return files.subdirectories(self._fd)
        except OSError as error:
            raise files.failed(self.path, error) from None

    def links(self) -> int:
        """Of ``/proc`` nobody can tell."""
        return 0

    def child(self, name: str) -> OpenDirectory:
        """A directory here, to be released by the caller."""
        path = f"{self.path}/{name}"
        try:
            return OpenDirectory(path, os.open(name, files.DIRECTORY_FLAGS, dir_fd=self._fd))
        except OSError as error:
            raise files.failed(path, error) from None

    def alive(self) -> bool:
        """Whether the process, or the directory, is still there."""
        return exists(self._fd)

    def release(self) -> None:
        """Close it."""
        os.close(self._fd)


def exists(directory_fd: int) -> bool:
    """Whether an open directory of a process or a cgroup is still in its file system.

    A living one is never empty. ``fs/readdir.c:iterate_dir`` refuses one that was removed with ENOENT,
    which the C library reports as the end of the directory.
    """
    try:
        with os.scandir(directory_fd) as entries:
            return next(entries, None) is not None
    except OSError:
        return True  # it is there, but not for us to list
