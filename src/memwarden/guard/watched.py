"""Which cgroups a policy names in what it watches for, so that who reads may leave the others for later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.guard.globs import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.guard.ir import Policy

ALL: Final = frozenset(("**", "/**", "/"))
"""Globs that name nobody: what they watch for shows in the machine's figures, or where memory moves."""


def watched(policy: Policy) -> Callable[[str], bool]:
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
