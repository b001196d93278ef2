"""The cgroups of one hierarchy, v2 or v1, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.collect.cgroup_survey import Known, Surveyor
from memwarden.collect.leniency import gap
from memwarden.errors import ReadError
from memwarden.state.gaps import Gap, GapReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.collect.hierarchy import Hierarchy
    from memwarden.collect.leniency import Reading
    from memwarden.collect.source import Directory
    from memwarden.state.cgroup import Cgroup

DEEP: Final = 32
"""Levels whose directories are kept open on the way down; those below are opened again when needed."""
ONLY_V2: Final = "memory.min, memory.low, memory.high, memory.pressure and memory.events are of cgroup v2"


class CgroupReader:
    """Reads all cgroups of a hierarchy; kept from one snapshot to the next.

    A cgroup is surveyed when it is met first. From then on the files it has are read in one go, and only what
    says something else than last time is parsed: most of a machine is idle. ``marks`` asks for the owners and
    extended attributes of the directories too; ``only`` reads no other files of a v2 cgroup than these.
    """

    def __init__(
        self, hierarchy: Hierarchy, *, marks: bool = False, only: frozenset[str] | None = None
    ) -> None:
        self._hierarchy = hierarchy
        self._surveyor = Surveyor(hierarchy.version, marks=marks, only=only)
        self._known: dict[str, Known] = {}

    def read(self, reading: Reading) -> dict[str, Cgroup]:
        """All cgroups by path, pre-order, children in the order of their names."""
        mount_point = self._hierarchy.mount_point
        try:
            root = reading.source.cgroups(mount_point)
        except ReadError as error:
            reading.gaps.append(gap(error, mount_point))
            return {}
        if self._hierarchy.version == 1:
            reading.gaps.append(Gap(mount_point, GapReason.NOT_SUPPORTED, ONLY_V2))
        walk = _Walk(reading, self._surveyor, self._known)
        self._known = walk.run(root)
        return {path: known.cgroup for path, known in self._known.items()}


class _Walk:
    """One walk over the tree."""

    def __init__(self, reading: Reading, surveyor: Surveyor, last: dict[str, Known]) -> None:
        self._reading = reading
        self._surveyor = surveyor
        self._last = last
        self._found: dict[str, Known] = {}

    def run(self, root: Directory) -> dict[str, Known]:
        """Pre-order, without recursion: users nest cgroups as deep as they like."""
        above: list[_Open] = []
        self._enter("/", root, above)
        while above:
            here = above[-1]
            name = next(here.names, None)
            if name is None:
                above.pop().leave()
                continue
            directory = self._open(here.directory, name)
            if len(above) > DEEP:
                here.directory.release()
            if directory is not None:
                path = f"{here.prefix}/{name}"
                if self._enter(path, directory, above):
                    here.children.append(path)
        return self._found

    def _enter(self, path: str, directory: Directory, above: list[_Open]) -> bool:
        """Read a cgroup, and keep it open if there is anything below; false when it is gone."""
        known = self._read(path, directory)
        if known is None:
            self._reading.gaps.append(Gap(directory.path, GapReason.GONE))
            directory.release()
            return False
        self._reading.gaps.extend(known.gaps)
        self._found[path] = known
        # Without the count, or with children to let go, only the directory itself can tell.
        if known.cgroup.descendants == 0 and not known.cgroup.children:
            directory.release()
            return True
        try:
            names = sorted([name for name, _ in directory.subdirectories()])
        except ReadError as error:
            names = []
            self._reading.gaps.append(gap(error, directory.path))
        above.append(_Open(known, directory, "" if path == "/" else path, iter(names)))
        return True

    def _read(self, path: str, directory: Directory) -> Known | None:
        known = self._last.get(path)
        if known is not None and known.inode == directory.inode:
            datas = directory.read_all(known.names)
            if datas == known.datas or known.update(datas):
                return known
        return self._surveyor.survey(path, directory)

    def _open(self, directory: Directory, name: str) -> Directory | None:
        try:
            return directory.child(name)
        except ReadError as error:
            gone = error.errno_name in ("ENOENT", "ENODEV")  # it was in the listing just now
            self._reading.gaps.append(Gap(error.path, GapReason.GONE) if gone else gap(error, error.path))
            return None


class _Open:
    """A cgroup whose children are being read."""

    __slots__ = ("children", "directory", "known", "names", "prefix")

    def __init__(self, known: Known, directory: Directory, prefix: str, names: Iterator[str]) -> None:
        self.known = known
        self.directory = directory
        self.prefix = prefix
        self.names = names
        self.children: list[str] = []

    def leave(self) -> None:
        """All children have been read."""
        self.directory.release()
        children = tuple(self.children)
        if children != self.known.cgroup.children:
            self.known.cgroup = self.known.cgroup._replace(children=children)
