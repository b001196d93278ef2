"""What of a policy sees nothing: in signals of the machine alone, and where its cgroups are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.guard import ir
from memwarden.guard.globs import Matcher, is_relative
from memwarden.rules.reclaimable import MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.guard.ir import Detector, Policy, Rule

UNSEEN: Final = (
    ir.Refault,
    ir.Events,
    ir.Dying,
    ir.Exists,
    ir.Spinning,
    ir.Blackout,
)
"""Detectors whose figures are not among the signals."""


def unseen(policy: Policy) -> tuple[str, ...]:
    """The rules that cannot fire, by name, since each of their groups looks at what is not there."""
    return tuple(rule.name for rule in policy.rules if _blind(rule))


def absent(policy: Policy, paths: Iterable[str]) -> tuple[str, ...]:
    """The cgroups that a policy watches, as it names them, when no rule can fire for none of them is there.

    ``paths`` are all cgroups that there are. Nothing where a rule can fire, or where there is no rule.
    """
    there = tuple(paths)
    missing: dict[str, None] = {}
    for rule in policy.rules:
        watched = [_absent(((rule.per_cgroup,) if rule.per_cgroup else ()), there)]
        watched += [_absent((_globs(one) for one in group.detectors), there) for group in rule.groups]
        if not watched[0] and not all(watched[1:]):
            return ()
        missing.update((glob, None) for globs in watched for glob in globs)
    return tuple(missing)


def _absent(watched: Iterable[ir.Globs], there: Iterable[str]) -> ir.Globs:
    """The first globs that nothing there matches."""
    for globs in watched:
        if globs and not is_relative(globs):
            matcher = Matcher(globs)
            if not any(matcher.fits(path) for path in there):
                return globs
    return ()


def _globs(detector: Detector) -> ir.Globs:
    if isinstance(detector, ir.Exists) and detector.negate:
        return ()
    found: ir.Globs = getattr(detector, "cgroups", ())
    return found


def _blind(rule: Rule) -> bool:
    return bool(rule.per_cgroup) or all(
        any(not _sees(detector) for detector in group.detectors) for group in rule.groups
    )


def _sees(detector: Detector) -> bool:
    if isinstance(detector, UNSEEN) or getattr(detector, "resource", "memory") != "memory":
        return False
    globs = _globs(detector)
    return not globs or Matcher(globs).matches(MACHINE)
