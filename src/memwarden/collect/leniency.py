"""What the collector forgives, by name: each leniency is a kernel behaviour that leaves a value absent.

The readers and parsers are strict; here their errors become gaps. Every entry of ``LENIENCIES`` has a
test that provokes it (tests/collect/test_leniencies.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from memwarden.errors import InputError, ParseError, ReadError
from memwarden.state.gaps import Gap, GapReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.collect.source import Directory, Source

T = TypeVar("T")

PASSING: Final = frozenset({"ENOMEM", "EINTR", "EAGAIN"})
"""Errors that say nothing about the file: what it said last is likely to hold."""
NOT_NOW: Final = "not at this moment"
"""The detail of their gaps."""


class Leniency(NamedTuple):
    """A kernel behaviour that leaves a value absent without anything being wrong."""

    name: str
    errno_names: frozenset[str]
    reason: GapReason
    kernel: str


LENIENCIES: Final = (
    Leniency(
        "no-such-file",
        frozenset({"ENOENT", "ENOTDIR"}),
        GapReason.NO_FILE,
        "this kernel has no such interface, or the cgroup is the root or has not that controller",
    ),
    Leniency(
        "not-recorded",
        frozenset({"ENODATA"}),
        GapReason.NO_FILE,
        "no kernel: the file was not read when the recording was made",
    ),
    Leniency(
        "vanished-cgroup",
        frozenset({"ENODEV"}),
        GapReason.GONE,
        "fs/kernfs/file.c:kernfs_seq_start: the cgroup of an open file, or its controller, was removed",
    ),
    Leniency(
        "vanished-process",
        frozenset({"ESRCH"}),
        GapReason.GONE,
        "fs/proc/base.c:proc_single_show: the process of an open directory has exited",
    ),
    Leniency(
        "psi-off",
        frozenset({"EOPNOTSUPP", "ENOTSUP"}),
        GapReason.NOT_SUPPORTED,
        "kernel/sched/psi.c:psi_show with psi=0; cgroup.c:cgroup_procs_start in a threaded cgroup",
    ),
    Leniency(
        "refused-read",
        frozenset({"EINVAL", "EIO", "ENXIO"}),
        GapReason.NOT_SUPPORTED,
        "the file is there but cannot be read",
    ),
    Leniency(
        "no-permission",
        frozenset({"EACCES", "EPERM"}),
        GapReason.NOT_PERMITTED,
        "smaps_rollup needs ptrace access (fs/proc/task_mmu.c); hidepid=; a container's masked files",
    ),
    Leniency(
        "no-plain-file",
        frozenset({"ELOOP", "ESPIPE", "EISDIR"}),
        GapReason.NOT_SUPPORTED,
        "no kernel: a link, a FIFO or a directory where an interface file should be; links are not followed",
    ),
    Leniency(
        "not-now",
        PASSING,
        GapReason.NOT_SUPPORTED,
        "fs/seq_file.c:seq_read_iter: no memory for the text; fs/locks.c: somebody has a lease on the file",
    ),
    Leniency(
        "no-descriptors",
        frozenset({"EMFILE", "ENFILE"}),
        GapReason.NOT_SUPPORTED,
        "no kernel: we, or the machine, have as many files open as the limit allows",
    ),
    Leniency(
        "dead-fuse",
        frozenset({"ENOTCONN"}),
        GapReason.NOT_SUPPORTED,
        "fs/fuse: the daemon behind the file has died, as lxcfs does under /proc/meminfo",
    ),
)

_BY_ERRNO: Final = {errno: leniency for leniency in LENIENCIES for errno in leniency.errno_names}
_DETAILS: Final = {
    **dict.fromkeys(PASSING, NOT_NOW),
    "ENODATA": "not in the recording",
    "EOPNOTSUPP": "EOPNOTSUPP",
    "ENOTSUP": "EOPNOTSUPP",
    "EINVAL": "EINVAL",
    "EIO": "EIO",
    "ENXIO": "ENXIO",
    "ELOOP": "a symbolic link",
    "ESPIPE": "a FIFO",
    "EISDIR": "a directory",
    "EMFILE": "too many open files: raise the limit (ulimit -n)",
    "ENFILE": "too many open files on this machine",
    "ENOTCONN": "the FUSE daemon behind it has died",
}


def gap(error: ReadError | ParseError, path: str) -> Gap:
    """The gap an error leaves; for one that is no leniency raises :class:`InputError`."""
    if isinstance(error, ParseError):
        where = f"line {error.line_number}: " if error.line_number else ""
        return Gap(path, GapReason.MALFORMED, f"{where}{error.reason}: {error.line!r}")
    leniency = _BY_ERRNO.get(error.errno_name)
    if leniency is None:
        raise InputError(
            f"{path}: cannot be read: {error.errno_name}, which the kernel is not expected to give; report it"
        ) from error
    return Gap(path, leniency.reason, _DETAILS.get(error.errno_name, ""))


class Reading:
    """Reads for one snapshot, turning what is forgiven into gaps."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.gaps: list[Gap] = []

    def file(self, path: str, parse: Callable[[str], T]) -> T | None:
        """A parsed file of the machine, ``None`` with a gap where it gave nothing."""
        try:
            return parse(decode(self.source.read(path)))
        except (ReadError, ParseError) as error:
            self.gaps.append(gap(error, path))
            return None

    def at(self, directory: Directory, name: str, parse: Callable[[str], T]) -> T | None:
        """A parsed file of a process or cgroup, ``None`` with a gap where it gave nothing."""
        try:
            return parse(decode(directory.read(name)))
        except (ReadError, ParseError) as error:
            self.gaps.append(gap(error, f"{directory.path}/{name}"))
            return None


def decode(data: bytes) -> str:
    """Kernel text; names in it may hold any bytes."""
    return data.decode("utf-8", "surrogateescape")
