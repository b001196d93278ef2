"""One rule over time: its detectors at every tick, its actions in order, with limits, relief and rest.

As oomd has it: detectors in a group are ANDed, groups are ORed, every detector runs at every tick, actions
run until one stops the chain, and then the rule rests. What is added: an action that takes time to help is
waited for, and ends the chain when it did help; one that cannot help in time, since memory ends before, is
passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.guard import acts, ir
from memwarden.guard.detectors import compile_detector
from memwarden.guard.record import Decision
from memwarden.guard.victims import is_gone
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.guard.acts import Act, Scene
    from memwarden.guard.detectors import Watch
    from memwarden.guard.record import Finding
    from memwarden.guard.view import View
    from memwarden.state.intents import Target

SLOW: Final = (ir.DoReclaim, ir.DoThrottle, ir.DoFreeze)
"""Actions that give others time to help; passed over when there is none."""
AGAIN_US: Final = 10 * SECOND_US
"""The same thing is not said again before, however short a rule rests."""
SAID: Final = 64
"""Things said that are remembered: texts name cgroups, of which there may be any number."""
SILENT: Final = ("nothing", "look")
"""Acts that are no decisions."""


class Chain:
    """A rule, or one instance of a rule that is run per cgroup (``scope``)."""

    __slots__ = (
        "_at",
        "_because",
        "_decided",
        "_groups",
        "_own_rests",
        "_phase",
        "_rests",
        "_said",
        "_sleeper",
        "_slept",
        "_until_us",
        "_victim",
        "fired",
        "rule",
        "scope",
    )

    def __init__(self, rule: ir.Rule, scope: str | None = None, rests: dict[str, int] | None = None) -> None:
        self.rule = rule
        self.scope = scope
        self._rests = {} if rests is None else rests
        """Until when who rests; shared by the rules that rest together."""
        self._own_rests = rests is None
        self._sleeper = rule.rests_with or "self"
        self.fired: tuple[str, tuple[Finding, ...]] | None = None
        """Name and findings of the first group whose detectors all fire now."""
        self._groups = _compiled(rule)
        self._because: tuple[str, tuple[Finding, ...]] = ("", ())
        self._at: int | None = None
        self._until_us: int | None = None
        self._phase = ""
        self._victim: Target | None = None
        self._said: dict[str, int] = {}
        self._slept: int | None = None
        self._decided = ""
        """The latest decision."""

    @property
    def active(self) -> bool:
        """Whether an action is under way."""
        return self._at is not None

    def resting(self, now_us: int) -> bool:
        """Whether its last action ended its chain a short time ago."""
        return now_us < self._rests.get(self._sleeper, now_us)

    @property
    def rests_until_us(self) -> int:
        """Until when it rests, or rested last; 0 where it never did."""
        return self._rests.get(self._sleeper, 0)

    def rest_until(self, time_us: int) -> None:
        """Rest, as the one of the same cgroup did before that was made anew."""
        self._rests[self._sleeper] = time_us

    def shift(self, by_us: int) -> None:
        """The clock has gone back by so much: what was waited for is still, what was seen begins anew."""
        self._groups = _compiled(self.rule)
        if self._until_us is not None:
            self._until_us -= by_us
        self._said = {key: time - by_us for key, time in self._said.items()}
        if self._slept is not None:
            self._slept -= by_us
        if self._own_rests:
            shift(self._rests, by_us)

    def see(self, view: View) -> None:
        """Run all detectors."""
        here = view.at(self.scope) if self.scope is not None else view
        self.fired = None
        for name, detectors in self._groups:
            findings = tuple([detector.see(here) for detector in detectors])
            if self.fired is None and all(finding.fired for finding in findings):
                self.fired = (name, findings)

    def where(self) -> str:
        """The cgroup at which the rule fired: that of the first finding which has one."""
        _, findings = self._because if self._at is not None else self.fired or self._because
        return next((one.where for one in findings if one.where != "/"), self.scope or "/")

    def idle(self) -> None:
        """Nothing fires and nothing is under way: what was said may be said again."""
        self._said.clear()

    def advance(self, scene: Scene, new_id: Iterator[str]) -> Iterator[Decision]:
        """Decide what is to be decided now."""
        if not self._ready(scene):
            return
        while self._at is not None and self._at < len(self.rule.actions):
            action = self.rule.actions[self._at]
            if isinstance(action, SLOW) and _too_late(action.within_us, scene):
                self._at += 1
                continue
            act = self._act(action, scene)
            if self._worth_saying(act, scene.view.now_us):
                self._decided = next(new_id)
                yield self._decision(act, scene, self._decided)
            if not self._go_on(act, scene.view.now_us):
                return
        self._at = None

    def _ready(self, scene: Scene) -> bool:
        """Whether an action is to be decided now; sets which one."""
        now = scene.view.now_us
        if self.resting(now) and not self._phase:
            self._at, self._until_us = None, None  # one that it rests with was first
            return False
        if self._at is None:
            assert self.fired is not None
            self._at, self._because = 0, self.fired
            return True
        if self._until_us is None:  # held
            if self.fired is None and self._phase != acts.HOOK_END:
                self._at, self._phase, self._victim = None, "", None
            elif self._phase and self._victim is not None and self._went(self._victim, scene):
                self._rest(now, None)
            return self._at is not None
        return self._waited(scene, now)

    def _waited(self, scene: Scene, now: int) -> bool:
        """An action was waited for: whether it is over, and what comes next."""
        assert self._at is not None
        assert self._until_us is not None
        if self._phase and self._victim is not None and self._went(self._victim, scene):
            self._rest(now, None)
            return False
        if self._phase != acts.HOOK_END and self.fired is None:
            self._rest(now, None)  # it helped
            return False
        if now < self._until_us:
            return False
        self._until_us = None
        if not self._phase:
            self._at += 1
        if self._at == len(self.rule.actions):
            self._rest(now, None)  # all was tried
        return self._at is not None

    def _went(self, victim: Target, scene: Scene) -> bool:
        """Whether the victim went by itself, before it was killed."""
        waited = self._phase != acts.TERM_END or scene.victims.waits(victim)
        return not waited or is_gone(scene.view.snapshot, victim)

    def _act(self, action: ir.Action, scene: Scene) -> Act:
        if self._phase and isinstance(action, ir.DoKill) and self._victim is not None:
            return acts.finish_kill(action, self._victim, self._phase, scene)
        return acts.perform(action, scene)

    def _go_on(self, act: Act, now: int) -> bool:
        """Set what comes after this act; whether that is another act at once."""
        assert self._at is not None
        self._phase = act.phase
        chosen = acts.first(act.candidates)
        if chosen is not None:
            self._victim = chosen.target
        if act.then == acts.NEXT:
            self._at += 1
            return True
        if act.then == acts.WAIT:
            self._until_us = now + (act.for_us or 0)
        elif act.then == acts.STOP:
            self._rest(now, act.for_us)
        return False

    def _rest(self, now: int, for_us: int | None) -> None:
        self._at, self._until_us, self._phase, self._victim = None, None, "", None
        self._slept = now + (self.rule.pause_us if for_us is None else for_us)
        self._rests[self._sleeper] = max(self._slept, self._rests.get(self._sleeper, self._slept))

    def hook_ended(self, decision_id: str, now_us: int) -> None:
        """The hook of a decision has ended; what it came before is due, if that is what is waited for."""
        if self._phase == acts.HOOK_END and self._until_us is not None and decision_id == self._decided:
            self._until_us = now_us

    def failed(self, decision_id: str) -> None:
        """A kill could not be done: when it was the last, the next tick takes the next one without a rest."""
        if decision_id == self._decided:
            self._at, self._until_us, self._phase, self._victim = None, None, "", None
            if self._rests.get(self._sleeper) == self._slept:  # no other's that it rests with
                self._rests.pop(self._sleeper, None)

    def _worth_saying(self, act: Act, now: int) -> bool:
        """What is withheld, and what is only said, is said once per episode, and again after a rest."""
        if act.withheld:
            key = f"{act.name}: {act.withheld}"
        elif act.name == "notify":
            key = "notify"
        else:
            return act.name not in SILENT
        last = self._said.get(key)
        if last is not None and now < last + max(self.rule.pause_us, AGAIN_US):
            return False
        self._said.pop(key, None)
        if len(self._said) >= SAID:
            del self._said[next(iter(self._said))]  # what was said longest ago
        self._said[key] = now
        return True

    def _decision(self, act: Act, scene: Scene, decision_id: str) -> Decision:
        group, findings = self._because
        return Decision(
            id=decision_id,
            at=scene.view.snapshot.instant,
            policy=scene.policy.name,
            rule=self.rule.name,
            group=group,
            step=self._at or 0,
            action=act.name,
            findings=findings,
            # Where there is none, that is no reason to have done something.
            need=scene.need.text if scene.need.reason or scene.need.text in act.withheld else "",
            candidates=act.candidates,
            intents=act.intents,
            withheld=act.withheld,
        )


def shift(times: dict[str, int], by_us: int) -> None:
    """Set all times back by so much."""
    for key in times:
        times[key] -= by_us


def _compiled(rule: ir.Rule) -> list[tuple[str, list[Watch]]]:
    return [(group.name, [compile_detector(one) for one in group.detectors]) for group in rule.groups]


def _too_late(within_us: int, scene: Scene) -> bool:
    """Whether memory may end before the action's time is over."""
    forecast = scene.view.exhaustion(scene.need.domain, within_us)
    return forecast is not None and forecast.ends.earliest_us <= within_us
