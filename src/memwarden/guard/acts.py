"""What each action of a rule means now: whom it concerns, which intents, and how the chain goes on."""

from collections.abc import Callable
from typing import Final, NamedTuple

from memwarden.guard import choose, ir
from memwarden.guard.globs import EVERYTHING, literal
from memwarden.guard.need import MACHINE, Need
from memwarden.guard.never import Guarded
from memwarden.guard.record import Candidate, Considered
from memwarden.guard.victims import Victims
from memwarden.guard.view import View
from memwarden.state.cgroup import Cgroup
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Intent,
    Kill,
    Notify,
    Panic,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Target,
    Terminate,
)

NEXT: Final = "next"  # the chain goes on at once
WAIT: Final = "wait"  # until it helped, or its time is over
HOLD: Final = "hold"  # the same action again at the next tick
STOP: Final = "stop"  # the chain ends and the rule rests
ALIGN: Final = 4096
NOBODY: Final = "somebody would be killed; these are signals of the machine only, which name nobody"
NOBODY_SLOWER: Final = (
    "somebody would be slowed down; these are signals of the machine only, which name nobody"
)
HOOK_END: Final = "hook"
TERM_END: Final = "term"
CHOOSING: Final = (ir.DoKill, ir.DoThrottle, ir.DoReclaim, ir.DoFreeze)
SUSPECTS: Final = 4
"""Of how many the processes are read at once: of who would be chosen, and of those that come next."""


class Scene(NamedTuple):
    """What an action is decided on.

    ``rests(asking)`` says why nobody may be killed, or asked to end, just now, or nothing. ``lacks(paths)``:
    whether the snapshot was taken without the processes of the first of these cgroups, which tell whom it
    holds; those of all of them are asked for then. ``lacks()``: whether nothing can be told without all.
    """

    view: View
    guarded: Guarded
    victims: Victims
    need: Need
    rests: Callable[[bool], str]
    lacks: Callable[..., bool]
    met: bool
    """Whether the processes of some cgroups were read by now."""
    policy: ir.Policy


class Act(NamedTuple):
    """One action at one instant.

    ``for_us``: how long to wait, or to rest when it stops the chain (``None``: the rule's own time).
    ``phase``: what the wait is for, where another half follows.
    """

    name: str
    then: str
    candidates: tuple[Candidate, ...] = ()
    intents: tuple[Intent, ...] = ()
    withheld: str = ""
    for_us: int | None = None
    phase: str = ""


LOOK: Final = Act("look", HOLD)
"""Nothing yet: the processes of some cgroups are asked for."""


def perform(action: ir.Action, scene: Scene) -> Act:
    """Decide one action."""
    if isinstance(action, ir.DoThrottle | ir.DoReclaim | ir.DoFreeze) and _nameless(scene):
        return Act(_slow_name(action), WAIT, withheld=NOBODY_SLOWER, for_us=action.within_us)
    match action:
        case ir.DoKill():
            return _kill(action, scene)
        case ir.DoThrottle():
            return _throttle(action, scene)
        case ir.DoReclaim():
            return _reclaim(action, scene)
        case ir.DoFreeze():
            return _freeze(action, scene)
        case ir.DoNotify():
            return Act("notify", NEXT, intents=(Notify(action.text),))
        case ir.DoRestart():
            return Act("restart", STOP, intents=(Restart(action.unit),), for_us=action.pause_us)
        case ir.DoPanic():
            return Act("panic", STOP, intents=(Panic(),))
    return Act("nothing", STOP if action.stop else NEXT)


def _kill(action: ir.DoKill, scene: Scene) -> Act:
    if not (scene.need.reason or action.even_without_need):
        return Act("kill", STOP, withheld=f"no need: {scene.need.text}", for_us=0)
    if rests := scene.rests(bool(action.term_us)):
        return Act("kill", HOLD, withheld=rests)
    if _nameless(scene):
        return _ended(action, (), ())._replace(withheld=NOBODY)
    candidates = _order(action.choice, scene)
    if candidates is None:
        return LOOK
    chosen = first(candidates)
    if chosen is None:
        return Act("kill", NEXT, candidates, withheld="there is nobody who may be killed")
    target = chosen.target
    if action.hook:
        hook = RunHook(action.hook, target, action.hook_limit_us, action.hook_meanwhile)
        return Act("hook", WAIT, candidates, (hook,), for_us=action.hook_limit_us, phase=HOOK_END)
    if action.term_us:
        return Act("term", WAIT, candidates, (Terminate(target),), for_us=action.term_us, phase=TERM_END)
    return _ended(action, candidates, (Kill(target, action.release),))


def finish_kill(action: ir.DoKill, target: Target, phase: str, scene: Scene) -> Act:
    """The other half of a kill that a hook or SIGTERM came before, where all that it rested on still holds.

    Meanwhile another rule may have killed, somebody who is to be spared may have come in, and the shortage
    may have ended.
    """
    if scene.lacks((target.path,) if isinstance(target, CgroupId) else ()):
        return LOOK._replace(phase=phase)
    if reason := choose.refusal(action.choice, scene.view, scene.guarded, target):
        return Act("kill", STOP, withheld=f"it may not be killed any more: {reason}")
    if not (scene.need.reason or action.even_without_need):
        return Act("kill", STOP, withheld=f"no need: {scene.need.text}", for_us=0)
    if phase == HOOK_END and (rests := scene.rests(bool(action.term_us))):
        return Act("kill", HOLD, withheld=rests, phase=phase)
    if phase == HOOK_END and action.term_us:
        return Act("term", WAIT, (), (Terminate(target),), for_us=action.term_us, phase=TERM_END)
    if not action.escalate:
        return Act("term", STOP, withheld="it did not go within its time; SIGKILL is another rule's")
    return _ended(action, (), (Kill(target, action.release),))


def _ended(action: ir.DoKill, candidates: tuple[Candidate, ...], intents: tuple[Intent, ...]) -> Act:
    then = NEXT if action.go_on else STOP
    return Act("kill", then, candidates, intents, for_us=action.pause_us)


def _throttle(action: ir.DoThrottle, scene: Scene) -> Act:
    candidates = _order(action.choice, scene)
    if candidates is None:
        return LOOK
    chosen = first(candidates)
    cgroup = _cgroup(chosen, scene)
    if chosen is None or cgroup is None or cgroup.current_bytes is None or cgroup.high_bytes is None:
        return Act("throttle", NEXT, candidates, withheld="there is nobody who can be throttled")
    high = cgroup.current_bytes * action.at_ppm // 1_000_000 // ALIGN * ALIGN
    if cgroup.high_bytes <= high:
        return Act("throttle", NEXT, candidates, withheld="it is throttled already")
    intent = SetHigh(CgroupId(cgroup.path, cgroup.inode), high, cgroup.high_bytes)
    return Act("throttle", WAIT, candidates, (intent,), for_us=action.within_us)


def _reclaim(action: ir.DoReclaim, scene: Scene) -> Act:
    candidates = _order(action.choice, scene)
    if candidates is None:
        return LOOK
    cgroup = _cgroup(first(candidates), scene)
    if cgroup is None or not cgroup.current_bytes or cgroup.has_reclaim is False:
        return Act("reclaim", NEXT, candidates, withheld="there is nobody to reclaim from")
    amount = action.amount.of(cgroup.current_bytes)
    intent = Reclaim(CgroupId(cgroup.path, cgroup.inode), amount, action.swappiness)
    return Act("reclaim", WAIT, candidates, (intent,), for_us=action.within_us)


def _freeze(action: ir.DoFreeze, scene: Scene) -> Act:
    candidates = _order(action.choice, scene)
    if candidates is None:
        return LOOK
    cgroup = _cgroup(first(candidates), scene)
    if cgroup is None or cgroup.frozen:
        return Act("freeze", NEXT, candidates, withheld="there is nobody who can be frozen")
    intent = Freeze(CgroupId(cgroup.path, cgroup.inode))
    return Act("freeze", WAIT, candidates, (intent,), for_us=action.within_us)


def _nameless(scene: Scene) -> bool:
    """Whether the snapshot holds nobody at all, as that of signals of the machine."""
    return not scene.view.snapshot.cgroups and not scene.view.snapshot.processes


def _slow_name(action: ir.DoThrottle | ir.DoReclaim | ir.DoFreeze) -> str:
    if isinstance(action, ir.DoThrottle):
        return "throttle"
    return "reclaim" if isinstance(action, ir.DoReclaim) else "freeze"


def first(candidates: tuple[Candidate, ...]) -> Candidate | None:
    """The chosen one."""
    if isinstance(candidates, Considered):
        return candidates.chosen
    return next((one for one in candidates if not one.why_not), None)


def _order(choice: ir.Choice, scene: Scene) -> tuple[Candidate, ...] | None:
    """Everybody considered: of a choice among all only those whose death can help, where memory is short.

    ``None`` while it depends on processes that were not read: the suspects are asked for, and only who is
    chosen with them stands in a record.
    """
    if scene.lacks():
        return None
    domain = scene.need.domain
    if domain != MACHINE and EVERYTHING.issuperset(choice.cgroups):
        name = literal(domain)
        choice = choice._replace(cgroups=(name, f"{name}/**"))
    view, guarded, failed = scene.view, scene.guarded, frozenset(scene.victims.failed)
    if not scene.met:
        whom = view.once(
            (SUSPECTS, choice, failed),
            lambda: choose.suspects(choice, view, guarded, failed=failed, most=SUSPECTS),
        )
        if whom and scene.lacks(whom):
            return None
    found = view.once((choice, failed), lambda: choose.considered(choice, view, guarded, failed=failed))
    chosen = first(found)
    if chosen is not None and isinstance(chosen.target, CgroupId) and scene.lacks((chosen.target.path,)):
        return None
    return found


def _cgroup(chosen: Candidate | None, scene: Scene) -> Cgroup | None:
    if chosen is None or not isinstance(chosen.target, CgroupId):
        return None
    return scene.view.snapshot.cgroups.get(chosen.target.path)
