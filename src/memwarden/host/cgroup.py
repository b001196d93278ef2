"""Cgroups of this machine: held by directory descriptor, known by inode, kept from one snapshot to the next.

What a cgroup holds is asked for most often and stays open first, then the files that change all the time,
then the others, as far as the allowance goes; what may not stay open is opened through the directory at each
read. An open file of a cgroup costs the kernel more than a page, so a caller that is frugal allows few.
"""

from __future__ import annotations

import os
from array import array
from errno import ENODEV, ENOENT
from os import pread
from typing import TYPE_CHECKING, Final

from memwarden.errors import ReadError
from memwarden.host import files
from memwarden.host.directory import exists
from memwarden.host.files import FIRST, WHOLE
from memwarden.kernel import cgroup_marks

if TYPE_CHECKING:
    from collections.abc import Sequence

HOT: Final = frozenset(
    (
        "memory.current",
        "memory.stat",
        "memory.events",
        "memory.events.local",
        "memory.pressure",
        "memory.swap.current",
        "memory.usage_in_bytes",
        "memory.memsw.usage_in_bytes",
        "memory.failcnt",
        "memory.oom_control",
    )
)
"""Files that change with every page charged; limits and the like change when somebody writes them."""
USAGE: Final = frozenset(("memory.current", "memory.usage_in_bytes"))
"""Files that tell whether the others are worth reading."""
HOT_TURN: Final = 1
"""When a cgroup is read for the second time."""
CLOSED: Final = -1
_PLACES: Final[dict[str, int]] = {}
"""Names of files that were kept open anywhere, to the place of their descriptors in each directory, where
a dictionary of 15 of them is 1 KiB."""
LEAF_LINKS: Final = 2
"""``fs/kernfs/inode.c:kernfs_refresh_inode``: a directory has two links and one for each directory in it."""


class Allowance:
    """How many more descriptors may be kept open, and of what.

    When a cgroup is met only what tells how much it holds, so that every one has that; when it is read again
    what changes all the time; then all else, unless ``hot_only``. With ``hot_only`` the files of who was
    first are closed for others, since those that are read at a time are few, and not always the same.
    """

    __slots__ = ("_holders", "hot_only", "left", "most")

    def __init__(self, most: int, *, hot_only: bool = False) -> None:
        self.left = self.most = most
        self.hot_only = hot_only
        self._holders: dict[CgroupDirectory, None] = {}
        """Who has more than the usage open, the first that came first."""

    def for_directory(self) -> bool:
        """Whether a directory may stay open: half is for files."""
        return self.left > self.most // 2

    def for_file(self, directory: CgroupDirectory, name: str) -> bool:
        """Whether a file may stay open; an eighth is for others than the usage."""
        if name in USAGE:
            return self.left > self.most // 8
        if directory.turn < HOT_TURN or (name not in HOT and (self.hot_only or directory.turn == HOT_TURN)):
            return False
        if self.left <= 0 and self.hot_only:
            self._make_room(directory)
        if self.left > 0:
            self._holders[directory] = None
            return True
        return False

    def _make_room(self, directory: CgroupDirectory) -> None:
        first = next(iter(self._holders), directory)
        if first is not directory:
            first.close_files(keep=USAGE)

    def let_go(self, directory: CgroupDirectory) -> None:
        """It has nothing but the usage open."""
        self._holders.pop(directory, None)


class CgroupDirectory:
    """A :class:`memwarden.collect.source.Directory` that keeps its descriptors if the allowance lets it."""

    __slots__ = ("allowance", "children", "fd", "fds", "inode", "kept", "name", "parent", "path", "turn")

    def __init__(
        self, path: str, fd: int, allowance: Allowance, parent: CgroupDirectory | None = None, name: str = ""
    ) -> None:
        self.path = path
        self.inode = os.fstat(fd).st_ino
        self.fd: int | None = fd
        self.fds = array("i")
        """Descriptors of files, by :data:`_PLACES`."""
        self.children: dict[str, CgroupDirectory] = {}
        self.allowance = allowance
        self.parent = parent
        self.name = name
        self.turn = 0
        """How often it was released, up to more than :data:`HOT_TURN`."""
        self.kept = allowance.for_directory()
        if self.kept:
            allowance.left -= 1

    def read(self, name: str) -> bytes:
        """The whole content of a file here."""
        try:
            fds = self.fds
            place = _PLACES.get(name, CLOSED)
            if not 0 <= place < len(fds) or (fd := fds[place]) == CLOSED:
                return self._read_closed(name)
            data = pread(fd, FIRST, 0)
            return data if len(data) < WHOLE else files.to_the_end(fd, data)
        except OSError as error:
            raise self._failed(name, error) from None

    def _failed(self, name: str, error: OSError) -> ReadError:
        if error.errno == ENODEV:
            self.close_files()
        return files.failed(f"{self.path}/{name}", error)

    def read_all(self, names: Sequence[str]) -> list[bytes | ReadError]:
        """The contents of some files here, or their errors; the innermost loop of a snapshot."""
        found: list[bytes | ReadError] = []
        add = found.append
        fds, place_of, count = self.fds, _PLACES.get, len(self.fds)
        for name in names:
            place = place_of(name, count)
            if place < count and (fd := fds[place]) != CLOSED:
                try:
                    data = pread(fd, FIRST, 0)
                    add(data if len(data) < WHOLE else files.to_the_end(fd, data))
                except OSError as error:
                    add(self._failed(name, error))
                continue
            try:
                add(self.read(name))
            except ReadError as error:
                add(error)
        return found

    def _read_closed(self, name: str) -> bytes:
        if name == cgroup_marks.FILE:
            return files.marks(self._open())
        fd = os.open(name, files.FILE_FLAGS, dir_fd=self._open())
        if self.allowance.for_file(self, name):
            self._keep(name, fd)
            return files.read_fd(fd)
        try:
            return files.read_fd(fd)
        finally:
            os.close(fd)

    def _keep(self, name: str, fd: int) -> None:
        place = _PLACES.setdefault(name, len(_PLACES))
        self.fds.extend([CLOSED] * (place + 1 - len(self.fds)))
        self.fds[place] = fd
        self.allowance.left -= 1

    def subdirectories(self) -> list[tuple[str, int]]:
        """The cgroups below; those that are gone or were made anew are let go."""
        try:
            fd = self._open()
            found = [] if os.fstat(fd).st_nlink == LEAF_LINKS else files.subdirectories(fd)
        except OSError as error:
            raise files.failed(self.path, error) from None
        if self.children:
            inodes = dict(found)
            for name in [name for name, kept in self.children.items() if inodes.get(name) != kept.inode]:
                self.children.pop(name).close()
        return found

    def links(self) -> int:
        """One for each cgroup here, and :data:`LEAF_LINKS`; 0 when it is gone."""
        try:
            return os.fstat(self._open()).st_nlink
        except OSError:
            return 0

    def child(self, name: str) -> CgroupDirectory:
        """A cgroup here: the one already held, as far as the last listing knew, or a newly opened one."""
        child = self.children.get(name)
        if child is None:
            path = f"{self.path}/{name}" if self.path != "/" else f"/{name}"
            try:
                fd = os.open(name, files.DIRECTORY_FLAGS, dir_fd=self._open())
            except OSError as error:
                raise files.failed(path, error) from None
            child = self.children[name] = CgroupDirectory(path, fd, self.allowance, self, name)
        return child

    def alive(self) -> bool:
        """Whether the cgroup is still there."""
        try:
            return exists(self._open())
        except OSError as error:
            return error.errno not in (ENODEV, ENOENT)

    def release(self) -> None:
        """Close the directory if it may not be kept; reading through it opens it again. A root stays open."""
        if self.turn <= HOT_TURN:
            self.turn += 1
        if not self.kept and self.parent is not None and self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def _open(self) -> int:
        if self.fd is None:
            self._reopen()
        assert self.fd is not None
        return self.fd

    def _reopen(self) -> None:
        """Open again what was released, from the nearest directory above that is open."""
        chain: list[CgroupDirectory] = []
        above: CgroupDirectory | None = self
        while above is not None and above.fd is None:
            chain.append(above)
            above = above.parent
        assert above is not None, "a root stays open"
        fd = above.fd
        try:
            for directory in reversed(chain):
                below = os.open(directory.name, files.DIRECTORY_FLAGS, dir_fd=fd)
                if fd != above.fd and fd is not None:
                    os.close(fd)
                fd = below
                if os.fstat(fd).st_ino != directory.inode:
                    raise OSError(ENODEV, "another cgroup has this name now")  # noqa: TRY301 - closed below
        except OSError:
            if fd != above.fd and fd is not None:
                os.close(fd)
            raise
        self.fd = fd

    def close_files(self, *, keep: frozenset[str] = frozenset()) -> None:
        """Close the files, not the directory."""
        spared = {_PLACES.get(name) for name in keep}
        for place, fd in enumerate(self.fds):
            if fd != CLOSED and place not in spared:
                os.close(fd)
                self.fds[place] = CLOSED
                self.allowance.left += 1
        self.allowance.let_go(self)

    def close(self) -> None:
        """Let go of everything held here and below."""
        waiting = [self]
        while waiting:
            directory = waiting.pop()
            waiting.extend(directory.children.values())
            directory.children.clear()
            directory.close_files()
            if directory.fd is not None:
                os.close(directory.fd)
                directory.fd = None
            if directory.kept:
                directory.kept = False
                directory.allowance.left += 1
