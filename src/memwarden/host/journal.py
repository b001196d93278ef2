"""The undo journal: written before a change that has to be undone, read at the next start.

It lies in a directory of ours below ``/run``, because what it is about, cgroups and processes, does not
outlive the boot either; a journal of another boot is void. That is why nothing is synced to a disk: what
``write(2)`` was given is there for whoever starts after a kill -9, and after a crash of the machine there is
nothing to undo. Next to it is a lock, held for as long as a guard lives: two guards would undo each other.
"""

from __future__ import annotations

import fcntl
import os
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.host import files, undo
from memwarden.host.blocks import Suppress
from memwarden.host.own_files import own_directory

if TYPE_CHECKING:
    from memwarden.host.undo import Entry
    from memwarden.state.intents import Target

DIRECTORY: Final = "/run/memwarden"
NAME: Final = "undo"
LOCK: Final = "lock"
COMPACT_AT: Final = 1 << 16
"""Bytes at which the file is written anew with what is still to be undone."""
MOST: Final = 4096
"""Changes that may wait to be undone; a guard with more of them has lost its way."""


class Journal:
    """The journal of one guard, which holds the lock. ``damaged`` counts lines that could not be read."""

    def __init__(self, directory: str = DIRECTORY, *, boot: str | None = None) -> None:
        """Raises :class:`InputError` where the directory is not ours alone or another guard runs."""
        self.directory = directory
        self._directory_fd = own_directory(directory, purpose="the undo journal")
        self._lock_fd = self._take_lock()
        self._header = undo.header(boot if boot is not None else boot_id())
        self._fd = self._open(NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        found = self._found()
        self._entries = found.entries
        self._last = found.last
        self.damaged = found.damaged

    def _open(self, name: str, flags: int) -> int:
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = os.open(name, flags, 0o600, dir_fd=self._directory_fd)
        except OSError as error:
            raise InputError(f"{self.directory}/{name}: cannot be opened: {error.strerror}") from None
        if not S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InputError(f"{self.directory}/{name}: is no plain file; remove it")
        return fd

    def _take_lock(self) -> int:
        fd = self._open(LOCK, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise InputError(
                f"another guard runs here (pid {holder}, it holds {self.directory}/{LOCK}); stop it first"
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
        return fd

    def _found(self) -> undo.Read:
        data = files.read_fd(self._fd)
        if not data.startswith(self._header):
            os.ftruncate(self._fd, 0)
            self._write(self._fd, self._header)
            return undo.Read({}, 0, undo.damaged_header(data))
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._fd, whole)
        return undo.read(data[len(self._header) : whole])

    def pending(self) -> tuple[Entry, ...]:
        """What has to be undone, the latest first: later changes were made on top of earlier ones."""
        return tuple(reversed(self._entries.values()))

    @property
    def waiting(self) -> int:
        """How many changes wait to be undone."""
        return len(self._entries)

    def find(self, kind: str, target: Target) -> Entry | None:
        """The change of that kind to a cgroup or process that waits to be undone."""
        for entry in self._entries.values():
            if entry.kind == kind and entry.target == target:
                return entry
        return None

    def begin(self, kind: str, target: Target, was: str = "", now: str = "") -> Entry:
        """Write down a change that is about to be made; raises :class:`InputError` when it cannot be."""
        if len(self._entries) >= MOST:
            raise InputError(f"{self.directory}/{NAME}: {MOST} changes wait to be undone; no more are made")
        entry = undo.Entry(self._last + 1, kind, target, was, now)
        self._append(undo.line(entry))
        self._last = entry.number
        self._entries[entry.number] = entry
        return entry

    def done(self, entry: Entry) -> None:
        """Write down that a change was undone, or was never made.

        Where even that cannot be written, the next start finds a change that is not there any more, or that
        it undoes once more; neither does harm.
        """
        if self._entries.pop(entry.number, None) is None:
            return
        self._last += 1
        with Suppress(InputError):
            if self._entries and os.fstat(self._fd).st_size < COMPACT_AT:
                self._append(undo.done_line(self._last, entry.number))
            else:
                self._compact()

    def _append(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            self._write(self._fd, data)
        except InputError:
            os.ftruncate(self._fd, size)  # half a line is not left for the next one to be glued to
            raise

    def _write(self, fd: int, data: bytes) -> None:
        try:
            written = os.write(fd, data)
        except OSError as error:
            raise InputError(f"{self.directory}/{NAME}: cannot be written: {error.strerror}") from None
        if written != len(data):
            raise InputError(f"{self.directory}/{NAME}: cannot be written: no space is left")

    def _compact(self) -> None:
        """Keep only what is still to be undone: in place when that is nothing, else in a new file."""
        lines = b"".join(map(undo.line, self._entries.values()))
        if not lines:
            os.ftruncate(self._fd, len(self._header))
            return
        new = self._open(NAME + ".new", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        try:
            self._write(new, self._header + lines)
        except InputError:
            os.close(new)
            os.unlink(NAME + ".new", dir_fd=self._directory_fd)
            raise
        os.rename(NAME + ".new", NAME, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        os.close(self._fd)
        self._fd = new

    def close(self) -> None:
        """Give the lock back. What waits to be undone stays written down."""
        for fd in (self._fd, self._lock_fd, self._directory_fd):
            os.close(fd)


def boot_id(proc: str = "/proc") -> str:
    """What this boot is called; raises :class:`InputError` where it has no name."""
    path = f"{proc}/sys/kernel/random/boot_id"
    try:
        fd = os.open(path, files.FILE_FLAGS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; --proc names where procfs is") from None
    try:
        return files.read_fd(fd).decode().strip()
    finally:
        os.close(fd)
