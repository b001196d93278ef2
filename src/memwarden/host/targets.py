"""Whom an intent means: found again by identity, and never one of those that nothing here may touch.

A cgroup is the directory with its inode, held open. A process is held by a pidfd *before* its start time is
compared, so that what is compared, what is signalled and what was decided on are one process. Whoever is
gone, or is somebody else now, raises :class:`Refused` with the sentence for the outcome.
"""

from __future__ import annotations

import os
from errno import EINVAL, EMFILE, ENFILE, ENODEV, ENOENT, ENOMEM, EOPNOTSUPP, EPERM, ESRCH
from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError, ParseError
from memwarden.host import files
from memwarden.host.blocks import Held
from memwarden.kernel import cgroup_procs, pid_cgroup, pid_stat

if TYPE_CHECKING:
    from memwarden.state.intents import CgroupId, ProcessId

PF_KTHREAD: Final = 0x00200000
"""``include/linux/sched.h``."""
INIT: Final = 1
DEPTH: Final = 64
"""How deep a subtree is followed; each level keeps a descriptor open."""


SHORT: Final = (EMFILE, ENFILE, ENOMEM)
"""Not of the cgroup or process: it may be opened the next time, and so this is no reason to give it up."""


class Refused(Exception):  # noqa: N818 - not an error of the program; it ends in the outcome of one intent
    """Nothing is done, for the reason given in one sentence."""


def why(error: OSError) -> str:
    """The reason in an ``OSError``, in words that fit cgroups and processes."""
    if error.errno == ENOENT and "." in str(error.filename).rpartition("/")[2]:
        return f"it has no {error.filename}: this kernel does not offer it, or the cgroup was removed"
    if error.errno in (ENODEV, ENOENT, ESRCH):
        return "it is gone"
    if error.errno == EOPNOTSUPP:
        return "it is a threaded cgroup; its processes are those of the domain above it"
    return error.strerror or f"error {error.errno}"


class Machine:
    """Where cgroups and processes are looked up, and what of it is ourselves."""

    def __init__(self, cgroup_root: str, proc: str = "/proc") -> None:
        self.cgroup_root = cgroup_root
        self.proc = proc
        self.pid = os.getpid()
        try:
            self._root_fd = os.open(cgroup_root, files.DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
        except OSError as error:
            raise InputError(
                f"{cgroup_root}: cannot be opened as the cgroup root: {error.strerror}"
            ) from None
        self.same_pids = _own_pid(proc) == str(self.pid)

    def close(self) -> None:
        """Close the root of the hierarchy."""
        os.close(self._root_fd)

    def open_path(self, path: str) -> int:
        """The directory of a cgroup by its path below the root, ``/`` for the root; raises ``OSError``."""
        below = path.strip("/")
        if any(part in ("", ".", "..") for part in below.split("/") if below):
            raise OSError(EINVAL, "not a path below the root of the hierarchy")
        if not below:
            return os.dup(self._root_fd)
        return files.open_below(self._root_fd, below, files.DIRECTORY_FLAGS)

    def cgroup(self, target: CgroupId) -> Held:
        """The open directory of a cgroup; raises :class:`Refused` when it is gone or was made anew.

        Raises ``OSError`` where that cannot be told just now, as when no descriptor is left.
        """
        try:
            fd = self.open_path(target.path)
        except OSError as error:
            if error.errno in SHORT:
                raise
            raise Refused(f"{target.path}: {why(error)}") from None
        try:
            self._check_cgroup(fd, target)
        except BaseException:
            os.close(fd)
            raise
        return Held(fd)

    @staticmethod
    def _check_cgroup(fd: int, target: CgroupId) -> None:
        inode = os.fstat(fd).st_ino
        if inode != target.inode:
            raise Refused(f"{target.path}: removed and made anew since (inode {target.inode}, now {inode})")

    def process(self, target: ProcessId) -> Held:
        """A pidfd of a process that may be signalled; raises :class:`Refused` for any other.

        Raises ``OSError`` as :meth:`cgroup` does.
        """
        fd = self._open_process(target)
        try:
            self._check_process(target)
        except BaseException:
            os.close(fd)
            raise
        return Held(fd)

    def _open_process(self, target: ProcessId) -> int:
        if target.pid in (INIT, self.pid) or target.pid <= 0:
            raise Refused(f"pid {target.pid}: init and memwarden itself are never touched")
        if not self.same_pids:
            raise Refused(f"pid {target.pid}: {self.proc} belongs to another pid namespace than ours")
        try:
            return os.pidfd_open(target.pid)
        except OSError as error:
            if error.errno in SHORT:
                raise
            raise Refused(f"pid {target.pid}: {why(error)}") from None

    def _check_process(self, target: ProcessId) -> None:
        stat = self.stat(target.pid)
        if stat is None or (stat.state in "ZX" and stat.threads <= 1):
            raise Refused(f"pid {target.pid}: it is gone")
        if stat.start_time_ticks != target.start_time_ticks:
            raise Refused(f"pid {target.pid}: another process has this pid now ({stat.comm})")
        if stat.flags & PF_KTHREAD:
            raise Refused(f"pid {target.pid}: {stat.comm} is a kernel thread")

    def stat(self, pid: int) -> pid_stat.PidStat | None:
        """``/proc/PID/stat``, ``None`` for a process that is gone."""
        try:
            fd = os.open(f"{self.proc}/{pid}/stat", files.FILE_FLAGS)
            try:
                return pid_stat.parse(os.fsdecode(files.read_fd(fd)))
            finally:
                os.close(fd)
        except (OSError, ParseError):
            return None

    def sample(self) -> tuple[str, int] | None:
        """A cgroup to try things on, since the root lacks the files: our own, else the first there is."""
        try:
            fd = os.open(f"{self.proc}/self/cgroup", files.FILE_FLAGS & ~os.O_NOFOLLOW)
            try:
                paths = [one.path for one in pid_cgroup.parse(os.fsdecode(files.read_fd(fd)))]
            finally:
                os.close(fd)
        except (OSError, ParseError):
            paths = []
        paths += [f"/{name}" for name, _ in files.subdirectories(self._root_fd)]
        for path in paths:
            try:
                if path.strip("/"):
                    return path, self.open_path(path)
            except OSError:
                continue
        return None

    def members(self, directory_fd: int, path: str) -> list[int]:
        """The processes of a cgroup's subtree as we can name them.

        Raises :class:`Refused` where init or memwarden itself is among them, which covers our own cgroup, all
        above it and the root, whatever namespace their paths are seen from.
        """
        if path.strip("/") == "":
            raise Refused("/: the root cgroup is never touched")
        try:
            pids = processes(directory_fd)
        except OSError as error:
            raise Refused(f"{path}: {why(error)}") from None
        for pid, who in ((INIT, "init"), (self.pid, "memwarden itself")):
            if pid in pids:
                raise Refused(f"{path}: {who} is in it")
        return pids


def processes(directory_fd: int, depth: int = DEPTH) -> list[int]:
    """Pids in a cgroup and all below it; raises ``OSError`` where the topmost cannot be read.

    Pid 0, a process of another pid namespace, is left out. A threaded cgroup below a domain has its
    processes listed in the domain's file.
    """
    pids = [pid for pid in cgroup_procs.parse(files.read_at(directory_fd, "cgroup.procs").decode()) if pid]
    if depth and os.fstat(directory_fd).st_nlink != 2:
        for name, _ in files.subdirectories(directory_fd):
            try:
                below = os.open(name, files.DIRECTORY_FLAGS, dir_fd=directory_fd)
            except OSError as error:
                if error.errno in (ENOENT, ENODEV):
                    continue  # removed meanwhile, so nobody is in it
                raise
            try:
                pids += processes(below, depth - 1)
            except OSError as error:
                if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):
                    raise
            finally:
                os.close(below)
    return pids


def _own_pid(proc: str) -> str:
    try:
        return os.readlink(f"{proc}/self")
    except OSError as error:
        if error.errno in (ENOENT, EINVAL, EPERM):
            return ""
        raise
