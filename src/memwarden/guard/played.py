"""What came of a replay, as records: what was recorded, and what each policy would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memwarden.guard.acts import NOBODY
from memwarden.guard.course import Course
from memwarden.guard.driver import Replay, begins_anew
from memwarden.guard.never import Guarded
from memwarden.rules.reclaimable import MACHINE
from memwarden.state.cgroup import parent_path
from memwarden.state.delta import between
from memwarden.state.intents import CgroupId, Kill, Notify, ProcessId, Terminate
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.guard.ir import Policy
    from memwarden.guard.record import Decision
    from memwarden.state.delta import SnapshotDelta
    from memwarden.state.intents import Target
    from memwarden.state.snapshot import Snapshot


class Death(NamedTuple):
    """The kernel killed while it was recorded: how many processes, and in which cgroup where one says so."""

    time_us: int
    cgroup: str | None
    processes: int


class Tape(NamedTuple):
    """One recording. ``zero_us`` is the instant that its times are counted from."""

    name: str
    kind: str
    zero_us: int
    first: Snapshot
    last: Snapshot
    snapshots: int
    deaths: tuple[Death, ...]
    course: Course


class Taken(NamedTuple):
    """A decision and when it was made: the recording, and microseconds on its clock.

    ``holds_bytes`` is what the victim has in memory and swap then; ``None`` where nobody knows.
    """

    tape: str
    time_us: int
    decision: Decision
    holds_bytes: int | None = None

    @property
    def unnamed(self) -> bool:
        """Whether somebody would have been killed, and nobody knows who."""
        return self.decision.withheld == NOBODY

    @property
    def acts(self) -> bool:
        """Whether something would have been done, and not only said."""
        return self.unnamed or any(not isinstance(one, Notify) for one in self.decision.intents)

    @property
    def kills(self) -> bool:
        """Whether somebody would have been killed, or told to end."""
        return self.unnamed or self.victim is not None

    @property
    def victim(self) -> Target | None:
        """Who."""
        return _victim(self.decision)


class Played:
    """One policy over all recordings."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.taken: list[Taken] = []
        self._replay = Replay(policy, Guarded(policy.never, policy.protect))

    def step(self, tape: str, zero_us: int, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        time_us = snapshot.instant.monotonic_us - zero_us
        self.taken += [
            Taken(tape, time_us, decision, held_by(_victim(decision), snapshot))
            for decision in self._replay.step(snapshot)
        ]

    @property
    def first_act(self) -> Taken | None:
        """The first decision that does something."""
        return next((one for one in self.taken if one.acts), None)

    @property
    def first_kill(self) -> Taken | None:
        """The first decision that kills."""
        return next((one for one in self.taken if one.kills), None)


class Player:
    """Plays recordings to policies, each snapshot to all of them."""

    def __init__(self, policies: list[Policy]) -> None:
        self.played = [Played(policy) for policy in policies]
        self.tapes: list[Tape] = []
        self._last: Snapshot | None = None
        self._zero_us = 0

    def step(self, name: str, kind: str, snapshot: Snapshot) -> Tape:
        """Take the next snapshot of the recording ``name``; the recording as far as it is known."""
        last, self._last = self._last, snapshot
        if last is None or begins_anew(last, snapshot):
            last = None
            # Signals have times of their own; an archive's are those since the machine was started.
            self._zero_us = 0 if kind == "signals" else snapshot.instant.monotonic_us
        if not self.tapes or self.tapes[-1].name != name:
            self.tapes.append(Tape(name, kind, self._zero_us, snapshot, snapshot, 0, (), Course()))
        tape = self.tapes[-1]
        deaths = tape.deaths if last is None else (*tape.deaths, *self._deaths(last, snapshot))
        tape.course.add(snapshot.instant.monotonic_us - self._zero_us, snapshot)
        self.tapes[-1] = tape._replace(last=snapshot, snapshots=tape.snapshots + 1, deaths=deaths)
        for one in self.played:
            one.step(name, self._zero_us, snapshot)
        return self.tapes[-1]

    def _deaths(self, last: Snapshot, snapshot: Snapshot) -> list[Death]:
        delta = between(last, snapshot)
        if delta is None:
            return []
        time_us = snapshot.instant.monotonic_us - self._zero_us
        found = [Death(time_us, path, kills) for path, kills in _killed(delta).items()]
        all_of_them = (delta.vmstat or {}).get("oom_kill", 0)
        unknown = all_of_them - sum(one.processes for one in found)
        return [*found, Death(time_us, None, unknown)] if unknown > 0 else found


def _victim(decision: Decision) -> Target | None:
    return next((one.target for one in decision.intents if isinstance(one, Kill | Terminate)), None)


def held_by(target: Target | None, snapshot: Snapshot) -> int | None:
    """Memory and swap of a victim: what its death can free at most, but for what others share."""
    match target:
        case CgroupId(path) if path in snapshot.cgroups:
            cgroup = snapshot.cgroups[path]
            held, swapped = cgroup.current_bytes, cgroup.swap_current_bytes
        case ProcessId(pid) if pid in snapshot.processes:
            process = snapshot.processes[pid]
            held, swapped = process.rss_bytes, process.swap_bytes
        case _:
            return None
    return None if held is None else held + (swapped or 0)


def _killed(delta: SnapshotDelta) -> dict[str, int]:
    """Kills by the lowest cgroup that counted them: events of a cgroup are those of all below it too."""
    kills = {path: (one.events or {}).get("oom_kill", 0) for path, one in delta.cgroups.items()}
    own = dict(kills)
    for path, count in kills.items():
        above = parent_path(path)
        if above in own:
            own[above] -= count
    return {path: count for path, count in own.items() if count > 0 and path != MACHINE}


def seconds(time_us: int) -> float:
    """A time as documents have it."""
    return time_us / SECOND_US
