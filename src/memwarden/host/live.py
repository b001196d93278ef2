"""This machine as a :class:`memwarden.collect.source.Source`."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT
from typing import TYPE_CHECKING

from memwarden.errors import InputError
from memwarden.host import facts, files
from memwarden.host import self as ourselves
from memwarden.host.cgroup import Allowance, CgroupDirectory
from memwarden.host.clock import SystemClock
from memwarden.host.directory import OpenDirectory
from memwarden.state.snapshot import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.host.clock import Clock


class Live:
    """The machine below some roots; read as often as one likes.

    ``proc`` is where its procfs is mounted for us, ``base`` where everything else is. ``keep`` is how many
    descriptors of cgroups may stay open between snapshots, as far as our limit on open files goes
    (:func:`memwarden.host.self.raise_file_limit`); ``hot_only``, those of files that change all the time.
    ``config`` looks for facts in the kernel's build configuration too.
    """

    live = True

    def __init__(
        self,
        proc: str = "/proc",
        base: str = "/",
        *,
        keep: int = 0,
        hot_only: bool = False,
        config: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.facts: Mapping[str, str] = facts.facts(config=config)
        self.name = proc
        self._clock = clock or SystemClock()
        self._base = base
        self._proc_fd = _open_root(proc, "--proc")
        self._base_fd = _open_root(base, "the root directory")
        self._files: dict[str, int] = {}
        self._cgroups: dict[str, CgroupDirectory] = {}
        self._allowance = Allowance(ourselves.files_to_keep(keep), hot_only=hot_only)

    def instant(self) -> Instant:
        """Now."""
        return Instant(self._clock.monotonic_us(), self._clock.wall_us())

    def read(self, path: str) -> bytes:
        """The whole content of a file of the machine; the file stays open."""
        try:
            fd = self._files.get(path)
            if fd is None:
                fd = self._files[path] = self._open_file(path)
            return files.read_fd(fd)
        except OSError as error:
            raise files.failed(path, error) from None

    def _open_file(self, path: str) -> int:
        if path.startswith("/proc/self/"):
            return files.open_below(self._proc_fd, self._own_pid() + path[10:], files.FILE_FLAGS)
        if path.startswith("/proc/"):
            return files.open_below(self._proc_fd, path[6:], files.FILE_FLAGS)
        return files.open_below(self._base_fd, path[1:], files.FILE_FLAGS)

    def _own_pid(self) -> str:
        """Our pid as this procfs has it: that of the PID namespace it was mounted for."""
        try:
            pid = os.readlink("self", dir_fd=self._proc_fd)
        except OSError as error:
            if error.errno == EINVAL:  # not a link: somebody unpacked a recording
                return "self"
            raise
        if not pid.isdecimal():
            raise OSError(ENOENT, "self is not a link to a process")
        return pid

    def processes(self) -> OpenDirectory:
        """``/proc``; what it returns is closed by the caller."""
        return OpenDirectory("/proc", os.dup(self._proc_fd))

    def cgroups(self, path: str) -> CgroupDirectory:
        """The directory of a cgroup hierarchy, the same one at each call."""
        known = self._cgroups.get(path)
        if known is None:
            below = os.path.join(self._base, path[1:])
            try:
                fd = os.open(below, files.DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
            except OSError as error:
                raise files.failed(path, error) from None
            known = self._cgroups[path] = CgroupDirectory(path, fd, self._allowance)
        return known

    def close(self) -> None:
        """Close everything."""
        for directory in self._cgroups.values():
            directory.close()
        for fd in (*self._files.values(), self._proc_fd, self._base_fd):
            os.close(fd)


def _open_root(path: str, option: str) -> int:
    # A link that the user names is followed; no other is.
    try:
        return os.open(path, files.DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened as {option}: {error.strerror}") from error
