"""What a policy may say and hardly means: rules that never fire, kills without need, protection of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.guard import ir
from memwarden.guard.policy.words import CHOOSING, DETECTOR_OF
from memwarden.words.kinds import quoted
from memwarden.words.quantities import DURATIONS, write, write_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.guard.policy.load import Spot

WHOLE: Final = 1_000_000
"""100 %, in parts per million."""
ALL: Final = 10_000
"""100 %, in hundredths of a percent."""
COMM_LENGTH: Final = 15
"""``TASK_COMM_LEN`` less the zero at the end (include/linux/sched.h)."""


class Doubt(NamedTuple):
    """``spot`` is what it is about: a section and the key or name within."""

    spot: Spot
    text: str


def doubts(policy: ir.Policy) -> tuple[Doubt, ...]:
    """All that is odd about a policy which is otherwise right."""
    found = [*_of_the_whole(policy), *_of_marks(policy)]
    for rule in policy.rules:
        found += [Doubt(("rule", rule.name), text) for text in _of_rule(rule, policy)]
    return tuple(dict.fromkeys(found))


def _of_the_whole(policy: ir.Policy) -> Iterator[Doubt]:
    kills = any(isinstance(action, ir.DoKill) for rule in policy.rules for action in rule.actions)
    if not policy.rules:
        yield Doubt(("guard", "name"), "has no rule, so that the guard does nothing; write a [[rule]]")
    if kills and not policy.protect:
        text = "protects nobody; name who is to be kept alive in a [protect.NAME]"
        yield Doubt(("guard", "name"), text)


def _of_marks(policy: ir.Policy) -> Iterator[Doubt]:
    for spot, marks in _all_marks(policy):
        for mark in marks:
            name = mark.removeprefix("comm:")
            if name != mark and len(name) > COMM_LENGTH and not set(name) & set("*?["):
                short = quoted(f"comm:{name[:COMM_LENGTH]}")
                yield Doubt(spot, f"{quoted(mark)} names nobody: a comm has 15 characters; write {short}")
            if mark in {"/**", "**", "comm:*"} and spot[1] in {"omit", "never", "protect"}:
                yield Doubt(spot, f"{quoted(mark)} names everybody, so that nobody is ever killed")


def _all_marks(policy: ir.Policy) -> Iterator[tuple[Spot, ir.Globs]]:
    yield ("guard", "never"), policy.never
    yield ("guard", "protect"), policy.protect
    for rule in policy.rules:
        for action in rule.actions:
            if isinstance(action, CHOOSING):
                marks = action.choice.preferences
                for name in ("prefer", "avoid", "omit"):
                    yield ("preferences", name), getattr(marks, name)


def _of_rule(rule: ir.Rule, policy: ir.Policy) -> Iterator[str]:
    if not rule.groups:
        yield "looks for nothing and never fires; add a [[rule.when]]"
    for group in rule.groups:
        for detector in group.detectors:
            why = _never(detector)
            if why:
                yield f"never fires by {quoted(group.name)}: {why}"
            elif always := _always(detector):
                yield always
        windows = [getattr(one, "window_us", policy.tick_us) for one in group.detectors]
        if min(windows, default=policy.tick_us) < policy.tick_us:
            tick = write(policy.tick_us, DURATIONS)
            yield f"{quoted(group.name)} looks back for less than a tick ({tick}), and misses what is between"
    if not rule.actions:
        yield "does nothing; add a [[rule.do]]"
    yield from _relative(rule)
    yield from _of_actions(rule)


def _never(detector: ir.Detector) -> str:
    """Why a detector can never fire, or nothing."""
    name = DETECTOR_OF[type(detector)].name
    match detector:
        case ir.Pressure(above_centi=above) | ir.PressureRising(above_centi=above) if above >= ALL:
            return f"{name} is never above 100%"
        case ir.Stall(above_us=above, window_us=window) | ir.Stuck(above_us=above, window_us=window) if (
            above >= window
        ):
            return "a stall is never longer than the time looked at; make above shorter, or in longer"
        case (
            ir.Pressure(resource="cpu", kind="full", cgroups=())
            | ir.Stall(resource="cpu", kind="full", cgroups=())
            | ir.PressureRising(resource="cpu", cgroups=())
        ):
            # Documentation/accounting/psi.rst (v6.12): undefined at the system level, and set to zero.
            return 'the kernel counts no full cpu pressure of the machine; say kind = "some", or a cgroup'
        case (
            ir.Available(below=below, inclusive=False)
            | ir.SwapFree(below=below, inclusive=False, without_swap=False)
        ) if _nil(below):
            return f"{name} is never below nothing"
        case ir.Headroom(below=below) if _nil(below):
            return "headroom is never below nothing"
        case ir.Usage(above=ir.Amount(ppm=int(share))) if share >= 1_000_000:
            return "usage is never above all of it"
        case ir.Exhaustion(within_us=0):
            return "memory never ends within no time; give a time that an action takes"
        case ir.Constant(fires=False):
            return "it says so"
    return ""


def _always(detector: ir.Detector) -> str:
    """Why a detector sees what it looks for whatever happens, or nothing."""
    match detector:
        case ir.Available(below=below) | ir.SwapFree(below=below) | ir.Headroom(below=below) if (
            below.ppm or 0
        ) > WHOLE:
            name, share = DETECTOR_OF[type(detector)].name, write_percent(below.ppm or 0, 10_000)
            return f"{name} is always below {share}; write a share of 100% or less"
    return ""


def _nil(amount: ir.Amount) -> bool:
    return not amount.of(1 << 60)


def _relative(rule: ir.Rule) -> Iterator[str]:
    globs = [glob for one in _parts(rule) for glob in one.cgroups]
    relative = [glob for glob in globs if glob == "." or glob.startswith("./")]
    if relative and not rule.per_cgroup:
        yield f"{quoted(relative[0])} means nothing here; add per_cgroup, or write the whole path"
    if rule.per_cgroup and not relative:
        yield 'runs once for each cgroup, and nothing in it asks which; write cgroup = "." where it is meant'


def _parts(rule: ir.Rule) -> Iterator[Any]:
    for group in rule.groups:
        yield from (one for one in group.detectors if hasattr(one, "cgroups"))
    yield from (action.choice for action in rule.actions if isinstance(action, CHOOSING))


def _of_actions(rule: ir.Rule) -> Iterator[str]:
    for number, action in enumerate(rule.actions):
        last = number == len(rule.actions) - 1
        match action:
            case ir.DoKill(even_without_need=True):
                yield "kills without need: a threshold alone is no shortage; leave even_without_need away"
            case ir.DoKill(term_us=0, escalate=False):
                yield "kill: escalate = false has no meaning where term is 0s, since SIGKILL comes at once"
            case ir.DoThrottle(at_ppm=0):
                yield "throttle: at 0% the cgroup stands still; say 100% to let it keep what it has"
            case ir.DoReclaim(amount=amount) if _nil(amount):
                yield 'reclaim: nothing is asked for; give an amount as "10%"'
            case ir.DoFreeze(within_us=0):
                yield 'freeze: it is thawed at once; give within a time as "1s"'
            case ir.DoNothing(stop=True) | ir.DoPanic() if not last:
                yield "has actions behind one that ends it; they never run"
            case ir.DoNothing(stop=False) if last and len(rule.actions) == 1:
                yield "does nothing when it fires"
        if isinstance(action, CHOOSING) and not any(one.weight for one in action.choice.ranking.weights):
            yield "ranks by nothing, since all weights are 0; give one a number as 1.0"
