"""What happened in a simulation, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present.text import counted, duration, escape, short_size, size
from memwarden.sim.result import Kind
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.sim.result import Event, Result
    from memwarden.sim.summary import Death, Summary, Told

MACHINE: Final = "/"
NOBODY: Final = "nobody"
NAMED: Final = 6
"""Programs that are named in a sentence; the rest is counted."""
WHO: Final = 20
"""Characters that the names of those who die may take in a column, unless the first alone is longer."""


def at(time_us: int) -> str:
    """A time of the simulation, as a column.

    >>> at(4_730_000)
    '   4.7 s'
    """
    return f"{time_us / SECOND_US:6.1f} s"


def time_of(value_us: int) -> str:
    """A time that was measured: nothing is 0, of whatever unit.

    >>> time_of(0), time_of(900)
    ('0', '900 us')
    """
    return duration(value_us) if value_us else "0"


def share(value: float) -> str:
    """A share as a percentage: whole, but never 0 % of something that is.

    >>> share(0.0), share(0.004), share(0.256), share(1.0)
    ('0 %', '0.4 %', '26 %', '100 %')
    """
    figure = value * 100
    if figure and figure < 9.95:
        return f"{max(figure, 0.1):.1f} %"
    return f"{figure:.0f} %" if figure <= 99 or value == 1 else "99 %"


def who_dies(programs: Iterable[str]) -> str:
    """Programs that die, each once, as many as fit into a column.

    >>> who_dies(["web", "web", "batch"]), who_dies([]), who_dies(["leak1", "leak2", "leak3", "leak4"])
    ('web, batch', 'nobody', 'leak1, leak2, 2 more')
    """
    names = list(dict.fromkeys(map(escape, programs)))
    said = NOBODY
    for left_out in range(len(names)):
        more = [f"{left_out} more"] if left_out else []
        said = ", ".join(names[: len(names) - left_out] + more)
        if len(said) <= WHO:
            break
    return said


def headline(found: Summary) -> str:
    """Who died, and when."""
    whole = []
    if found.deaths:
        named = "; ".join(_death(one) for one in found.deaths[:NAMED])
        if more := sum(one.processes for one in found.deaths[NAMED:]):
            named += f"; and {more} more"
        whole.append(f"{counted(found.kills, 'process dies', 'processes die')}: {named}.")
    if found.panic_us is not None:
        whole.append(f"The kernel panics at {found.panic_us / SECOND_US:.1f} s: there the simulation ends.")
    return " ".join(whole) or "Nobody dies."


def _death(death: Death) -> str:
    who = escape(death.program)
    many = f" ({death.processes} of it)" if death.processes > 1 else ""
    return f"{who}{many} at {death.first_us / SECOND_US:.1f} s by {death.by}"


def event(told: Told, result: Result) -> str:
    """One event as a clause."""
    one = told.event
    said = _WORDS[one.kind](one, result) if one.kind in _WORDS else f"{one.kind.value} {_who(one)}"
    if told.again:
        said += f"; again {counted(told.again, 'time', 'times')}"
    return said


def _who(one: Event) -> str:
    name = escape(one.program) or escape(one.cgroup)
    return f"{name} (pid {one.pid})" if one.pid else name


def _where(one: Event) -> str:
    return "the machine" if one.cgroup == MACHINE else escape(one.cgroup)


def _reclaim(one: Event, result: Result) -> str:
    by = f", driven by {escape(one.detail)}" if one.detail else ""
    return f"reclaim in {_where(one)} begins{by}"


def _throttled(one: Event, result: Result) -> str:
    return f"{_where(one)} is above {escape(one.detail)}: its allocations are slowed down"


def _max(one: Event, result: Result) -> str:
    return f"{_where(one)} is at memory.max"


def _kswapd(one: Event, result: Result) -> str:
    return "kswapd wakes: free memory is below the low watermark"


def _direct(one: Event, result: Result) -> str:
    return "free memory is below the min watermark: who allocates has to reclaim first"


def _oom(one: Event, result: Result) -> str:
    what = "no memory is left" if one.cgroup == MACHINE else f"{escape(one.cgroup)} can free nothing more"
    return f"OOM: {what}"


def _oom_kill(one: Event, result: Result) -> str:
    held = size(one.amount_bytes) + (f" and {size(one.swap_bytes)} in swap" if one.swap_bytes else "")
    return f"the kernel kills {_who(one)} in {escape(one.cgroup)}, which has {held}"


def _panic(one: Event, result: Result) -> str:
    return 'the kernel panics ("System is deadlocked on memory"): nobody may be killed; the simulation ends'


def _kill(one: Event, result: Result) -> str:
    why = f" ({escape(one.detail)})" if one.detail else ""
    return f"{_who(one)} in {escape(one.cgroup)} is killed{why}"


def _reaped(one: Event, result: Result) -> str:
    return f"{_who(one)} is killed and hangs; {size(one.amount_bytes)} are taken from it"


def _term(one: Event, result: Result) -> str:
    return f"SIGTERM to {_who(one)} in {escape(one.cgroup)}"


def _changed(one: Event, result: Result) -> str:
    knob, _, value = one.detail.partition("=")
    said = short_size(int(value)) if value.isdecimal() else value
    return f"{escape(knob)}={escape(said)} of {escape(one.cgroup)} is written"


def _decision(one: Event, result: Result) -> str:
    note = next((note for note in result.notes if note.id == one.detail), None)
    return f"the guard decides: {escape(note.text if note else one.detail)}"


def _stopped(one: Event, result: Result) -> str:
    return f"{_who(one)} ends"


_WORDS: Final = {
    Kind.RECLAIM: _reclaim,
    Kind.THROTTLED: _throttled,
    Kind.MAX: _max,
    Kind.KSWAPD: _kswapd,
    Kind.DIRECT: _direct,
    Kind.OOM: _oom,
    Kind.OOM_KILL: _oom_kill,
    Kind.PANIC: _panic,
    Kind.KILL: _kill,
    Kind.REAPED: _reaped,
    Kind.TERM: _term,
    Kind.CHANGED: _changed,
    Kind.DECISION: _decision,
    Kind.STOPPED: _stopped,
}


def machine_line(result: Result) -> str:
    """How long, of what machine, with which seed."""
    machine = result.scenario.machine
    swap = "no swap"
    if machine.swap is not None:
        kind = "swap" if machine.swap.ram_ratio is None else "zram"
        swap = f"{size(machine.swap.size_bytes)} of {kind}" + (" behind zswap" if machine.zswap else "")
    cpus = counted(machine.cpus, "CPU")
    return (
        f"{duration(result.scenario.duration_us)} of a machine with {size(machine.ram_bytes)}, {cpus}, "
        f"{swap}; seed {result.scenario.seed}"
    )
