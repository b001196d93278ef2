"""Records a machine: every file that a snapshot reads, one snapshot after another."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from memwarden.collect.recorder import Recorder
from memwarden.collect.rootar_writer import Writer
from memwarden.collect.snapshot import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.collect.rootar_writer import Out
    from memwarden.collect.source import Source
    from memwarden.host.clock import Clock
    from memwarden.state.snapshot import Snapshot


class Schedule(NamedTuple):
    """How many snapshots (``None``: without end), how far apart; a late one is not made up for."""

    snapshots: int | None = 1
    interval_us: int = 0


def record(
    source: Source,
    out: Out,
    clock: Clock,
    schedule: Schedule,
    *,
    cgroup_root: str | None = None,
    cmdline: bool = False,
) -> Iterator[Snapshot]:
    """Write the recording while it is iterated; each snapshot is given when it is written.

    Closing the iterator early, or an interrupt, still ends the recording properly behind the last snapshot.
    Command lines are recorded only with ``cmdline``, environments never.
    """
    recorder = Recorder(source)
    collector = Collector(recorder, cgroup_root=cgroup_root, smaps=True, cmdline=cmdline, marks=True)
    writer = Writer(out)
    due_us = clock.monotonic_us()
    try:
        for number in itertools.count() if schedule.snapshots is None else range(schedule.snapshots):
            if number:
                due_us = max(due_us + schedule.interval_us, clock.monotonic_us())
                clock.sleep_us(due_us - clock.monotonic_us())
            recorder.start()
            snapshot = collector.snapshot()
            facts = dict(recorder.facts)
            if cgroup_root is not None:
                facts["cgroup_root"] = cgroup_root
            writer.snapshot(facts, recorder.entries)
            yield snapshot
    finally:
        if writer.snapshots:
            writer.finish()
