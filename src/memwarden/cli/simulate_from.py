"""A first scenario of what runs: a recording, a process or a cgroup of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.scenario import Scenario
    from memwarden.state.snapshot import Snapshot


def scenario(source: str, settings: Sequence[str]) -> Scenario:
    """The scenario of a source, with settings over it."""
    from memwarden.cli.simulate import of_text
    from memwarden.sim.first import first
    from memwarden.sim.words.render import render
    from memwarden.words.document import Text

    if os.path.isfile(source) or source == "-":
        made = first(_recorded(source), _name(source))
    else:
        snapshot = _live()
        below = _cgroup(snapshot, source)
        made = first([snapshot], _name(below), below=below)
    return of_text(Text(source, render(made)), made.name, settings)


def _recorded(path: str) -> list[Snapshot]:
    """The first and the last snapshot: what lies between them makes no difference."""
    from memwarden.collect.recordings import open_recording

    recording = open_recording(path)
    if recording.kind == "signals":
        raise InputError(f"{path}: has signals of the machine only, and no cgroups; use an archive of record")
    found: list[Snapshot] = []
    for snapshot in recording.snapshots:
        found = [*found[:1], snapshot]
    if not found:
        raise InputError(f"{path}: has no snapshot")
    return found


def _live() -> Snapshot:
    from memwarden.collect.snapshot import Collector
    from memwarden.host.live import Live

    return Collector(Live("/proc")).snapshot()


def _cgroup(snapshot: Snapshot, source: str) -> str:
    from memwarden.cli import common

    if not source.isdecimal():
        return common.find_cgroup(snapshot, source)
    process = snapshot.processes.get(int(source))
    if process is None or process.cgroup is None:
        raise InputError(f"{source}: no such process, or its cgroup cannot be read here")
    return process.cgroup


def _name(source: str) -> str:
    base = source.rstrip("/").rpartition("/")[2].partition(".")[0]
    return base or "machine"
