"""A machine that is read and recorded at once, so that a recording holds exactly the files we read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.collect.hierarchy import MOUNTINFO
from memwarden.collect.rootar import Dir, Failed, File
from memwarden.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memwarden.collect.rootar import Entry
    from memwarden.collect.source import Directory, Source
    from memwarden.state.snapshot import Instant


_KEPT_MOUNT: Final = re.compile(rb" - (cgroup2?|fuse\.lxcfs) |^\d+ \d+ \S+ \S+ / ")
"""Cgroup hierarchies, lxcfs, and the root, which tells a container."""


class Recorder:
    """A :class:`memwarden.collect.source.Source` that keeps what another one gave, errors included."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._instant = source.instant()
        self.name = source.name
        self.live = source.live
        self.entries: dict[str, Entry] = {}
        self.directories: dict[str, RecordedDirectory] = {}
        self.before: dict[str, RecordedDirectory] = {}

    @property
    def facts(self) -> Mapping[str, str]:
        """The facts of the machine and when this snapshot was taken."""
        facts = {**self._source.facts, "taken_monotonic_us": str(self._instant.monotonic_us)}
        if self._instant.wall_us is not None:
            facts["taken_wall_us"] = str(self._instant.wall_us)
        return facts

    def start(self) -> None:
        """Begin another snapshot."""
        self._instant = self._source.instant()
        self.entries = {}
        self.before, self.directories = self.directories, {}

    def instant(self) -> Instant:
        """When this snapshot was taken."""
        return self._instant

    def read(self, path: str) -> bytes:
        """Read and keep a file of the machine."""
        try:
            data = self._source.read(path)
        except ReadError as error:
            self.entries[path] = Failed(error.errno_name)
            raise
        self.entries[path] = File(_without_secrets(path, data))
        return data

    def processes(self) -> Directory:
        """``/proc``, which is no entry of its own."""
        return RecordedDirectory(self, self._source.processes())

    def cgroups(self, path: str) -> Directory:
        """A cgroup hierarchy."""
        return self.opened(path, self._source.cgroups)

    def opened(self, path: str, open_it: Callable[[str], Directory], name: str | None = None) -> Directory:
        """Open and keep a directory; where that fails, the path of the error ends in a slash."""
        try:
            directory = open_it(path if name is None else name)
        except ReadError as error:
            self.entries[path + "/"] = Failed(error.errno_name)
            raise
        self.entries[path] = Dir(directory.inode)
        opened = self.directories[path] = RecordedDirectory(self, directory)
        return opened


def _without_secrets(path: str, data: bytes) -> bytes:
    """Of the mounts, only those that are asked for: others name servers, volumes and users."""
    if path != MOUNTINFO:
        return data
    kept = [line for line in data.splitlines(keepends=True) if _KEPT_MOUNT.search(line)]
    return b"".join(kept)


class RecordedDirectory:
    """A :class:`memwarden.collect.source.Directory` that keeps what it gave."""

    def __init__(self, recorder: Recorder, directory: Directory) -> None:
        self._recorder = recorder
        self._directory = directory
        self.path = directory.path
        self.inode = directory.inode
        self.files: dict[str, Entry] = {}

    def read(self, name: str) -> bytes:
        """Read and keep a file here."""
        try:
            data = self._directory.read(name)
        except ReadError as error:
            self._keep(name, Failed(error.errno_name))
            raise
        self._keep(name, File(data))
        return data

    def read_all(self, names: Sequence[str]) -> list[bytes | ReadError]:
        """Read and keep some files here; what was found of the others before still holds."""
        before = self._recorder.before.get(self.path)
        if before is not None and before.inode == self.inode:
            for name, entry in before.files.items():
                self._keep(name, entry)
        found = self._directory.read_all(names)
        for name, data in zip(names, found, strict=True):
            self._keep(name, Failed(data.errno_name) if isinstance(data, ReadError) else File(data))
        return found

    def _keep(self, name: str, entry: Entry) -> None:
        self.files[name] = entry
        self._recorder.entries[f"{self.path}/{name}"] = entry

    def subdirectories(self) -> list[tuple[str, int]]:
        """The directories here; they are kept when they are opened."""
        return self._directory.subdirectories()

    def links(self) -> int:
        """Its links."""
        return self._directory.links()

    def child(self, name: str) -> Directory:
        """Open and keep a directory here."""
        return self._recorder.opened(f"{self.path}/{name}", self._directory.child, name)

    def alive(self) -> bool:
        """Whether it is still there; if not, nothing read through it is kept, only that it is gone."""
        if self._directory.alive():
            return True
        entries = self._recorder.entries
        below = f"{self.path}/"
        for path in [path for path in entries if path == self.path or path.startswith(below)]:
            del entries[path]
        entries[below] = Failed("ENOENT")
        return False

    def release(self) -> None:
        """Nothing more is read here."""
        self._directory.release()
