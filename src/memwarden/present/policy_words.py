"""A policy as a person would say it: one paragraph for what holds for all rules, then one for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.present.policy_seen import amount, seen, span
from memwarden.present.text import counted, escape
from memwarden.present.wrap import wrap
from memwarden.words.quantities import write_percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memwarden.present.colour import Paint

RANKS: Final = {
    "culprit": ("the culprit", "who took most memory since all was calm"),
    "size": ("the largest", "by memory that only a death frees"),
    "current": ("the largest", "by memory.current"),
    "effective": ("the largest", "by what it uses above its protection"),
    "growth": ("the fastest to grow", ""),
    "swap": ("the one with most in swap", ""),
    "swap-biased": ("the one with most in swap", "above a fair share"),
    "pressure": ("the one that waits longest for memory", ""),
    "io-pressure": ("the one that waits longest for disks", ""),
    "pgscan": ("the one whose pages the kernel scans most", ""),
    "io-cost": ("the one that reads and writes most", ""),
    "badness": ("the one that the kernel would kill", "by badness"),
    "oom-score": ("the one with the highest oom_score", ""),
    "rss": ("the one with most resident memory", ""),
    "qos": ("the least of the Kubernetes classes", "BestEffort first"),
    "priority": ("the one of the lowest Kubernetes priority", ""),
    "oomd-growth": ("the one that oomd would choose", "the largest by far, else the fastest to grow"),
}
"""Who is first by a rank key, and what that means."""
KEPT: Final = (
    "init, container runtimes, Kubernetes on this node, the way in, the journal, the bus, logins, devices "
    "and the network"
)
"""What :data:`memwarden.guard.never.BUILT_IN` is of."""
UNITS: Final = {
    "recursive": "searched level by level",
    "matched": "with all below it",
    "process": "a single process",
}


def paragraphs(policy: ir.Policy, protected: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Title and text of each paragraph; a text may have several lines."""
    found = [(f"Policy {escape(policy.name)}", _whole(policy))]
    if protected or policy.never:
        found.append(("Spared", _spared(policy, protected)))
    found += [(f"Rule {escape(rule.name)}", escape(_rule(rule))) for rule in policy.rules]
    if policy.notes:
        found.append(("Notes", "\n".join(map(escape, policy.notes))))
    return found


def text(policy: ir.Policy, protected: Mapping[str, tuple[str, ...]], *, width: int, paint: Paint) -> str:
    """The paragraphs under their titles."""
    parts = [
        "\n".join([paint(title, "bold"), *(one for line in body.split("\n") for one in _lines(line, width))])
        for title, body in paragraphs(policy, protected)
    ]
    return "\n\n".join(parts) + "\n"


def _lines(line: str, width: int) -> list[str]:
    """A line of a paragraph; what goes on below it is set in further, as are the entries of a list."""
    entry = line.startswith("- ")
    return wrap(
        line.removeprefix("- "), width, first="    " if entry else "  ", rest="      " if entry else "  "
    )


def _whole(policy: ir.Policy) -> str:
    when = "always" if policy.steady else "while something is wrong"
    said = [f"{counted(len(policy.rules), 'rule')}, looked at every {span(policy.tick_us)} {when}."]
    if not policy.rules:
        said = ["It has no rule: the guard does nothing."]
    if policy.dry_run:
        said.append("It is a dry run: everything is decided and nothing done.")
    if policy.kill_pause_us:
        said.append(f"After a kill nobody else is killed for {span(policy.kill_pause_us)}.")
    if not policy.wait_for_death:
        said.append("It does not wait until who was killed is gone.")
    return " ".join(said)


def _spared(policy: ir.Policy, protected: Mapping[str, tuple[str, ...]]) -> str:
    said = []
    if protected:
        said.append("Never killed by these rules, as services to be kept alive:")
        said += [f"- {name}: {', '.join(who)}" for name, who in protected.items()]
    kept = sum(mark in BUILT_IN for mark in policy.never)
    own = [mark for mark in policy.never if mark not in BUILT_IN]
    if kept:
        how_many = f"all {kept}" if kept == len(BUILT_IN) else f"{kept} of the {len(BUILT_IN)}"
        said.append(f"Never killed at all: {how_many} entries of the built-in list, which is of {KEPT}.")
    if own:
        said.append(f"Nor, by this policy: {', '.join(own)}.")
    allowed = [mark for mark in BUILT_IN if mark not in policy.never]
    if allowed:
        said.append(f"May be killed although on the built-in list: {', '.join(allowed)}.")
    return "\n".join(map(escape, said))


def _rule(rule: ir.Rule) -> str:
    groups = (dict.fromkeys(map(seen, group.detectors)) for group in rule.groups)
    when = "; or when ".join(map(", and ".join, groups))
    head = f"When {when}" if rule.groups else "It looks for nothing and so never fires"
    if rule.per_cgroup:
        head = f"For each cgroup of {', '.join(rule.per_cgroup)} by itself: w{head[1:]}"
    does = "; then it ".join(_does(action) for action in rule.actions)
    said = [f"{head}: the guard {does}." if rule.actions else f"{head}: nothing is done."]
    if rule.xattr_filter:
        said.append(f"Only cgroups that have the extended attribute {rule.xattr_filter}.")
    others = f", and so do the others that rest with {rule.rests_with}" if rule.rests_with else ""
    rests = f"rests for {span(rule.pause_us)}{others}" if rule.pause_us else "does not rest"
    said.append(f"Afterwards it {rests}.")
    return " ".join(said)


def _does(action: ir.Action) -> str:
    match action:
        case ir.DoNotify(text=told):
            return f'says so ("{told}")' if told else "says so"
        case ir.DoReclaim():
            how = "" if action.swappiness is None else f" with swappiness {action.swappiness}"
            return (
                f"has the kernel take back {amount(action.amount)}{_of_its(action.amount)}{how} "
                f"from {_who(action.choice)}, and waits up to {span(action.within_us)} for relief"
            )
        case ir.DoThrottle():
            at = f"{write_percent(action.at_ppm, 10_000)} of its usage"
            return (
                f"holds {_who(action.choice)} down by memory.high at {at}, "
                f"and waits up to {span(action.within_us)} for relief"
            )
        case ir.DoFreeze():
            return f"freezes {_who(action.choice)} for up to {span(action.within_us)}"
        case ir.DoKill():
            return _kills(action)
        case ir.DoRestart():
            return f"restarts {action.unit}{_dry(action.dry)} and rests for {span(action.pause_us)}"
        case ir.DoPanic():
            return "crashes the kernel, if it was started with leave to"
        case ir.DoNothing(stop=stop):
            return "stops there" if stop else "goes on"


def _of_its(value: ir.Amount) -> str:
    return " of its memory" if value.bytes is None else ""


def _dry(dry: bool) -> str:
    return " (only in words)" if dry else ""


def _kills(action: ir.DoKill) -> str:
    how = [f"kills {_who(action.choice)}{_dry(action.dry)}"]
    if action.term_us:
        after = span(action.term_us)
        then = f", SIGKILL {after} later" if action.escalate else f" only, and waits {after}"
        how.append(f"by SIGTERM{then}")
    if action.hook:
        meanwhile = {"freeze": "frozen", "throttle": "throttled", "nothing": "left alone"}[
            action.hook_meanwhile
        ]
        limit = span(action.hook_limit_us)
        how.append(f"after running {' '.join(action.hook)} for at most {limit}, the victim {meanwhile}")
    if action.even_without_need:
        how.append("even where nothing is short")
    if action.pause_us is not None:
        how.append(f"then rests for {span(action.pause_us)}")
    if action.go_on:
        how.append("and goes on")
    return ", ".join(how)


def _who(choice: ir.Choice) -> str:
    ranking = choice.ranking
    who, meant = "the first", f"by {_weighted(ranking.weights)}"
    if len(ranking.weights) == 1:
        who, meant = RANKS[ranking.weights[0].key]
    # A negative least is how it is written that whoever has nothing may be chosen, too.
    asked = (ranking.least.bytes or 0) > 0 or ranking.least.bytes is None
    least = f"more than {amount(ranking.least)}" if asked else ""
    ties = f"among equals by {', '.join(ranking.ties)}" if ranking.ties else ""
    among = f"among {_places(choice.cgroups)}" if choice.cgroups != ir.Choice().cgroups else ""
    marked = _marked(choice.preferences)
    said = [meant, least, ties, _adjusted(ranking.adjust), UNITS.get(choice.units, ""), among, *marked]
    details = ", ".join(one for one in said if one)
    return f"{who} ({details})" if details else who


def _adjusted(adjust: tuple[tuple[str, float], ...]) -> str:
    return "; ".join(f"{name} counts {by:+g}" for name, by in adjust)


def _weighted(weights: Iterable[Any]) -> str:
    return ", ".join(f"{weight.key} (weight {weight.weight:g})" for weight in weights)


def _places(globs: ir.Globs) -> str:
    if globs in ((".", "./**"), (".",)):
        return "that cgroup and all in it"
    return ", ".join(globs) or "nobody"


def _marked(preferences: ir.Preferences) -> list[str]:
    return [
        f"{words} {' or '.join(map(_mark, marks))}"
        for words, marks in (
            ("rather", preferences.prefer),
            ("rather not", preferences.avoid),
            ("never", preferences.omit),
        )
        if marks
    ]


def _mark(mark: str) -> str:
    adj = mark.removeprefix("adj<=")
    return mark if adj == mark else f"a process with an oom_score_adj of {adj} or less"
