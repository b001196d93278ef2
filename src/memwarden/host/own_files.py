"""Files that memwarden keeps for itself, in directories that nobody else can write to.

Everything is opened by name in a directory that is held open, and no link is followed. What ``write(2)`` was
given is there for whoever reads after a kill -9; nothing is synced, since a guard must not wait for a disk.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from errno import EACCES, ELOOP, ENOSPC, EPERM, EWOULDBLOCK
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.host import files
from memwarden.host.blocks import Suppress
from memwarden.host.unix_socket import Socket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STATE: Final = "/var/lib/memwarden"
"""What survives a boot."""
MODE: Final = 0o600
FLAGS: Final = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
MIB: Final = 1 << 20


def own_directory(path: str, *, purpose: str) -> int:
    """Open a directory nobody else can write to, made if it is missing; raises :class:`InputError`."""
    try:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        fd = os.open(path, files.DIRECTORY_FLAGS)
    except OSError as error:
        todo = "run as root, or name another directory" if _refused(error) else "name another directory"
        raise InputError(f"{path}: cannot be used for {purpose}: {error.strerror}; {todo}") from None
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        os.close(fd)
        raise InputError(
            f"{path}: others can write there; it must belong to who runs memwarden, with mode 0700"
        )
    return fd


def _refused(error: OSError) -> bool:
    """Whether somebody else may do it."""
    return error.errno in (EACCES, EPERM)


class Lines:
    """Lines that are appended to a file; where it is full it becomes NAME.1 and so on, and is begun anew."""

    def __init__(self, directory_fd: int, name: str, *, most_bytes: int = 8 * MIB, keep: int = 4) -> None:
        """Raises ``OSError``. A line that was torn by a crash is ended by the next, which stands alone."""
        self._directory_fd = directory_fd
        self.name = name
        self._most_bytes = most_bytes
        self._keep = keep
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size
        self._torn = bool(self._size) and os.pread(self._fd, 1, self._size - 1) != b"\n"

    def _open(self) -> int:
        return os.open(self.name, os.O_RDWR | os.O_APPEND | FLAGS, MODE, dir_fd=self._directory_fd)

    def append(self, line: bytes) -> None:
        """Write one line, with its newline, wholly or not at all; raises ``OSError``."""
        if self._size and self._size + len(line) > self._most_bytes:
            self._rotate()
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        if written < len(line):  # no space: half a line is not left for the next to be glued to
            with Suppress(OSError):
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)  # others may write here, too
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        self._size += written
        self._torn = False

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = f"{self.name}.{number}"
            newer = f"{self.name}.{number - 1}" if number > 1 else self.name
            with Suppress(FileNotFoundError):
                os.rename(newer, older, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        fresh = self._open()
        os.close(self._fd)
        self._fd, self._size, self._torn = fresh, os.fstat(fresh).st_size, False

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


def lines_of(directory: str, name: str) -> Iterator[bytes]:
    """The lines of a file that :class:`Lines` wrote, the latest first, through the ones it became before.

    Raises :class:`InputError` when there is none, or when it may not be read.
    """
    for number in itertools.count():
        path = f"{directory}/{name}.{number}" if number else f"{directory}/{name}"
        try:
            fd = os.open(path, files.FILE_FLAGS)
        except FileNotFoundError:
            if number:
                return
            raise InputError(
                f"{path}: there is none; memwarden guard writes it, and --state names where it does"
            ) from None
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            lines = files.read_fd(fd).splitlines()
        except OSError as error:
            raise _unreadable(path, error) from None
        finally:
            os.close(fd)
        yield from reversed(lines)


def _unreadable(path: str, error: OSError) -> InputError:
    if error.errno == ELOOP:  # by O_NOFOLLOW
        return InputError(f"{path}: is a link, which is not followed; --state names the folder of the guard")
    todo = "try with sudo" if _refused(error) else "--state names the folder of the guard"
    return InputError(f"{path}: cannot be read: {error.strerror}; {todo}")


class Blocks:
    """A file of a fixed size whose blocks are written again and again; its space is taken at once.

    Nobody else has it open so: a guard beside another one, in a dry run, would write over its blocks.
    """

    def __init__(self, directory_fd: int, name: str, *, size: int) -> None:
        """Raises ``OSError``, where the disk has no room for it above all."""
        self._fd = os.open(name, os.O_RDWR | FLAGS, MODE, dir_fd=directory_fd)
        try:
            self._take()
            if os.fstat(self._fd).st_size != size:
                os.ftruncate(self._fd, 0)
                self._allocate(size)
        except OSError:
            os.close(self._fd)
            raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(EWOULDBLOCK, "another guard writes it") from None

    def _allocate(self, size: int) -> None:
        try:
            os.posix_fallocate(self._fd, 0, size)
        except OSError:
            os.ftruncate(self._fd, 0)  # what there was room for is not kept from others who need it
            raise

    def fileno(self) -> int:
        """To read it by."""
        return self._fd

    def write(self, offset: int, data: bytes) -> None:
        """Write a block; raises ``OSError``."""
        os.pwrite(self._fd, data, offset)

    def read(self, offset: int, size: int) -> bytes:
        """Read some of it; raises ``OSError``."""
        return os.pread(self._fd, size, offset)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


class Folders:
    """Folders of a few files each, named in the order of time; only the latest are kept."""

    def __init__(self, directory_fd: int, name: str, *, most: int) -> None:
        """Raises ``OSError``."""
        with Suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=directory_fd)
        self._fd = os.open(name, files.DIRECTORY_FLAGS, dir_fd=directory_fd)
        self._most = most

    def names(self) -> list[str]:
        """Those that are there, the oldest first."""
        return sorted(name for name, _ in files.subdirectories(self._fd))

    def add(self, name: str, contents: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        """Make one with these files, after those that are too many are gone; raises ``OSError``.

        It has its name only once it is complete.
        """
        for old in self.names()[: -self._most + 1 or None]:
            self._remove(old)
        partial = f".{name}"
        os.mkdir(partial, 0o700, dir_fd=self._fd)
        fd = os.open(partial, files.DIRECTORY_FLAGS, dir_fd=self._fd)
        try:
            for file, pieces in contents:
                _write_new(fd, file, pieces)
        except OSError:
            self._remove(partial)
            raise
        finally:
            os.close(fd)
        os.rename(partial, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def _remove(self, name: str) -> None:
        fd = os.open(name, files.DIRECTORY_FLAGS, dir_fd=self._fd)
        try:
            for file in os.listdir(fd):
                os.unlink(file, dir_fd=fd)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=self._fd)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


def folders_of(directory: str, name: str) -> list[str]:
    """Paths of what :class:`Folders` made, the latest first; nothing where there is none."""
    path = f"{directory}/{name}"
    try:
        fd = os.open(path, files.DIRECTORY_FLAGS)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        found = files.subdirectories(fd)
    finally:
        os.close(fd)
    return [f"{path}/{one}" for one in sorted((one for one, _ in found), reverse=True) if one[0] != "."]


def content_of(path: str) -> bytes:
    """A file of ours, empty where it cannot be read."""
    try:
        fd = os.open(path, files.FILE_FLAGS)
    except OSError:
        return b""
    try:
        return files.read_fd(fd)
    except OSError:  # a directory
        return b""
    finally:
        os.close(fd)


def own_socket(directory: str, name: str) -> Socket:
    """A socket to listen on, for its owner alone, in place of what a dead process left there.

    Raises :class:`InputError` where somebody listens there, or it cannot be made.
    """
    path = f"{directory}/{name}"
    if _answers(path):
        raise InputError(f"{path}: another guard listens there; this one is not heard")
    found = Socket.stream()
    try:
        with Suppress(FileNotFoundError):
            os.unlink(path)
        found.bind(path)
        os.chmod(path, MODE)
    except OSError as error:
        found.close()
        raise InputError(f"{path}: cannot be listened on: {error.strerror or error}") from None
    return found


def _answers(path: str) -> bool:
    """Whether somebody listens on a socket."""
    other = Socket.stream()
    other.setblocking(False)
    try:
        return other.connect_ex(path) == 0
    except OSError:  # a path too long for any socket
        return False
    finally:
        other.close()


def _write_new(directory_fd: int, name: str, pieces: Iterable[bytes]) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_EXCL | FLAGS, MODE, dir_fd=directory_fd)
    try:
        for piece in pieces:
            if os.write(fd, piece) < len(piece):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
    finally:
        os.close(fd)
