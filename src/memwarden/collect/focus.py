"""Snapshots for a guard: only what its judgement asks for, of a machine that was surveyed once.

A guard looks often, and when it matters the machine is short of everything. So the mounts, the host's facts
and the kernel's traits are read at the first look (and again when the hierarchy is gone), of each cgroup only
the files below, and the processes only when somebody is to be chosen.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.collect import hierarchy, machine, membership, traits
from memwarden.collect.cgroups import CgroupReader
from memwarden.collect.glances import GONE, Glances
from memwarden.collect.leniency import NOT_NOW, Reading, decode
from memwarden.collect.processes import ProcessReader
from memwarden.errors import InputError, ParseError, ReadError
from memwarden.kernel import cgroup_procs, meminfo, pid_cgroup, psi, vmstat
from memwarden.state.looked import Looked
from memwarden.state.snapshot import CgroupMode, HostFacts, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memwarden.collect.hierarchy import Hierarchy
    from memwarden.collect.source import Source
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.traits import KernelTraits

V2: Final = 2
FILES: Final = frozenset(
    (
        "cgroup.controllers",
        "cgroup.events",
        "cgroup.procs",
        "cgroup.stat",
        "memory.current",
        "memory.events",
        "memory.events.local",
        "memory.high",
        "memory.low",
        "memory.max",
        "memory.min",
        "memory.oom.group",
        "memory.pressure",
        "memory.stat",
        "memory.swap.current",
        "memory.swap.max",
        "io.pressure",
        "io.stat",
    )
)
"""What detectors, rankings and headroom are made of; of v1 everything is read."""


class _Survey(NamedTuple):
    """What does not change from one look to the next."""

    found: Hierarchy
    host: HostFacts
    page_size: int
    sysctl: Mapping[str, int]
    traits: KernelTraits
    reader: CgroupReader | Glances


class Focused:
    """Looks at one machine again and again.

    ``marks``: whose a cgroup is, and who is to be spared. ``glance``: of cgroup v2 only what may have changed
    is read, see ``glances``, and what is ``watched`` at each look, or has moved by a file that is watched
    ``anywhere``. ``more``: files of a v2 cgroup that are read beside ``FILES``.
    """

    def __init__(
        self,
        source: Source,
        *,
        cgroup_root: str | None = None,
        marks: bool = True,
        glance: bool = False,
        watched: Callable[[str], bool] = lambda _path: False,
        anywhere: frozenset[str] = frozenset(),
        more: frozenset[str] = frozenset(),
    ) -> None:
        self._source = source
        self._cgroup_root = cgroup_root
        self._marks = marks
        self._glance = glance
        self._watched = watched
        self._anywhere = anywhere
        self._files = FILES | more
        self._survey: _Survey | None = None

    def look(self, closely: frozenset[str] = frozenset()) -> Snapshot:
        """The machine now, without its processes; the cgroups that are looked at ``closely``, moved or not.

        What cannot be read is a gap; a machine without cgroups has none.
        """
        reading = Reading(self._source)
        instant = self._source.instant()
        survey = self._survey or self._surveyed(reading)
        wide = reading.file("/proc/meminfo", meminfo.parse)
        counters = reading.file("/proc/vmstat", vmstat.parse)
        pressures = [reading.file(f"/proc/pressure/{name}", psi.parse) for name in ("memory", "cpu", "io")]
        cgroups = self._cgroups(reading, survey, instant.monotonic_us, closely)
        # Without a single cgroup the mount has gone, or is not there yet: it is looked for at the next look.
        self._survey = survey if cgroups else None
        return Snapshot(
            instant=instant,
            host=survey.host,
            traits=survey.traits,
            cgroup_mode=survey.found.mode,
            cgroup_root=survey.found.mount_point,
            mount_options=survey.found.options,
            meminfo=wide,
            vmstat=counters,
            memory_pressure=pressures[0],
            cpu_pressure=pressures[1],
            io_pressure=pressures[2],
            sysctl=survey.sysctl,
            cgroups=cgroups if isinstance(cgroups, Looked) else MappingProxyType(cgroups),
            gaps=tuple(reading.gaps),
        )

    def meet(self, snapshot: Snapshot, paths: frozenset[str]) -> Snapshot:
        """A look of a moment ago with the processes in and below some cgroups as they are now.

        All of the machine where ``/`` is among them, and where those of a cgroup cannot be told without.
        Raises :class:`InputError` where one of them cannot be read for the moment.
        """
        reading = Reading(self._source)
        survey = self._survey or self._surveyed(reading)
        looked, cgroups = snapshot.cgroups, dict(snapshot.cgroups)
        changed: list[str] = []
        if isinstance(survey.reader, Glances):
            # Marks and limits of who is to be judged may be older than the look.
            fresh = survey.reader.refresh(reading, paths)
            changed += fresh
            cgroups.update(fresh)
        reader = ProcessReader(reading, survey.found, cgroups)
        now = snapshot._replace(cgroups=MappingProxyType(cgroups))
        pids = None if "/" in paths else self._members(survey.found, now, paths)
        found = reader.read() if pids is None else reader.some(pids)
        if any(one.detail == NOT_NOW and one.path.startswith("/proc/") for one in reading.gaps):
            # Who is not seen may be somebody who is to be spared.
            raise InputError("the processes cannot be told at this moment, and nobody is chosen of them")
        changed += membership.settle(cgroups, found)
        met: Mapping[str, Cgroup] = MappingProxyType(cgroups)
        if isinstance(looked, Looked) and len(cgroups) == len(looked):  # else somebody came
            met = looked.after(cgroups, dict.fromkeys(changed))
        return snapshot._replace(
            cgroups=met,
            processes=MappingProxyType(found),
            gaps=(*snapshot.gaps, *reading.gaps),
        )

    def catch_up(self) -> None:
        """Read what has not been read for long, for the looks to come: there is time now."""
        if self._survey is not None and isinstance(self._survey.reader, Glances):
            self._survey.reader.take_turns(Reading(self._source))

    def _members(self, found: Hierarchy, snapshot: Snapshot, paths: frozenset[str]) -> set[int] | None:
        """Who is in some cgroups and below them; ``None`` where the kernel does not list them by cgroup.

        They are listed anew: whoever came since the look dies with the others, and may be somebody who is to
        be spared.
        """
        if found.version != V2:
            return None
        pids: set[int] = set()
        try:
            root = self._source.cgroups(found.mount_point)
        except ReadError:
            return None
        for path in sorted(paths):
            for cgroup in snapshot.subtree(path):
                directory = root
                try:
                    for name in cgroup.path.split("/")[1:]:
                        directory = directory.child(name)
                    pids.update(cgroup_procs.parse(decode(directory.read("cgroup.procs"))))
                except ReadError as error:
                    if error.errno_name not in GONE:
                        return None
                finally:
                    directory.release()
        return pids

    def _cgroups(
        self, reading: Reading, survey: _Survey, now_us: int, closely: frozenset[str]
    ) -> dict[str, Cgroup]:
        if survey.found.mode is CgroupMode.NONE:
            return {}
        if isinstance(survey.reader, Glances):
            return survey.reader.read(reading, now_us, closely)
        return survey.reader.read(reading)

    def own_cgroup(self) -> str | None:
        """The path of the cgroup that we are in ourselves, where it is one of those we see."""
        survey = self._survey
        if survey is None:
            return None
        try:
            text = decode(self._source.read("/proc/self/cgroup"))
            path = pid_cgroup.memory_path(pid_cgroup.parse(text), version=survey.found.version)
        except (ReadError, ParseError):
            return None
        return None if path is None else survey.found.relative(path)

    def _surveyed(self, reading: Reading) -> _Survey:
        mounts = hierarchy.mounts(reading)
        found = hierarchy.detect(reading, mounts, self._cgroup_root)
        page_size = traits.page_size(self._source)
        return _Survey(
            found,
            machine.host(reading),
            page_size,
            MappingProxyType(machine.read(reading, page_size).sysctl),
            traits.probe(self._source, found, {}, {}),
            self._reader(found),
        )

    def _reader(self, found: Hierarchy) -> CgroupReader | Glances:
        if self._glance and found.version == V2:
            return Glances(
                found.mount_point,
                marks=self._marks,
                only=self._files,
                watched=self._watched,
                anywhere=self._anywhere,
            )
        return CgroupReader(found, marks=self._marks, only=self._files)
