"""The loop: sleep until something says it is time, read a beat, and look at the cgroups when that is needed.

One turn is one beat. A calm machine is asked for two files, every two seconds while its free memory stands
still, which is glanced at meanwhile; the cgroups are read when the pulse is
alarmed, when an action is under way, or when memory has moved so far that what everyone holds is to be noted
anew. The policies of other tools look at everything at fixed intervals, since that is what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from memwarden.errors import MemwardenError
from memwarden.guard.pulse import LATE_US, SHORTEST_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.daemon.beats import Beats
    from memwarden.guard.engine import Engine, Step
    from memwarden.guard.pulse import Beat, Pulse, Reply
    from memwarden.guard.record import Decision
    from memwarden.guard.victims import Result
    from memwarden.host.clock import Clock
    from memwarden.state.intents import Outcome
    from memwarden.state.snapshot import Snapshot

NOBODY: Final[frozenset[str]] = frozenset()
UNKNOWN_US: Final = 1_000_000
"""How long to sleep while the machine does not say how much memory is available."""

GREED: Final = 15
"""Sleep at least so many times as long as a look took."""
PATIENCE: Final = 159
"""The same while memory is not filling: stalls are counted by the kernel, whoever looks how often."""
LONGEST_REST_US: Final = 2_000_000
"""No rest is longer for the sake of that, nor any in which nobody sees that memory fills faster."""
LOOKS: Final = 5
"""Looks that there shall be before memory ends."""
LONGEST_TICK_US: Final = 4_000_000
STALLED_TICKS: Final = 5
"""Ticks from one look to the next while memory is not filling, however many triggers fire: what is waited for
then are stalls that last, and the kernel counts them."""
CHANGED_US: Final = 1_000_000
"""The longest sleep while somebody is throttled or frozen by us: that is to end in time."""
PRESSING_US: Final = 300_000
"""When memory ends so soon, nobody's latency comes before ours."""


class Heard(NamedTuple):
    """Why we woke: ``signalled`` when a trigger, the kernel's log or an event said something.

    ``silent``: nobody said anything, the time was over.
    """

    signalled: bool = False
    stop: bool = False
    reload: bool = False
    silent: bool = False


class Ears(Protocol):
    """What wakes us."""

    def wait(self, timeout_us: int) -> Heard:
        """Wait for something, or for the time."""


class Eyes(Protocol):
    """What reads the machine."""

    def look(self, closely: frozenset[str] = NOBODY) -> Snapshot:
        """Cgroups now, without processes; what is said of some of them is not of an earlier look."""

    def meet(self, snapshot: Snapshot, paths: frozenset[str]) -> Snapshot:
        """The same look with the processes in and below some cgroups as they are now; ``/``: with all."""

    def catch_up(self) -> None:
        """Nothing is to be decided now: read for the looks to come what has not been read for long."""


class Hands(Protocol):
    """What carries decisions out."""

    def carry(self, decision: Decision) -> Sequence[Outcome]:
        """Do what was decided; what became of each intent that is over by now."""

    def ended(self) -> Sequence[tuple[str, Outcome]]:
        """What was still running and is over now, such as hooks: decision and outcome."""

    @property
    def busy(self) -> bool:
        """Whether something is still running; that it is over, or its time, is to be seen soon."""


class Follower(Protocol):
    """What listens to the cgroups that the policy names."""

    def heed(self, snapshot: Snapshot) -> None:
        """Who came is listened to, who went no longer."""

    def due(self, now_us: int) -> bool:
        """Whether the cgroups are to be read, since somebody who is named was not there."""


class Haste(Protocol):
    """How we are scheduled."""

    def first(self) -> None:
        """Before everybody."""

    def along(self) -> None:
        """Beside the others."""


class Memory(Protocol):
    """What keeps it all for later."""

    def beat(self, beat: Beat, reply: Reply) -> None:
        """A wake-up."""

    def seen(self, snapshot: Snapshot) -> None:
        """What was looked at."""

    def decided(self, decision: Decision, outcomes: Sequence[Outcome]) -> None:
        """A decision and what became of it at once."""

    def ended(self, decision_id: str, outcome: Outcome) -> None:
        """What became later of an intent that was not over at once."""

    def result(self, result: Result) -> None:
        """What came of it later."""

    def trouble(self, sentence: str) -> None:
        """Something that went wrong with ourselves."""

    def flush(self) -> None:
        """Nothing is urgent now: write what waits."""


class Loop:
    """The guard at work. Nothing here reads a clock but to know how late we were woken."""

    def __init__(
        self,
        *,
        clock: Clock,
        beats: Beats,
        pulse: Pulse,
        engine: Engine,
        ears: Ears,
        eyes: Eyes,
        hands: Hands,
        memory: Memory,
        follower: Follower,
        haste: Haste,
    ) -> None:
        self._clock = clock
        self._beats = beats
        self._pulse = pulse
        self.engine = engine
        self._ears = ears
        self.eyes = eyes
        self._hands = hands
        self._memory = memory
        self.follower = follower
        self.haste = haste
        self._sleep_us = 0
        self._again_us = UNKNOWN_US
        """How long to sleep after a beat that cannot be read: the longer, the more of them cannot."""
        self._rest_us = self._pace_us = self._looked_us = 0
        """How long after a look there is no other: while tasks stall but little, and in any trouble."""
        self._napping = False
        self._took_us = 0
        self._busy = False
        self._blind = False
        self.paused = False
        """Look and record, but decide nothing."""
        self.turns = 0

    def turn(self) -> Heard:
        """One wake-up; what is remembered of it is written when all else is done, and like anybody writes."""
        try:
            return self._turn()
        finally:
            self.haste.along()
            self._memory.flush()
            self.haste.first()

    def _turn(self) -> Heard:
        heard, late_us = self._sleep()
        self.turns += 1
        for decision_id, outcome in self._hands.ended():
            self.engine.report(decision_id, outcome)
            self._memory.ended(decision_id, outcome)
        beat = self._beats.read(late_us=late_us, signalled=heard.signalled)
        if beat is None:
            # Most likely it says so the next time, which in an alarm may not be late.
            self._sleep_us, self._again_us = self._again_us, min(2 * self._again_us, UNKNOWN_US)
            self._memory.trouble("the machine does not say how much memory is available")
            return heard
        if self._beats.blind and not self._blind:
            self._memory.trouble("pressure cannot be read: stalls are not seen, only growth is")
        self._blind = self._beats.blind
        reply = self._pulse.feel(beat)
        self._memory.beat(beat, reply)
        self._sleep_us = reply.sleep_us
        self._again_us = SHORTEST_US if reply.alarm else UNKNOWN_US
        steady, due = self.engine.policy.steady, self.follower.due(beat.now_us)
        wanted = reply.sweep or self._busy or due or steady or bool(self.engine.changed)
        # Triggers go on firing where tasks stall a little all the time, as beside a backup.
        rest_us = self._rest_us if reply.mild and not wanted else self._pace_us
        left_us = self._looked_us + rest_us - beat.now_us
        if not (wanted or reply.alarm):
            pass
        elif 0 < left_us <= rest_us and not steady:
            self._sleep_us = left_us
        else:
            self._look(reply, late_us)
        if self._hands.busy:
            self._sleep_us = min(self._sleep_us, self.engine.policy.tick_us)
        elif self.engine.changed:
            self._sleep_us = min(self._sleep_us, CHANGED_US)
        elif not steady:
            # Whoever takes memory faster than those before is to be seen between two looks, too.
            resting = bool(reply.alarm) or self._busy
            now_us = self._clock.monotonic_us() if resting else beat.now_us
            until_look_us = self._sleep_us if resting else None
            nap_us = self._pulse.nap_us(now_us, self._beats.free_bytes(), until_look_us)
            if nap_us:
                self._sleep_us, self._napping = nap_us, True
            elif resting:
                self._sleep_us = min(self._sleep_us, max(LONGEST_REST_US, GREED * self._took_us))
        return heard

    def _sleep(self) -> tuple[Heard, int]:
        """Sleep until the next beat is due; why we woke, and how much later than we wanted to."""
        now_us = self._clock.monotonic_us()
        while True:
            due_us = now_us + self._sleep_us
            heard = self._ears.wait(self._sleep_us)
            now_us = self._clock.monotonic_us()
            late_us = max(0, now_us - due_us)
            if not (self._napping and heard.silent) or late_us > LATE_US:
                break
            nap_us = self._pulse.nap_us(now_us, self._beats.free_bytes())
            if not nap_us:
                break
            self._sleep_us = nap_us
        self._napping = False
        return heard, late_us

    def _look(self, reply: Reply, late_us: int) -> None:
        """Read the cgroups and decide. A read that fails is no reason to die: the next one may not."""
        begin_us = self._clock.monotonic_us()
        if reply.lasts_us is None or reply.lasts_us > PRESSING_US:
            self.haste.along()
        try:
            snapshot, known = self.eyes.look(self.engine.awaited), NOBODY
            step = self._step(snapshot, reply, late_us, known)
            while not known.issuperset(step.wants_processes):
                known = step.wants_processes
                snapshot = self.eyes.meet(snapshot, known)
                step = self._step(snapshot, reply, late_us, known)
            self.follower.heed(snapshot)
            self.eyes.catch_up()
        except MemwardenError as error:
            self._memory.trouble(str(error))
            return
        finally:
            self.haste.first()
        self._looked_us = self._clock.monotonic_us()
        self._took_us = self._looked_us - begin_us
        self._busy = step.busy
        self._rest_us = self._pace_us = 0
        if self.engine.policy.steady:
            self._sleep_us = step.sleep_us
        elif reply.alarm or step.busy:
            self._sleep_us = self._rest(step, reply)
            self._pace_us = min(self._sleep_us, self._pace(step, reply))
            self._rest_us = self._sleep_us if reply.mild else self._pace_us

    def _rest(self, step: Step, reply: Reply) -> int:
        """How long to sleep in trouble: a tick, less often while memory lasts, and never for all of a CPU.

        A shortage is often a shortage of CPU too, so that looking takes at most a 16th of one, and a 160th
        while memory is not filling: beside a backup tasks stall for hours, and what is guarded should not
        have it in its 99th percentile. Whoever is to die is gone in half a second, mostly, and the next one
        may have to wait for it: that is looked for at each tick. Nothing of this holds when memory ends
        sooner than it lets us look again.
        """
        if self.engine.pending:
            wanted = 0
        elif reply.lasts_us is None:
            wanted = min(PATIENCE * self._took_us, LONGEST_REST_US)
        else:
            wanted = min(reply.lasts_us // LOOKS, LONGEST_TICK_US)
        rest_us = max(wanted, step.sleep_us, GREED * self._took_us)
        if reply.lasts_us is None:
            return rest_us
        return min(rest_us, max(reply.lasts_us // 2, step.sleep_us // 2))

    def _pace(self, step: Step, reply: Reply) -> int:
        """However many triggers fire, and whoever asks, the others have a share of the CPU."""
        if reply.lasts_us is None and not self.engine.pending:
            return STALLED_TICKS * step.sleep_us
        return min(step.sleep_us, GREED * self._took_us)

    def _step(self, snapshot: Snapshot, reply: Reply, late_us: int, known: frozenset[str]) -> Step:
        self._memory.seen(snapshot)
        step = self.engine.step(
            snapshot,
            calm=not reply.alarm,
            late_us=late_us,
            paused=self.paused,
            processes_of=known,
        )
        for result in step.results:
            self._memory.result(result)
            if result.gone:
                self._pulse.relieved()
        for decision in step.decisions:
            self.carry(decision)
        return step

    def carry(self, decision: Decision) -> None:
        """Carry one decision out, tell the engine what became of it, and keep both."""
        self.haste.first()
        outcomes = self._hands.carry(decision)
        for outcome in outcomes:
            self.engine.report(decision.id, outcome)
        self._memory.decided(decision, outcomes)
