"""The cgroups of one hierarchy, v2 or v1, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from memwarden.collect import cgroup_v1, cgroup_v2
from memwarden.collect.leniency import decode, gap
from memwarden.errors import ParseError, ReadError
from memwarden.state.cgroup import Cgroup, parent_path
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.collect.hierarchy import Hierarchy
    from memwarden.collect.leniency import Reading
    from memwarden.collect.source import Directory

PRESENT: Final = frozenset({"EACCES", "EPERM", "EINVAL"})
"""Errors of reading a file that can only be written, also for root (``fs/kernfs/file.c:kernfs_fop_open``)."""
Fields: TypeAlias = dict[str, Any]
"""Names and values of fields of a Cgroup."""
Parsed: TypeAlias = dict[str, tuple[bytes, Any]]
"""File of a cgroup to what it said and what that meant."""
ONLY_V2: Final = "memory.min, memory.low, memory.high, memory.pressure and memory.events are of cgroup v2"


class CgroupReader:
    """Reads all cgroups of a hierarchy; kept from one snapshot to the next.

    A file that a cgroup with the memory controller does not have is a file that this kernel does not have: it
    is not asked for again. Pressure files are, because they can be switched off for a single cgroup. A file
    that says what it said last time, as most of an idle machine does, is not parsed again.
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._v2 = hierarchy.mode is CgroupMode.V2
        self._files = cgroup_v2.FILES if self._v2 else cgroup_v1.FILES
        self._usage = cgroup_v2.USAGE if self._v2 else cgroup_v1.USAGE
        self._absent: set[str] = set()
        self._present: dict[str, bool] = {}
        self._last: dict[str, Parsed] = {}

    def read(self, reading: Reading) -> dict[str, Cgroup]:
        """All cgroups by path, pre-order, children in the order of their names."""
        mount_point = self._hierarchy.mount_point
        try:
            root = reading.source.cgroups(mount_point)
        except ReadError as error:
            reading.gaps.append(gap(error, mount_point))
            return {}
        if not self._v2:
            reading.gaps.append(Gap(mount_point, GapReason.NOT_SUPPORTED, ONLY_V2))
        found: dict[str, Fields] = {}
        parsed: dict[str, Parsed] = {}
        walk = [("", root, self._visit(reading, "/", root, found, parsed))]
        while walk:
            prefix, directory, names = walk[-1]
            name = next(names, None)
            if name is None:
                directory.release()
                walk.pop()
                continue
            path = f"{prefix}/{name}"
            child = _open(reading, directory, name)
            if child is not None:
                walk.append((path, child, self._visit(reading, path, child, found, parsed)))
        self._last = parsed
        return _complete(found)

    def _visit(
        self,
        reading: Reading,
        path: str,
        directory: Directory,
        found: dict[str, Fields],
        parsed: dict[str, Parsed],
    ) -> Iterator[str]:
        """Read one cgroup; returns the names of its children, sorted."""
        before = len(reading.gaps)
        parsed[path] = self._last.get(path) or {}
        fields = self._fields(reading.gaps, directory, parsed[path], is_root=path == "/")
        if fields is None:
            del reading.gaps[before:]
            reading.gaps.append(Gap(directory.path, GapReason.GONE))
            return iter(())
        found[path] = {"path": path, "inode": directory.inode, "version": 2 if self._v2 else 1, **fields}
        try:
            return iter(sorted([name for name, _ in directory.subdirectories()]))
        except ReadError as error:
            reading.gaps.append(gap(error, directory.path))
            return iter(())

    def _fields(
        self, gaps: list[Gap], directory: Directory, parsed: Parsed, *, is_root: bool
    ) -> Fields | None:
        """The values of all files; ``None`` when the cgroup was removed meanwhile."""
        fields: Fields = {}
        missing: list[ReadError] = []
        enabled = True
        absent = self._absent
        read = directory.read
        for name, names, parse in self._files:
            if name in absent or not (enabled or name in _NOT_OF_MEMORY):
                gaps.append(Gap(f"{directory.path}/{name}", GapReason.NO_FILE))
                continue
            try:
                data = read(name)
                last = parsed.get(name)
                if last is not None and last[0] == data:
                    value = last[1]
                else:
                    value = parse(decode(data))
                    parsed[name] = data, value
            except ReadError as error:
                gaps.append(gap(error, f"{directory.path}/{name}"))
                missing.append(error)
                enabled = enabled and (is_root or name != self._usage)
            except ParseError as error:
                gaps.append(gap(error, f"{directory.path}/{name}"))
            else:
                if len(names) == 1:
                    fields[names[0]] = value
                else:
                    fields.update(zip(names, value, strict=True))
        if missing and not directory.alive():
            return None
        self._presence(directory, fields, missing, typical=enabled and not is_root)
        return fields

    def _presence(
        self, directory: Directory, fields: Fields, missing: list[ReadError], *, typical: bool
    ) -> None:
        """Which files that can only be written are there; a ``typical`` cgroup speaks for the kernel."""
        if typical and missing:
            self._learn(directory, missing)
        for name, field in cgroup_v2.WRITE_ONLY.items() if self._v2 else ():
            present = self._present.get(name) if typical else None
            if present is None:
                present = _present(directory, name)
                if typical and present is not None:
                    self._present[name] = present
            fields[field] = present

    def _learn(self, directory: Directory, missing: list[ReadError]) -> None:
        names = [error.path.rpartition("/")[2] for error in missing if error.errno_name == "ENOENT"]
        names = [name for name in names if name.startswith("memory.") and name not in _NOT_OF_MEMORY]
        if names and _readable(directory, self._usage):  # not a cgroup that is just being removed
            self._absent.update(names)


_NOT_OF_MEMORY: Final = frozenset(
    {file.name for file in cgroup_v2.FILES if not file.name.startswith("memory.")}
    | {"memory.pressure", "cgroup.procs", "tasks"}
)
"""Files that do not come and go with the memory controller; pressure belongs to the core of cgroups."""


def _open(reading: Reading, directory: Directory, name: str) -> Directory | None:
    try:
        return directory.child(name)
    except ReadError as error:
        gone = error.errno_name in ("ENOENT", "ENODEV")  # it was in the listing just now
        reading.gaps.append(Gap(error.path, GapReason.GONE) if gone else gap(error, error.path))
        return None


def _readable(directory: Directory, name: str) -> bool:
    try:
        directory.read(name)
    except ReadError:
        return False
    return True


def _present(directory: Directory, name: str) -> bool | None:
    """Whether a file that can only be written is there; ``None`` when the cgroup is not."""
    try:
        directory.read(name)
    except ReadError as error:
        return True if error.errno_name in PRESENT else False if error.errno_name == "ENOENT" else None
    return True


def _complete(found: dict[str, Fields]) -> dict[str, Cgroup]:
    children: dict[str, list[str]] = {path: [] for path in found}
    for path in found:
        above = parent_path(path)
        if above is not None:
            children[above].append(path)
    return {path: Cgroup(children=tuple(children[path]), **fields) for path, fields in found.items()}
