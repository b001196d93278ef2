"""What a detector looks for, as a clause that follows "when"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.guard import ir
from memwarden.present.text import duration
from memwarden.units import SECOND_US
from memwarden.words.quantities import BYTE_RATES, DURATIONS, SIZES, write, write_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCES: Final = {"memory": "memory", "io": "disks", "cpu": "a processor"}


def seen(detector: ir.Detector) -> str:
    """The clause."""
    held = getattr(detector, "for_us", 0)
    return _clause(detector) + (f" for {_words(held, DURATIONS)} on end" if held else "")


def _words(value: int, units: Mapping[str, int]) -> str:
    return re.sub(r"(?<=\d)(?=[A-Za-z])", " ", write(value, units))


def span(value_us: int) -> str:
    """A time in words.

    >>> span(300_000), span(120_000_000), span(10_999_999)
    ('300 ms', '2 min', '11.0 s')
    """
    if value_us > SECOND_US and value_us % 1000:
        return duration(value_us)  # another tool's whole seconds, of which the last is not yet over
    return _words(value_us, DURATIONS)


def amount(value: ir.Amount) -> str:
    """Memory in words.

    >>> amount(ir.Amount(bytes=16 << 20)), amount(ir.Amount(ppm=50_000))
    ('16 MiB', '5%')
    """
    return write_percent(value.ppm or 0, 10_000) if value.bytes is None else _words(value.bytes, SIZES)


def _rate(value_bps: int) -> str:
    return _words(value_bps, BYTE_RATES)


def _where(globs: ir.Globs) -> str:
    if globs in ((), ("/",)):
        return "the machine"
    if globs == (".",):
        return "it"
    if globs in (("**",), ("/**",)):
        return "any cgroup"
    return globs[0] if len(globs) == 1 else f"any of {', '.join(globs)}"


def _waiting(kind: str, where: str, resource: str) -> str:
    who = "all tasks" if kind == "full" else "some task"
    return f"{who} of {where} waited for {RESOURCES[resource]}{' at once' if kind == 'full' else ''}"


def _clause(one: ir.Detector) -> str:
    match one:
        case ir.Stall():
            waiting = _waiting(one.kind, _where(one.cgroups), one.resource)
            return f"{waiting} for more than {span(one.above_us)} of the last {span(one.window_us)}"
        case ir.Pressure():
            waiting = _waiting(one.kind, _where(one.cgroups), one.resource)
            share = write_percent(one.above_centi, 100)
            return f"{waiting} for more than {share} of the time (average over {one.average_s} s)"
        case ir.PressureRising():
            waiting = _waiting("full", _where(one.cgroups), one.resource)
            share = write_percent(one.above_centi, 100)
            return f"{waiting} for more than {share} of the last minute, and it does not get better fast"
        case ir.Exhaustion():
            where, within = _where(one.cgroups), span(one.within_us)
            return f"memory of {where} ends within {within}, the error of the forecast taken off"
        case ir.Reclaiming():
            return f"the kernel scanned memory of {_where(one.cgroups)} in the last {span(one.within_us)}"
        case ir.Refault():
            pages = {"any": "pages", "file": "file pages", "anon": "anonymous pages"}[one.what]
            where, window = _where(one.cgroups), span(one.window_us)
            return (
                f"more than {one.above_per_s} {pages} a second of {where} were needed again soon after "
                f"they had been taken away (over {window})"
            )
        case ir.Growth():
            return f"{_where(one.cgroups)} grew faster than {_rate(one.above_bps)} over {span(one.window_us)}"
        case ir.Events():
            events = "memory.events.local" if one.local else "memory.events"
            return (
                f"{one.counter} in {events} of {_where(one.cgroups)} rose by at least {one.at_least} "
                f"in the last {span(one.window_us)}"
            )
        case ir.Spinning():
            return (
                f"{_where(one.cgroups)} was out of memory at least {one.at_least} times in the last "
                f"{span(one.window_us)} and nothing in it could be killed"
            )
        case ir.Stuck():
            above, window = span(one.above_us), span(one.window_us)
            held = f"{_where(one.cgroups)} is held at its memory.high with nothing to give back"
            return f"{held}, and all in it waited for more than {above} of the last {window}"
        case ir.Blackout():
            above, window = span(one.above_us), span(one.window_us)
            return f"the guard itself was not run for more than {above} in the last {window}"
        case _:
            return _level(one)


def _level(one: ir.Detector) -> str:
    match one:
        case ir.Available():
            whole = " of what programs can have" if one.whole == "user" else ""
            return f"{_below(one.inclusive)} {amount(one.below)}{whole} of memory is available"
        case ir.SwapFree():
            written = f", and at least {_rate(one.swap_out_bps)} is written to it" if one.swap_out_bps else ""
            without = " (or there is none)" if one.without_swap else ""
            return f"{_below(one.inclusive)} {amount(one.below)} of swap is free{without}{written}"
        case ir.SwapOut():
            return f"more than {_rate(one.above_bps)} is written to swap (over {span(one.window_us)})"
        case ir.Headroom():
            taken = ", with what the kernel could take back" if one.effective else ""
            return f"{_where(one.cgroups)} has less than {amount(one.below)} left below its limit{taken}"
        case ir.Usage():
            if one.anon and one.above.bytes is None:
                return (
                    f"{_where(one.cgroups)} has more than {amount(one.above)} of memory as anonymous memory"
                )
            what = "anonymous memory" if one.anon else "memory"
            return f"{_where(one.cgroups)} uses more than {amount(one.above)} of {what}"
        case ir.Dying():
            bound = f"at most {one.bound}" if one.lte else f"more than {one.bound}"
            return f"{_where(one.cgroups)} has {bound} removed cgroups that still hold memory"
        case ir.Exists():
            return f"there is {'no' if one.negate else 'a'} cgroup {' or '.join(one.cgroups)}"
        case _:
            return "anything happens at all" if one == ir.Constant(fires=True) else "never"


def _below(inclusive: bool) -> str:
    return "no more than" if inclusive else "less than"
