"""A first scenario of what runs: a recording, a process or a cgroup of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.sim.scenario import Scenario
    from memwarden.sim.words.settings import Setting
    from memwarden.state.snapshot import Snapshot


def scenario(source: str, settings: Sequence[str | Setting]) -> Scenario:
    """The scenario of a source, with settings over it."""
    from memwarden.cli.simulate import of_text
    from memwarden.sim.first import first
    from memwarden.sim.words.render import render
    from memwarden.words.document import Text

    if os.path.isfile(source) or source == "-":
        snapshots = _recorded(source)
        made = first(snapshots, _name(source))
        _tell_gone(source, snapshots)
        _tell_root(source, snapshots[-1])
    else:
        snapshot = _live()
        below = _cgroup(snapshot, source)
        made = first([snapshot], _name(below), below=below)
        _tell_root(source, snapshot)
    return of_text(Text(source, render(made)), made.name, settings)


def _tell_gone(source: str, snapshots: Sequence[Snapshot]) -> None:
    """Who ran at first and not at last is not in the scenario: it may be just who is looked for."""
    from memwarden.cli import common
    from memwarden.present.text import size
    from memwarden.sim.first import LEAST

    before, last = snapshots[0], snapshots[-1]
    for path, one in before.cgroups.items():
        now = last.cgroups.get(path)
        if one.procs and not (now and now.procs) and (one.current_bytes or 0) >= LEAST:
            common.note(
                f"{source}: {path} had {size(one.current_bytes or 0)} in the first snapshot and nobody in it "
                "in the last; it is not in the scenario, add it by hand"
            )


def _tell_root(source: str, last: Snapshot) -> None:
    """Seen from within a container its own cgroup is the root and has a limit; a scenario's root has none."""
    from memwarden.cli import common
    from memwarden.present.text import size

    limit = last.cgroups["/"].max_bytes if "/" in last.cgroups else None
    if isinstance(limit, int):
        common.note(
            f"{source}: its root has memory.max {size(limit)}, as a container's has; the root of a scenario "
            "has none, bound the machine with ram in [machine] instead"
        )


def _recorded(path: str) -> list[Snapshot]:
    """The first and the last snapshot: what lies between them makes no difference."""
    from memwarden.collect.recordings import open_recording

    if path.endswith(".toml"):
        raise InputError(f"{path}: is no recording; a scenario is given without --from")
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
        return common.find_cgroup(snapshot, source, else_="no recording, and ")
    process = snapshot.processes.get(int(source))
    if process is None or process.cgroup is None:
        raise InputError(f"{source}: no such process, or its cgroup cannot be read here")
    return process.cgroup


def _name(source: str) -> str:
    base = source.rstrip("/").rpartition("/")[2].partition(".")[0]
    return base or "machine"
