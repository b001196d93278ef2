"""What of a policy sees nothing in signals of the machine alone: no cgroup and no process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.guard import ir
from memwarden.guard.globs import Matcher
from memwarden.rules.reclaimable import MACHINE

if TYPE_CHECKING:
    from memwarden.guard.ir import Detector, Policy, Rule

UNSEEN: Final = (
    ir.Refault,
    ir.Events,
    ir.Dying,
    ir.Spinning,
    ir.Blackout,
)
"""Detectors whose figures are not among the signals."""


def unseen(policy: Policy) -> tuple[str, ...]:
    """The rules that cannot fire, by name, since each of their groups looks at what is not there."""
    return tuple(rule.name for rule in policy.rules if _blind(rule))


def _blind(rule: Rule) -> bool:
    return bool(rule.per_cgroup) or all(
        any(not _sees(detector) for detector in group.detectors) for group in rule.groups
    )


def _sees(detector: Detector) -> bool:
    if isinstance(detector, ir.Exists):
        return detector.negate
    if isinstance(detector, UNSEEN) or getattr(detector, "resource", "memory") != "memory":
        return False
    globs: ir.Globs = getattr(detector, "cgroups", ())
    return not globs or Matcher(globs).matches(MACHINE)
