"""The first reading of a cgroup: finds out which files it has, and why it lacks the others."""

from __future__ import annotations

from itertools import compress
from operator import ne
from typing import TYPE_CHECKING, Any, Final

from memwarden.collect import cgroup_v1, cgroup_v2
from memwarden.collect.leniency import PASSING, decode, gap
from memwarden.errors import ParseError, ReadError
from memwarden.kernel.deferred import Figures
from memwarden.state.cgroup import Cgroup
from memwarden.state.gaps import Gap, GapReason

if TYPE_CHECKING:
    from memwarden.collect.cgroup_v2 import CgroupFile
    from memwarden.collect.source import Directory

PRESENT: Final = frozenset({"EACCES", "EPERM", "EINVAL"})
"""Errors of reading a file that can only be written, also for root (``fs/kernfs/file.c:kernfs_fop_open``)."""
SWITCH: Final = cgroup_v2.cgroup_file("cgroup.pressure", str)
"""Read where pressure files are missing: it changes when they are switched on again."""
_WITH_MEMORY: Final = frozenset(
    file.name
    for file in (*cgroup_v2.FILES, *cgroup_v1.FILES)
    if file.name.startswith("memory.") and file.name != "memory.pressure"
)
"""Files that come and go with the memory controller; pressure belongs to the core of cgroups."""
_NEEDS: Final = {"memory": _WITH_MEMORY, "io": frozenset({"io.stat"})}
"""Controllers to their files."""


_SETS: Final[dict[tuple[CgroupFile, ...], tuple[tuple[CgroupFile, ...], tuple[str, ...]]]] = {}
"""Sets of files that cgroups have, with their names: most cgroups have the same, and hold it once."""
_MOST_SETS: Final = 64


def _shared(files: tuple[CgroupFile, ...]) -> tuple[tuple[CgroupFile, ...], tuple[str, ...]]:
    found = _SETS.get(files)
    if found is None:
        if len(_SETS) >= _MOST_SETS:
            _SETS.clear()
        found = _SETS[files] = files, tuple([file.name for file in files])
    return found


_MEANT: Final[dict[tuple[str, bytes], tuple[bytes, tuple[Any, ...]]]] = {}
"""Files by name and content, with what they mean: most cgroups say the same in most, and hold it once."""
_MOST_MEANT: Final = 512
_SHORT: Final = 160
_OWN: Final = frozenset(
    {cgroup_v2.USAGE, "memory.stat", "memory.numa_stat", "cgroup.procs", "cgroup.threads"}
)
"""Files that say something else in each cgroup."""


def _meant(file: CgroupFile, values: list[Any], data: bytes) -> bytes:
    """Put what a file says into the values of a Cgroup; the data, as others hold it; or ``ParseError``."""
    key = file.name, data
    known = _MEANT.get(key)
    if known is None:
        file.put(values, decode(data))
        if len(data) <= _SHORT and file.name not in _OWN:
            if len(_MEANT) >= _MOST_MEANT:
                _MEANT.clear()
            _MEANT[key] = data, tuple([values[slot] for slot in file.slots])
        value = values[file.slots[0]]
        # Figures hold what was printed, and there need be no second copy.
        return value.data if isinstance(value, Figures) else data
    for slot, value in zip(file.slots, known[1], strict=True):
        values[slot] = value
    return known[0]


class Known:
    """A cgroup as it was read last: ``files`` gave ``datas``, which mean ``cgroup`` and ``gaps``."""

    __slots__ = ("cgroup", "datas", "files", "gaps", "inode", "names")

    def __init__(self, cgroup: Cgroup, found: list[tuple[CgroupFile, bytes | ReadError | None]]) -> None:
        self.cgroup = cgroup
        self.inode = cgroup.inode
        self.files, self.names = _shared(tuple([file for file, _ in found]))
        self.datas = [data for _, data in found]
        """Contents, errors, and ``None`` for what is malformed, which is looked at again each time."""
        self.gaps: list[Gap] = []

    def fails_alike(self, place: int, error: ReadError) -> bool:
        """Whether a file gave this error already; it says nothing new then."""
        before = self.datas[place]
        return isinstance(before, ReadError) and before.errno_name == error.errno_name

    def update(self, datas: list[bytes | ReadError]) -> bool:
        """Take what the files say now; false when it takes another survey.

        It does when a file is gone or there again, or when the controllers change, for files come with them.
        What cannot be read for the moment is as it was: a limit or a mark that is not known would not count.
        """
        values: list[Any] = list(self.cgroup)
        taken: list[bytes | ReadError | None] = [*datas]
        for place in compress(range(len(datas)), map(ne, self.datas, datas)):
            file, old, new = self.files[place], self.datas[place], datas[place]
            if isinstance(new, ReadError) or not isinstance(old, bytes):
                if isinstance(new, ReadError):
                    if new.errno_name in PASSING:
                        taken[place] = old
                        continue
                    if self.fails_alike(place, new):
                        continue
                return False
            if file is SWITCH or file.name == cgroup_v2.CONTROLLERS:
                return False
            try:
                taken[place] = _meant(file, values, new)
            except ParseError:
                return False
        self.cgroup = Cgroup._make(values)
        self.datas = taken
        return True


class Surveyor:
    """Surveys the cgroups of one hierarchy; what is true of the kernel it learns from the first ones."""

    def __init__(self, version: int, *, marks: bool = False, only: frozenset[str] | None = None) -> None:
        self._version = version
        interface = cgroup_v2 if version == 2 else cgroup_v1
        self._files: tuple[CgroupFile, ...] = tuple(
            [file for file in interface.FILES if only is None or version == 1 or file.name in only]
        )
        if marks:
            self._files += (cgroup_v2.MARKS,)
        self._usage: str = interface.USAGE
        self._absent: frozenset[str] = frozenset()
        """Files that a cgroup with the memory controller lacks and none has: this kernel has no such file."""
        self._seen: set[str] = set()
        self._present: dict[str, bool] = {}

    def survey(self, path: str, directory: Directory) -> Known | None:
        """The cgroup with the reason for each absent value; ``None`` when it was removed meanwhile."""
        one = _One(directory, path, self._version, self._absent)
        for file in self._files:
            one.read(file)
            if file.name == self._usage and self._usage in one.missing:
                one.lacking |= _WITH_MEMORY
        if one.missing and not directory.alive():
            return None
        self._seen.update([file.name for file, _ in one.found])
        typical = path != "/" and self._usage not in one.missing and self._usage not in one.lacking
        if typical:
            self._learn(directory, one.missing)
        if self._version == 2:
            self._presence(one, typical=typical)
            if any(name.endswith(".pressure") for name in one.missing):
                one.read(SWITCH, quietly=True)
        return one.known()

    def _learn(self, directory: Directory, missing: set[str]) -> None:
        names = (missing & _WITH_MEMORY) - self._seen
        if names and _presence(directory, self._usage):  # it is not just being removed
            self._absent |= names

    def _presence(self, one: _One, *, typical: bool) -> None:
        for name, field in cgroup_v2.WRITE_ONLY.items():
            present = self._present.get(name) if typical else None
            if present is None:
                present = _presence(one.directory, name)
                if typical and present is not None:
                    self._present[name] = present
            one.values[field] = present


class _One:
    """One cgroup while it is surveyed."""

    def __init__(self, directory: Directory, path: str, version: int, absent: frozenset[str]) -> None:
        self.directory = directory
        self.is_root = path == "/"
        self.values: list[Any] = list(Cgroup(path=path, inode=directory.inode, version=version))
        self.lacking = absent
        self.missing: set[str] = set()
        self.found: list[tuple[CgroupFile, bytes | ReadError | None]] = []
        self.gaps: list[Gap] = []

    def read(self, file: CgroupFile, *, quietly: bool = False) -> None:
        """Read one file, or say why there is nothing to read."""
        place = f"{self.directory.path}/{file.name}"
        if file.name in self.lacking:
            self.gaps.append(Gap(place, GapReason.NO_FILE))
            return
        try:
            data = self.directory.read(file.name)
        except ReadError as error:
            if not quietly:
                self.gaps.append(gap(error, place))
            if error.errno_name == "ENOENT":
                self.missing.add(file.name)
            else:
                self.found.append((file, error))
            return
        try:
            data = _meant(file, self.values, data)
        except ParseError as error:
            self.gaps.append(gap(error, place))
            self.found.append((file, None))
            return
        self.found.append((file, data))
        if file.name == cgroup_v2.CONTROLLERS and not self.is_root:
            has = data.decode("ascii").split()
            for controller, names in _NEEDS.items():
                if controller not in has:
                    self.lacking |= names

    def known(self) -> Known:
        """What is known now."""
        known = Known(Cgroup._make(self.values), self.found)
        known.gaps = self.gaps
        return known


def _presence(directory: Directory, name: str) -> bool | None:
    """Whether a file is there, also one that can only be written; ``None`` when the cgroup is not."""
    try:
        directory.read(name)
    except ReadError as error:
        return True if error.errno_name in PRESENT else False if error.errno_name == "ENOENT" else None
    return True
