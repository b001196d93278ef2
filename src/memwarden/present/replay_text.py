"""What policies would have done on recordings, as time lines that a person reads at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.guard.acts import NOBODY, NOBODY_SLOWER
from memwarden.guard.sight import unseen
from memwarden.present.replay_chart import INDENT, LEGEND, Axis, moment
from memwarden.present.replay_chart import lines as chart
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, duration, escape
from memwarden.present.wrap import wrap
from memwarden.state.intents import (
    CgroupId,
    Freeze,
    Kill,
    Notify,
    Panic,
    ProcessId,
    Reclaim,
    Restart,
    RunHook,
    SetHigh,
    Terminate,
)
from memwarden.units import SECOND_US, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.played import Played, Taken, Tape
    from memwarden.present.colour import Paint
    from memwarden.state.intents import Intent, Target

SHOWN: Final = 8
"""Decisions of one policy that have a line each; the rest is counted."""
DEATHS: Final = 4
AFTER: Final = (
    "Nobody dies in a replay: what is decided after the first kill is about a machine that would have "
    "looked different by then."
)
SOMEBODY: Final = "somebody"
COLUMNS: Final = (
    Column("POLICY", right=False, flexible=True),
    Column("FIRST ACTION AT", right=False),
    Column("VICTIM", right=False, flexible=True, least=20),
    Column("DECISIONS"),
)


class _Told(NamedTuple):
    """What has a line: a decision, or one that was withheld so many ``times``, at last at ``last_us``."""

    taken: Taken
    last_us: int
    times: int = 1


def text(
    tapes: Sequence[Tape], played: Sequence[Played], notes: Sequence[str], *, width: int, paint: Paint
) -> str:
    """The recordings, a time line for each policy, and a table where there are several."""
    blocks = [_tape(tape, played, width) for tape in tapes]
    signals = any(tape.kind == "signals" for tape in tapes)
    for number, one in enumerate(played, 1):
        nth = f"{_nth(number)}: " if len(played) > 1 else ""
        blocks.append(_policy(one, tapes, width, paint, nth=nth, signals=signals))
    if len(played) > 1:
        blocks.append(render(COLUMNS, [_row(one, tapes) for one in played], width, paint))
    said = [*notes, AFTER] if any(one.first_kill for one in played) else notes
    if said:
        blocks.append([line for note in said for line in wrap(escape(note), width)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _tape(tape: Tape, played: Sequence[Played], width: int) -> list[str]:
    first, last = tape.first.instant, tape.last.instant
    words = [counted(tape.snapshots, "snapshot")]
    if tape.snapshots > 1:
        words[0] += f" over {duration(last.monotonic_us - first.monotonic_us)}"
    if tape.first.host.kernel_release is not None:
        words.append(f"kernel {tape.first.host.kernel_release}")
    if tape.kind == "signals":
        words.append("signals of the machine only")
    lines = wrap(escape(f"{tape.name}: {', '.join(words)}"), width, rest="  ")
    for death in tape.deaths[:DEATHS]:
        where = "" if death.cgroup is None else f" in {escape(death.cgroup)}"
        who = counted(death.processes, "process", "processes")
        lines += wrap(f"the kernel killed {who}{where}", width, first=f"{_at(death.time_us)}  ")
    if len(tape.deaths) > DEATHS:
        lines.append(f"{'':10}and more: {counted(len(tape.deaths) - DEATHS, 'time', 'times')}")
    return lines + _chart(tape, played, width)


def _chart(tape: Tape, played: Sequence[Played], width: int) -> list[str]:
    """How it went, and below it what each policy does when."""
    axis = Axis(tape.course, width)
    lines = chart(tape.course, axis)
    if not lines:
        return []
    kernel = axis.marks((one.time_us, "K") for one in tape.deaths)
    rows = [("the kernel", kernel)]
    for number, one in enumerate(played, 1):
        taken = ((t.time_us, _mark(t)) for t in one.taken if t.tape == tape.name)
        rows.append((_nth(number) if len(played) > 1 else "policy", axis.marks(taken)))
    marked = [f"{name:<{len(INDENT)}}{marks}" for name, marks in rows if marks]
    if marked:
        marked += wrap(LEGEND, width, first=INDENT)
    return ["", *lines, *marked]


def _nth(number: int) -> str:
    return f"policy {number}"


def _mark(taken: Taken) -> str:
    return "x" if taken.kills else "o" if taken.acts else "."


def _policy(
    played: Played, tapes: Sequence[Tape], width: int, paint: Paint, *, nth: str, signals: bool
) -> list[str]:
    name = escape(played.policy.name)
    blind = unseen(played.policy) if signals else ()
    if not played.taken:
        rules = counted(len(played.policy.rules), "rule")
        first, *more = wrap(f"{name}: does nothing; of {rules} none came true", width, first=nth, rest="  ")
        lines = [first.replace(name, paint(name, "bold"), 1), *more]
    else:
        lines = [nth + paint(name, "bold")]
        told = _told(played.taken)
        shown = _shown(told)
        for each in shown:
            one = each.taken
            lines += _line(each, width, paint, several=len(tapes) > 1)
            if one is played.first_act or one is played.first_kill:
                lines += wrap(escape(_why(one)), width, first=" " * 10)
            if one is played.first_kill and (matters := _matters(one, tapes)):
                lines += wrap(matters, width, first=" " * 10)
        rest = len(played.taken) - sum(each.times for each in shown)
        if rest:
            lines += wrap(
                f"and {counted(rest, 'decision')} more; --format json lists them", width, first=" " * 10
            )
    if blind:
        said = f"cannot fire on such signals: {', '.join(blind)}"
        lines += wrap(escape(said), width, first=" " * 10)
    return lines


def _matters(kill: Taken, tapes: Sequence[Tape]) -> str:
    """What the victim holds, and how this is in time to what the kernel did on the same recording."""
    words = [] if kill.holds_bytes is None else [f"it holds {size(kill.holds_bytes)} in memory and swap"]
    deaths = next((tape.deaths for tape in tapes if tape.name == kill.tape), ())
    if deaths:
        early = deaths[0].time_us - kill.time_us
        when = "before" if early > 0 else "after" if early < 0 else "seen at the same time as"
        apart = f"{abs(early) / SECOND_US:.1f} s " if early else ""
        words.append(f"{apart}{when} the kernel's first kill")
    return "; ".join(words)


def _told(taken: Sequence[Taken]) -> list[_Told]:
    """Withheld decisions that read the same are told once, unless something was done in between.

    A rule that fires and finds nobody says so each time it has rested, for as long as a bad hour lasts.
    """
    told: list[_Told] = []
    same: dict[tuple[str, str], int] = {}
    last_us = 0
    for one in taken:
        if one.acts or one.time_us < last_us:  # an earlier time: the machine began anew
            same.clear()
        last_us = one.time_us
        key = one.tape, _words(one)
        if key in same:
            at = same[key]
            told[at] = told[at]._replace(last_us=last_us, times=told[at].times + 1)
            continue
        if one.decision.withheld and not one.acts:
            same[key] = len(told)
        told.append(_Told(one, last_us))
    return told


def _shown(told: Sequence[_Told]) -> list[_Told]:
    """The first few; what acts is shown before what was only withheld."""
    acting = sorted(range(len(told)), key=lambda at: (not told[at].taken.acts, at))[:SHOWN]
    return [told[at] for at in sorted(acting)]


def _line(told: _Told, width: int, paint: Paint, *, several: bool) -> list[str]:
    taken = told.taken
    first = f"{_at(taken.time_us)}  "
    where = f"{taken.tape}: " if several else ""
    again = f" ({told.times} times to {_at(told.last_us).strip()})" if told.times > 1 else ""
    words = f"{escape(where)}{_words(taken)}{again}"
    style = ("red",) if taken.kills else ("yellow",) if taken.acts else ()
    return [paint(line, *style) for line in wrap(words, width, first=first)]


def _why(taken: Taken) -> str:
    decision = taken.decision
    return f"{decision.rule}: " + ("; ".join(one.text for one in decision.findings) or decision.need)


def said(taken: Taken) -> str:
    """One decision on one line: what is done, and why."""
    return f"{_words(taken)} - {escape(_why(taken))}"


def _words(taken: Taken) -> str:
    decision = taken.decision
    if decision.withheld in (NOBODY, NOBODY_SLOWER):
        return decision.withheld.partition(";")[0]
    if decision.withheld:
        return escape(f"no {decision.action}: {decision.withheld}")
    return ", ".join(_intent(intent) for intent in decision.intents)


def _intent(intent: Intent) -> str:
    match intent:
        case Kill(target) | Terminate(target):
            return f"{'kill' if isinstance(intent, Kill) else 'SIGTERM to'} {name_of(target)}"
        case SetHigh(cgroup, high, restore):
            verb = "restore" if restore is None else "throttle"
            return f"{verb} {name_of(cgroup)}: memory.high {size(high)}"
        case Reclaim(cgroup, amount):
            return f"reclaim {size(amount)} from {name_of(cgroup)}"
        case RunHook(argv, target):
            return escape(f"run {argv[0]} before a kill of ") + name_of(target)
        case Notify(said):
            return escape(f"say: {said}")
        case Restart(unit):
            return escape(f"restart {unit}")
        case Panic():
            return "crash the kernel"
    return f"{'freeze' if isinstance(intent, Freeze) else 'thaw'} {name_of(intent.cgroup)}"


def name_of(target: Target) -> str:
    """A cgroup's path, a process's name and pid."""
    match target:
        case CgroupId(path):
            return escape(path)
        case ProcessId(pid, _, comm):
            return escape(f"{comm} (pid {pid})")


def _row(played: Played, tapes: Sequence[Tape]) -> Row:
    act, kill = played.first_act, played.first_kill
    first = ABSENT if act is None else f"{_in_which(act, tapes)}{moment(act.time_us)} {act.decision.action}"
    who = ABSENT if kill is None else SOMEBODY if kill.victim is None else name_of(kill.victim)
    return Row((escape(played.policy.name), first, who, str(len(played.taken))))


def _in_which(taken: Taken, tapes: Sequence[Tape]) -> str:
    """The recording by its number where there are several, each of which may begin at 0."""
    names = [tape.name for tape in tapes]
    return f"recording {names.index(taken.tape) + 1}: " if len(names) > 1 and taken.tape in names else ""


def _at(time_us: int) -> str:
    return f"{moment(time_us):>8}"
