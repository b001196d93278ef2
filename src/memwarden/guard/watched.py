"""Which cgroups a policy names in what it watches for, for who reads and for who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.guard import ir
from memwarden.guard.globs import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALL: Final = frozenset(("**", "/**", "/"))
"""Globs that name nobody: what they watch for shows in the machine's figures, or where memory moves."""


def watched(policy: ir.Policy) -> Callable[[str], bool]:
    """Whether the figures of a path have to be right at each look, whether its memory moves or not."""
    globs: list[str] = []
    for rule in policy.rules:
        globs.extend(rule.per_cgroup)
        for group in rule.groups:
            for detector in group.detectors:
                named = getattr(detector, "cgroups", ())
                globs.extend(glob for glob in named if glob not in ALL and not glob.startswith("."))
    matcher = Matcher(tuple(dict.fromkeys(globs)))
    return matcher.fits


def more_files(policy: ir.Policy) -> frozenset[str]:
    """Files of cgroups that few policies ask for, and no other has to pay for."""
    return frozenset(
        [
            "cpu.pressure"
            for detector in _detectors(policy)
            if isinstance(detector, ir.Stall | ir.Pressure | ir.PressureRising)
            and detector.resource == "cpu"
            and any(glob != "/" for glob in detector.cgroups)
        ]
    )


def anywhere(policy: ir.Policy) -> frozenset[str]:
    """Files of cgroups that move where memory does not, and that a policy watches in whichever they are."""
    return frozenset(
        [
            f"{detector.resource}.pressure"
            for detector in _detectors(policy)
            if isinstance(detector, ir.Stall | ir.Pressure | ir.PressureRising)
            and detector.resource != "memory"
            and any(glob.startswith("./") or (glob in ALL and glob != "/") for glob in detector.cgroups)
        ]
    )


class HeededStall(NamedTuple):
    """Stalled time of some cgroups that a policy watches for: a pressure trigger can tell of it."""

    fits: Callable[[str], bool]
    resource: ir.Resource
    kind: ir.PressureKind
    above_us: int
    window_us: int


class HeededEvents(NamedTuple):
    """A counter of memory.events of some cgroups."""

    fits: Callable[[str], bool]
    counter: str


class Heeded(NamedTuple):
    """What a policy would like to be woken for. ``everywhere``: counters that matter of any cgroup."""

    stalls: tuple[HeededStall, ...] = ()
    events: tuple[HeededEvents, ...] = ()
    everywhere: frozenset[str] = frozenset()


def heeded(policy: ir.Policy) -> Heeded:
    """What the kernel can wake for, of all that the policy's detectors look at."""
    stalls, events, everywhere = [], [], set()
    for detector in _detectors(policy):
        if isinstance(detector, ir.Stall) and (globs := _named(detector.cgroups)):
            stalls.append(
                HeededStall(
                    Matcher(globs).fits,
                    detector.resource,
                    detector.kind,
                    detector.above_us,
                    detector.window_us,
                )
            )
        elif isinstance(detector, ir.Events):
            globs = _named(detector.cgroups)
            if globs:
                events.append(HeededEvents(Matcher(globs).fits, detector.counter))
            else:
                everywhere.add(detector.counter)
    return Heeded(tuple(stalls), tuple(events), frozenset(everywhere))


def _detectors(policy: ir.Policy) -> Iterator[ir.Detector]:
    for rule in policy.rules:
        for group in rule.groups:
            yield from group.detectors


def _named(globs: ir.Globs) -> ir.Globs:
    return tuple(glob for glob in globs if glob not in ALL and not glob.startswith("."))
