"""A recording read as if it were the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.collect.rootar import Dir, Failed, File, Recorded
from memwarden.errors import InputError, ReadError
from memwarden.state.snapshot import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memwarden.collect.rootar import Entry


class Archive:
    """One snapshot of a recording, as a :class:`memwarden.collect.source.Source`."""

    live = False

    def __init__(self, recorded: Recorded, name: str) -> None:
        self.name = name
        self.facts: Mapping[str, str] = recorded.facts
        self._entries = recorded.entries
        self._children = _children(recorded.entries)

    def instant(self) -> Instant:
        """When the recording was made, by its facts; a machine's clock starts at 0 where it has none."""
        wall = self.facts.get("taken_wall_us")
        return Instant(
            self._us("taken_monotonic_us", "0"), None if wall is None else self._us("taken_wall_us", wall)
        )

    def _us(self, key: str, value: str) -> int:
        try:
            return int(self.facts.get(key, value))
        except ValueError as error:
            raise InputError(
                f"{self.name}: FACT {key} is {self.facts[key]!r}, not microseconds; record it again"
            ) from error

    def read(self, path: str, absent: str = "ENODATA") -> bytes:
        """The recorded content or error; where nothing was recorded, the error ``absent``."""
        entry = self._entries.get(path)
        if isinstance(entry, File):
            return entry.data
        raise ReadError(path, entry.errno_name if isinstance(entry, Failed) else absent)

    def processes(self) -> ArchiveDirectory:
        """``/proc``."""
        return self.directory("/proc")

    def cgroups(self, path: str) -> ArchiveDirectory:
        """A cgroup hierarchy."""
        return self.directory(path)

    def directory(self, path: str) -> ArchiveDirectory:
        """A recorded directory, or one that is only implied by the paths of its files."""
        failed = self._entries.get(path + "/")
        if isinstance(failed, Failed):
            raise ReadError(path, failed.errno_name)
        entry = self._entries.get(path)
        if not isinstance(entry, Dir) and path not in self._children:
            raise ReadError(path, "ENODATA")
        return ArchiveDirectory(self, path, entry.inode if isinstance(entry, Dir) else 0)

    def subdirectories(self, path: str) -> list[tuple[str, int]]:
        """The directories below a path; one that failed to open when it was recorded is among them."""
        found = []
        for name in self._children.get(path, ()):
            below = _join(path, name)
            entry = self._entries.get(below)
            if isinstance(entry, Dir):
                found.append((name, entry.inode))
            elif below in self._children or below + "/" in self._entries:
                found.append((name, 0))
        return found


class ArchiveDirectory:
    """A directory of a recording, as a :class:`memwarden.collect.source.Directory`."""

    def __init__(self, archive: Archive, path: str, inode: int) -> None:
        self._archive = archive
        self.path = path
        self.inode = inode

    def read(self, name: str) -> bytes:
        """The recorded content of a file here. A directory is recorded with its files: ENOENT for others."""
        return self._archive.read(_join(self.path, name), "ENOENT")

    def read_all(self, names: Sequence[str]) -> list[bytes | ReadError]:
        """The recorded contents of some files here, or their errors."""
        return [self._read_or_error(name) for name in names]

    def _read_or_error(self, name: str) -> bytes | ReadError:
        try:
            return self.read(name)
        except ReadError as error:
            return error

    def subdirectories(self) -> list[tuple[str, int]]:
        """The directories here."""
        return self._archive.subdirectories(self.path)

    def links(self) -> int:
        """Nobody can tell."""
        return 0

    def child(self, name: str) -> ArchiveDirectory:
        """A directory here."""
        return self._archive.directory(_join(self.path, name))

    def alive(self) -> bool:
        """Always: what vanished while it was recorded stands there as an error."""
        return True

    def release(self) -> None:
        """Nothing is held."""


def _join(path: str, name: str) -> str:
    return f"/{name}" if path == "/" else f"{path}/{name}"


def _children(entries: Mapping[str, Entry]) -> dict[str, dict[str, None]]:
    """Every directory, also those only implied by a path, with the names in it."""
    found: dict[str, dict[str, None]] = {}
    for path in entries:
        below = path.rstrip("/") or "/"  # the error of a directory ends in a slash
        while below != "/":
            above, _, name = below.rpartition("/")
            names = found.setdefault(above or "/", {})
            known = name in names
            names[name] = None
            if known:
                break
            below = above or "/"
    return found
