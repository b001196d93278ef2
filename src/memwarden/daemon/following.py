"""Which cgroups are listened to, as they come and go.

A service with an objective has pressure triggers of its own, so that a stall of 50 ms wakes us within a tenth
of the window it is counted in, although the machine as a whole hardly stalls. ``memory.events`` tell of kills
and of whatever counters the policy names; those of the cgroups right below the root tell of all below them,
since an event is counted in all ancestors. What a policy names is looked for whenever the cgroups are read,
and every few seconds while it is not there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from memwarden.daemon.events import EventsFile
from memwarden.host import files

if TYPE_CHECKING:
    from memwarden.daemon.ears import Ears
    from memwarden.guard.watched import Heeded
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.snapshot import Snapshot

KILLS: Final = frozenset(("oom", "oom_kill", "oom_group_kill"))
"""Counters that matter in any case."""
EVENTS: Final = "memory.events"
EVERY_US: Final = 2_000_000
"""Cgroups are not looked for more often."""
ABSENT_US: Final = 10_000_000
"""How often the cgroups are read on a calm machine while a service with an objective is not there."""
MOST: Final = 128
"""Cgroups that are listened to, of either kind; the timer and the machine's triggers stand in for others."""


class Follower:
    """Keeps the ears where a policy wants them."""

    def __init__(self, ears: Ears, heeded: Heeded) -> None:
        self._ears = ears
        self._heeded = heeded
        self._looked_us: int | None = None
        self._listening: frozenset[tuple[str, int]] = frozenset()
        self._absent = bool(heeded.stalls)

    def due(self, now_us: int) -> bool:
        """Whether to look for a service that was not there, or is there no longer."""
        return self._absent and not 0 <= now_us - (self._looked_us or 0) < ABSENT_US

    def heed(self, snapshot: Snapshot) -> None:
        """Listen to what is there now."""
        now_us = snapshot.instant.monotonic_us
        if self._looked_us is not None and 0 <= now_us - self._looked_us < EVERY_US:
            return
        self._looked_us = now_us
        stalls: dict[tuple[str, int, str, str], tuple[int, int]] = {}
        counters: dict[tuple[str, int], frozenset[str]] = {}
        for path, cgroup in snapshot.cgroups.items():
            for stall in self._heeded.stalls:
                if len(stalls) < MOST and stall.fits(path):
                    key = (path, cgroup.inode, stall.resource, stall.kind)
                    stalls.setdefault(key, (stall.above_us, stall.window_us))
            wanted = self._counters(path, cgroup)
            if wanted and len(counters) < MOST:
                counters[path, cgroup.inode] = wanted
        found = [path for path, *_ in stalls]
        self._absent = any(not any(map(stall.fits, found)) for stall in self._heeded.stalls)
        root = snapshot.cgroup_root
        self._ears.watch_stalls(root, stalls)
        if counters.keys() != self._listening:
            opened = _files(root, counters)
            # Who could not be opened is tried again.
            self._listening = frozenset(counters) if len(opened) == len(counters) else frozenset()
            self._ears.watch_events(opened)

    def _counters(self, path: str, cgroup: Cgroup) -> frozenset[str]:
        found = KILLS | self._heeded.everywhere if path.count("/") == 1 and path != "/" else frozenset()
        for events in self._heeded.events:
            if events.fits(path):
                found |= {events.counter}
        return found if cgroup.events is not None else frozenset()


def _files(root: str, wanted: dict[tuple[str, int], frozenset[str]]) -> list[EventsFile]:
    """The files of those that are still there and still the same."""
    found = []
    for (path, inode), counters in wanted.items():
        try:
            directory = os.open(f"{root}{path}", files.DIRECTORY_FLAGS)
        except OSError:
            continue
        try:
            if os.fstat(directory).st_ino == inode:
                found.append(EventsFile(os.open(EVENTS, files.FILE_FLAGS, dir_fd=directory), counters))
        except OSError:
            continue  # it is gone, or going
        finally:
            os.close(directory)
    return found
