"""All rules of a policy at one tick: snapshots in, decisions out.

The same engine runs in the daemon, over recordings and in the simulator. It never acts and never waits:
whoever drives it carries the intents out, reports what became of them (:meth:`Engine.report`), and takes
the next snapshot when it is time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.guard.acts import CHOOSING, Scene
from memwarden.guard.chain import Chain, shift
from memwarden.guard.choose import few_suffice
from memwarden.guard.history import History
from memwarden.guard.ir import DoKill
from memwarden.guard.need import need
from memwarden.guard.record import Considered, Decision
from memwarden.guard.victims import Victims, is_gone
from memwarden.guard.view import View
from memwarden.state.cgroup import ancestry
from memwarden.state.intents import CgroupId, Kill, ProcessId, RunHook, Terminate
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.guard.ir import Policy, Rule
    from memwarden.guard.never import Guarded
    from memwarden.guard.victims import Result
    from memwarden.state.intents import Outcome, Target
    from memwarden.state.snapshot import Snapshot

ACT_US: Final = 13 * SECOND_US // 4
"""How long a kill is taken to need until it helps, where none took longer yet.

In the arena it is half a second in the middle, and up to 2 s for a storm of processes. What is left of memory
at the end is no help meanwhile: of the arena's 900 MB some 32 MB are available when the kernel begins to
reclaim, page cache that programs run from, which a leak of 11 MB/s comes to nearly 3 s before the end; and
whoever runs then stalls.
"""
APART: Final = 4
"""The next look is taken to be as far away as the last one was, but not further than a fourth of what a kill
takes. The daemon looks five times before memory ends, so that with a fourth more than a kill takes left there
is as much as it takes at the next look."""
RESTORE_US: Final = 5 * SECOND_US
"""Calm for so long, and what was throttled is let go."""
DEATH_US: Final = 2 * SECOND_US
"""How long a victim may take to be gone, where its action does not say."""

EVERYBODY: Final = frozenset(("/",))
"""The processes of the machine, whatever cgroup they are in."""
NONE: Final[frozenset[str]] = frozenset()
REMEMBERED: Final = 256
"""Decisions whose outcomes are still taken."""


class Step(NamedTuple):
    """What one tick gave. ``results`` are of earlier decisions; ``sleep_us`` until the next tick is due."""

    decisions: tuple[Decision, ...]
    results: tuple[Result, ...]
    busy: bool
    """Something is under way: the next tick is due though all looks calm."""
    sleep_us: int
    wants_processes: frozenset[str] = NONE
    """Somebody is to be chosen, and the snapshot lacks processes: those in and below these cgroups, ``/`` for
    all. The same snapshot with them is the next one, at once."""


class Engine:
    """A policy at work. ``guarded`` is who may not be killed whatever it says."""

    def __init__(self, policy: Policy, guarded: Guarded) -> None:
        self.policy = policy
        self.history = History()
        self._guarded = guarded
        self._count = 0
        self._act_us = ACT_US
        self._now_us = 0
        self._apart_us = 0
        self._boot: str | None = None
        self._begin()
        self._few = all(
            few_suffice(action.choice)
            for rule in policy.rules
            for action in rule.actions
            if isinstance(action, CHOOSING)
        )
        self._read = EVERYBODY
        self._wanted = NONE
        self._unsettled: list[Considered] = []
        self._asked: View | None = None
        """The tick at which processes were asked for: the next one may be that again."""

    @property
    def pending(self) -> tuple[Target, ...]:
        """Whose death is waited for."""
        return self._victims.pending

    @property
    def awaited(self) -> frozenset[str]:
        """The cgroups whose death is waited for, or was in vain: whether they live is asked at each look.

        A cgroup's memory goes before its processes are gone (``do_exit``: ``exit_mm`` comes before
        ``cgroup_exit``), so that it may live in one look and have moved no more in the next.
        """
        return self._victims.awaited

    @property
    def changed(self) -> tuple[CgroupId, ...]:
        """Cgroups that are throttled or frozen by us."""
        return self._victims.changed

    def _begin(self) -> None:
        self._victims = Victims()
        self._rests_together: dict[str, int] = {}
        self._chains = [self._chain(rule) for rule in self.policy.rules if not rule.per_cgroup]
        self._scoped: dict[tuple[int, str, int], Chain] = {}
        self._owners: dict[str, Chain] = {}
        self._in_vain: list[tuple[Chain, str, Target]] = []
        """Kills that could not be done, until the next look says whether somebody else was first."""
        self._calm_since_us: int | None = None

    def succeed(self, before: Engine) -> None:
        """Take over from the engine of the policy before: whose death is waited for, and what is changed."""
        self._victims, self._act_us = before._victims, before._act_us

    def step(
        self,
        snapshot: Snapshot,
        *,
        calm: bool = False,
        late_us: int = 0,
        paused: bool = False,
        processes_of: frozenset[str] = EVERYBODY,
    ) -> Step:
        """One tick.

        ``calm``: the pulse saw nothing wrong; later moments are compared with this one. ``paused``: see
        everything and decide nothing. ``processes_of``: the cgroups in and below which the snapshot was meant
        to hold the processes.
        """
        self._settle()
        self._keep_time(snapshot)
        self._read = processes_of
        self._wanted = NONE
        self.history.add(snapshot, late_us=late_us)
        asked, self._asked = self._asked, None
        again = asked is not None and asked.snapshot.instant == snapshot.instant
        view = asked.with_processes(snapshot) if again and asked else View(snapshot, self.history)
        self._try_others(snapshot)
        results = self._victims.settle(snapshot)
        self._learn(results)
        # Whether a process is gone is seen by the processes alone.
        blind = not processes_of and any(isinstance(one, ProcessId) for one in self._victims.pending)
        if blind:
            self._wanted = EVERYBODY
        chains = [*self._chains, *self._instances(view)]
        for chain in chains:
            if not again:  # no detector looks at processes
                chain.see(view)
        idle = paused or blind
        decisions = [] if idle else [*self._restore(snapshot, calm=calm), *self._decide(chains, view)]
        if not idle:
            decisions += self.restore(snapshot, due=True)
        self._asked = view if self._wanted else None
        # Where processes are asked for somebody is to be chosen, by what all held before.
        if calm and not (decisions or self._wanted or self._victims.pending):
            self.history.mark_calm(snapshot)
            self._guarded.know(snapshot.cgroups)
        busy = any(chain.active or chain.fired for chain in chains) or bool(self._victims.pending)
        return Step(tuple(decisions), results, busy, self.policy.tick_us, self._wanted)

    def _try_others(self, snapshot: Snapshot) -> None:
        """Have the next one taken where a kill was in vain, but not where its victim is dead all the same."""
        for chain, decision_id, target in self._in_vain:
            if not is_gone(snapshot, target):
                chain.failed(decision_id)
        self._in_vain.clear()

    def _keep_time(self, snapshot: Snapshot) -> None:
        """Take the time; another boot begins all anew, and a clock that went back takes all times with it."""
        before, self._now_us = self._now_us, snapshot.instant.monotonic_us
        boot, self._boot = self._boot, snapshot.host.boot_id
        if self._now_us != before:  # else it is the same look, with processes
            self._apart_us = max(0, min(self._now_us - before, self._act_us // APART))
        if boot is not None and self._boot != boot:
            self._begin()
        elif self._now_us < before:
            for chain in (*self._chains, *self._scoped.values()):
                chain.shift(before - self._now_us)
            shift(self._rests_together, before - self._now_us)
            self._victims.shift(before - self._now_us)
            self._calm_since_us = None

    def _decide(self, chains: list[Chain], view: View) -> Iterator[Decision]:
        ids = self._ids()
        for chain in chains:
            if not (chain.fired or chain.active):
                chain.idle()
                continue
            scene = Scene(
                view if chain.scope is None else view.at(chain.scope),
                self._guarded,
                self._victims,
                # What is not done now is done a look later.
                need(view, chain.where(), act_us=self._act_us + self._apart_us),
                self._rests,
                self._lacks,
                bool(self._read),
                self.policy,
            )
            for decision in chain.advance(scene, ids):
                self._own(decision.id, chain)
                within, final = _death_us(chain.rule, decision.step), _final(chain.rule, decision.step)
                self._victims.strike(decision.id, decision.intents, view, within, final=final)
                self._mark_kills(decision, view)
                if isinstance(decision.candidates, Considered):
                    self._unsettled.append(decision.candidates)
                yield decision

    def _settle(self) -> None:
        """Have decisions of before know all that they rest on, while that is as it was."""
        for considered in self._unsettled:
            considered.settle()
        self._unsettled.clear()

    def _mark_kills(self, decision: Decision, view: View) -> None:
        """What a kill gives back says nothing about how memory comes and goes by itself."""
        for intent in decision.intents:
            if isinstance(intent, Kill | Terminate):
                self.history.mark_kill(_path(intent.target, view))

    def _lacks(self, paths: tuple[str, ...] = ()) -> bool:
        """Whether processes are needed to go on: of the first of these; asking is wanting those of all.

        Of no path nothing is missing where the policy gets by with the processes of the chosen one. Where
        those that were asked for were not enough, all are.
        """
        if self._few and not paths:
            return False
        if "/" in self._read or (self._few and not self._read.isdisjoint(ancestry(paths[0]))):
            return False
        self._wanted |= frozenset(paths) if self._few and not self._read else EVERYBODY
        return True

    def _own(self, decision_id: str, chain: Chain) -> None:
        self._owners[decision_id] = chain
        if len(self._owners) > REMEMBERED:
            del self._owners[next(iter(self._owners))]

    def _rests(self, asking: bool) -> str:
        """Why nobody may be killed now: a victim is not gone yet, or a kill was just now.

        Nobody else is asked to end (``asking``) while one that was is there; SIGKILL does not wait for it.
        """
        if not self.policy.wait_for_death:
            return ""
        if waited := self._victims.pending if asking else self._victims.dying:
            return f"waiting for {_name(waited[0])} to be gone"
        last = self._victims.last_gone_us
        if last is not None and self._now_us < last + self.policy.kill_pause_us:
            pause = self.policy.kill_pause_us / SECOND_US
            return f"a kill ended less than {pause:g} s ago; its effect is waited for"
        return ""

    def _learn(self, results: tuple[Result, ...]) -> None:
        """How long a kill takes until its victim is gone: the slower of what was seen and is believed."""
        for result in results:
            if result.gone:
                self._act_us = max(ACT_US, (self._act_us + result.took_us) // 2, result.took_us)

    def _instances(self, view: View) -> list[Chain]:
        """The rules that are run per cgroup, with their own state as long as the cgroup is there."""
        if not view.snapshot.cgroups:  # they were not read
            return []
        alive: dict[tuple[int, str, int], Chain] = {}
        resting = {key: chain for key, chain in self._scoped.items() if chain.resting(self._now_us)}
        until_us = {key[:2]: chain.rests_until_us for key, chain in resting.items()}
        for number, rule in enumerate(self.policy.rules):
            for cgroup in view.matches(rule.per_cgroup) if rule.per_cgroup else ():
                if rule.xattr_filter is None or rule.xattr_filter in (cgroup.marks or ()):
                    key = (number, cgroup.path, cgroup.inode)
                    chain = self._scoped.get(key)
                    if chain is None:
                        # Who comes back under its name, as a service does, rests as the one before.
                        chain = self._chain(rule, cgroup.path)
                        if (number, cgroup.path) in until_us:
                            chain.rest_until(until_us[number, cgroup.path])
                    alive[key] = chain
        # Who rests goes on resting, also when its cgroup was not to be seen for a moment.
        self._scoped = {**alive, **{key: chain for key, chain in resting.items() if key not in alive}}
        return list(alive.values())

    def _chain(self, rule: Rule, scope: str | None = None) -> Chain:
        return Chain(rule, scope, self._rests_together if rule.rests_with else None)

    def _restore(self, snapshot: Snapshot, *, calm: bool) -> Iterator[Decision]:
        """Undo what was throttled or frozen, once it has been calm for long enough."""
        if not calm or self._victims.pending:
            self._calm_since_us = None
            return
        if self._calm_since_us is None:
            self._calm_since_us = self._now_us
        if self._now_us - self._calm_since_us >= RESTORE_US:
            self._calm_since_us = self._now_us  # what cannot be undone is tried again, not at every tick
            yield from self.restore(snapshot)

    def restore(self, snapshot: Snapshot, *, due: bool = False) -> Iterator[Decision]:
        """Undo everything now, as at the end of the guard; ``due``: what was frozen for long enough only."""
        for because, intent in self._victims.undo(snapshot, due=due):
            yield Decision(
                id=next(self._ids()),
                at=snapshot.instant,
                policy=self.policy.name,
                rule="restore",
                group=because,
                step=0,
                action="restore",
                findings=(),
                need=f"what {because} froze has been so for its time"
                if due
                else f"what {because} changed is no longer needed",
                intents=(intent,),
            )

    def report(self, decision_id: str, outcome: Outcome) -> None:
        """What became of an intent."""
        self._victims.outcome(decision_id, outcome)
        chain = self._owners.get(decision_id)
        if chain is None:
            return
        if isinstance(outcome.intent, RunHook):
            chain.hook_ended(decision_id, self._now_us)
        elif isinstance(outcome.intent, Kill | Terminate) and not outcome.done:
            self._in_vain.append((chain, decision_id, outcome.intent.target))

    def bury(self, target: Target | None) -> None:
        """On a recording: take a victim as gone and do not choose it again; ``None`` has no name."""
        self._victims.bury(target, self._now_us)

    def _ids(self) -> Iterator[str]:
        """Unique on one boot and in order, over restarts of the guard too: its clock, and a count."""
        while True:
            self._count += 1
            yield f"{self._now_us // 1000:x}-{self._count}"


def _death_us(rule: Rule, step: int) -> int:
    action = rule.actions[step] if step < len(rule.actions) else None
    within = getattr(action, "within_us", DEATH_US)
    return int(within) + int(getattr(action, "term_us", 0))


def _final(rule: Rule, step: int) -> bool:
    """Whether SIGKILL comes, now or after SIGTERM."""
    action = rule.actions[step] if step < len(rule.actions) else None
    return not isinstance(action, DoKill) or action.escalate or not action.term_us


def _path(target: Target, view: View) -> str:
    """The cgroup of a target."""
    if isinstance(target, CgroupId):
        return target.path
    process = view.snapshot.processes.get(target.pid)
    return (process.cgroup if process else None) or "/"


def _name(target: Target) -> str:
    return target.path if isinstance(target, CgroupId) else f"process {target.pid} ({target.comm})"
