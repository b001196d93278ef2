"""A machine, live or recorded, as a :class:`memwarden.state.snapshot.Snapshot`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from memwarden.collect import hierarchy, machine, membership, traits
from memwarden.collect.cgroups import CgroupReader
from memwarden.collect.leniency import Reading
from memwarden.collect.processes import ProcessReader
from memwarden.errors import InputError
from memwarden.state.snapshot import CgroupMode, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.collect.source import Source
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


class Collector:
    """Takes snapshots of one source; what it has open and has learned serves the next one.

    ``cgroup_root`` is the directory of the cgroup hierarchies where it is not as mounted. ``smaps`` adds the
    proportional set size of every process, which is dear; ``cmdline`` reads command lines, for a recording.
    ``with_processes=False`` leaves the processes out; ``marks`` adds whose a cgroup is and the extended
    attributes that say who is to be spared.
    """

    def __init__(
        self,
        source: Source,
        *,
        cgroup_root: str | None = None,
        with_processes: bool = True,
        smaps: bool = False,
        cmdline: bool = False,
        marks: bool = False,
    ) -> None:
        self._source = source
        self._cgroup_root = cgroup_root or source.facts.get("cgroup_root")
        self._with_processes = with_processes
        self._smaps = smaps
        self._cmdline = cmdline
        self._marks = marks
        self._readers: dict[hierarchy.Hierarchy, CgroupReader] = {}

    def snapshot(self) -> Snapshot:
        """The machine now. Raises :class:`InputError` when there is nothing of a machine to read."""
        reading = Reading(self._source)
        instant = self._source.instant()
        mounts = hierarchy.mounts(reading)
        found = hierarchy.detect(reading, mounts, self._cgroup_root)
        host = machine.host(reading)
        page_size = traits.page_size(self._source)
        wide = machine.read(reading, page_size)
        cgroups = {} if found.mode is CgroupMode.NONE else self._reader(found).read(reading)
        all_processes = self._processes(reading, found, cgroups) if self._with_processes else {}
        if wide.meminfo is None and not cgroups and not all_processes:
            raise InputError(
                f"{self._source.name}: holds nothing of a machine: no meminfo, no cgroup, no process; "
                "give a mounted procfs with --proc, or a recording with --root"
            )
        membership.settle(cgroups, all_processes)
        view = machine.container_view(mounts, found, cgroups.get("/"))
        return Snapshot(
            instant=instant,
            host=host._replace(container_view=view),
            traits=traits.probe(self._source, found, cgroups, all_processes),
            cgroup_mode=found.mode,
            cgroup_root=found.mount_point,
            mount_options=found.options,
            meminfo=wide.meminfo,
            vmstat=wide.vmstat,
            zones=wide.zones,
            buddy=wide.buddy,
            swaps=wide.swaps,
            memory_pressure=wide.memory_pressure,
            cpu_pressure=wide.cpu_pressure,
            io_pressure=wide.io_pressure,
            sysctl=MappingProxyType(wide.sysctl),
            cgroups=MappingProxyType(cgroups),
            processes=MappingProxyType(all_processes),
            gaps=tuple(reading.gaps),
        )

    def _reader(self, found: hierarchy.Hierarchy) -> CgroupReader:
        reader = self._readers.get(found)
        if reader is None:
            reader = self._readers[found] = CgroupReader(found, marks=self._marks)
        return reader

    def _processes(
        self, reading: Reading, found: hierarchy.Hierarchy, cgroups: Mapping[str, Cgroup]
    ) -> dict[int, Process]:
        return ProcessReader(reading, found, cgroups, smaps=self._smaps, cmdline=self._cmdline).read()
