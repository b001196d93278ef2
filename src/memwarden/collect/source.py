"""What a machine looks like to the collector: directories and files, live or recorded.

:class:`memwarden.host.live.Live` is the machine, :class:`memwarden.collect.archive.Archive` a
recording, :class:`memwarden.collect.recorder.Recorder` a machine that is being recorded. Every path is
the one on the machine that was read (``/proc/meminfo``), wherever its procfs is mounted for us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.errors import ReadError
    from memwarden.state.snapshot import Instant


class Directory(Protocol):
    """One directory, held open: what is read through it belongs to one process or one cgroup.

    Reading raises :class:`memwarden.errors.ReadError` with the kernel's errno name.
    """

    @property
    def path(self) -> str:
        """Absolute path, with bytes that are not UTF-8 as surrogate escapes."""

    @property
    def inode(self) -> int:
        """Inode number; a directory made anew under the same path has another one."""

    def read(self, name: str) -> bytes:
        """The whole content of a file in this directory, from its start."""

    def read_all(self, names: Sequence[str]) -> list[bytes | ReadError]:
        """The contents of some files in this directory; the error in place of one that gave none."""

    def subdirectories(self) -> list[tuple[str, int]]:
        """Names and inode numbers of the directories in this one, in no particular order."""

    def links(self) -> int:
        """Its links: another number where a directory here came or went; 0 where nobody can tell."""

    def child(self, name: str) -> Directory:
        """A directory in this one; links are not followed."""

    def alive(self) -> bool:
        """Whether the directory is still there, for a missing file says nothing about a removed cgroup."""

    def release(self) -> None:
        """Nothing more is read through this directory in this snapshot."""


class Source(Protocol):
    """One machine's files."""

    @property
    def name(self) -> str:
        """What to call it in a message: the file of a recording, or where procfs is."""

    @property
    def live(self) -> bool:
        """Whether what is read is this machine now, so that a trait read from it is probed."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What no file tells: ``page_size_bytes``, ``clk_tck``, ``cpus``, ``arch`` and so on."""

    def instant(self) -> Instant:
        """When the snapshot is taken: now, or when the recording was."""

    def read(self, path: str) -> bytes:
        """The whole content of a file that belongs to the machine, not to a process or cgroup."""

    def processes(self) -> Directory:
        """``/proc``; its children are released after each use."""

    def cgroups(self, path: str) -> Directory:
        """The directory of a cgroup hierarchy; its children are kept from one snapshot to the next."""
