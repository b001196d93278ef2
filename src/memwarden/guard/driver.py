"""Pulse and engine together, for whoever has a whole snapshot at each tick: recordings and the simulator.

The daemon has its own loop over the same two, since it reads cgroups only when the pulse asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.acts import NOBODY
from memwarden.guard.engine import Engine
from memwarden.guard.pulse import FILL_BPS, Pulse, of_snapshot
from memwarden.state.intents import Kill, Outcome, Terminate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.guard.engine import Step
    from memwarden.guard.ir import Policy
    from memwarden.guard.never import Guarded
    from memwarden.guard.record import Decision
    from memwarden.state.snapshot import Snapshot


class Driver:
    """One policy, fed snapshots in order."""

    def __init__(self, policy: Policy, guarded: Guarded, *, fill_bps: int = FILL_BPS) -> None:
        self.engine = Engine(policy, guarded)
        self._pulse = Pulse(fill_bps=fill_bps)

    def step(self, snapshot: Snapshot, *, late_us: int = 0) -> Step:
        """One tick. ``sleep_us`` of the answer is when the daemon would have looked again."""
        beat = of_snapshot(snapshot, late_us=late_us)
        if beat is None:
            return self.engine.step(snapshot, late_us=late_us)
        reply = self._pulse.feel(beat)
        step = self.engine.step(snapshot, calm=not reply.alarm, late_us=late_us)
        if reply.alarm or step.busy or self.engine.policy.steady:
            return step
        return step._replace(sleep_us=reply.sleep_us)


class Replay:
    """What one policy would have decided on a recording, snapshot by snapshot.

    Every snapshot is a tick, with nothing made up between two of them: what has to hold "for 10 s" holds from
    one sample to another that is 10 s later, if it held at all between. Policies that look at fixed intervals
    (``steady``) are shown no more than they would have seen: the first snapshot at or after each of their
    ticks, which are counted from the first one. A snapshot of another boot, or an earlier one, begins anew.

    Nobody dies on a recording. A victim is taken as gone at once and not chosen again, a hook as ended; what
    is decided after the first kill is about a machine that would have looked different by then.
    """

    def __init__(self, policy: Policy, guarded: Guarded) -> None:
        self.policy = policy
        self._guarded = guarded
        self._driver = Driver(policy, guarded)
        self._last: Snapshot | None = None
        self._first_us = 0
        self._due_us = 0

    def step(self, snapshot: Snapshot) -> tuple[Decision, ...]:
        """What would have been decided now."""
        now = snapshot.instant.monotonic_us
        last, self._last = self._last, snapshot
        if last is None or begins_anew(last, snapshot):
            self._driver = Driver(self.policy, self._guarded)
            self._first_us = self._due_us = now
        if self.policy.steady:
            if now < self._due_us:
                return ()
            tick = max(self.policy.tick_us, 1)
            self._due_us = now - (now - self._first_us) % tick + tick
        decisions = self._driver.step(snapshot).decisions
        for decision in decisions:
            self._pretend(decision)
        return decisions

    def _pretend(self, decision: Decision) -> None:
        engine = self._driver.engine
        if decision.withheld == NOBODY:
            engine.bury(None)
        for intent in decision.intents:
            engine.report(decision.id, Outcome(intent, done=True, dry=True))
            if isinstance(intent, Kill | Terminate):
                engine.bury(intent.target)


def begins_anew(last: Snapshot, snapshot: Snapshot) -> bool:
    """Whether this is not the machine of the snapshot before, later on."""
    return (
        snapshot.host.boot_id != last.host.boot_id
        or snapshot.host.hostname != last.host.hostname
        or snapshot.instant.monotonic_us < last.instant.monotonic_us
    )


def replay(policy: Policy, guarded: Guarded, snapshots: Iterable[Snapshot]) -> Iterator[Decision]:
    """What a policy would have decided on a recording, in order; see :class:`Replay`."""
    run = Replay(policy, guarded)
    for snapshot in snapshots:
        yield from run.step(snapshot)
