"""What the kernel does, inferred from how it writes its report, and last from its release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.postmortem.era import Release, release_of, span_of
from memwarden.state.traits import BadnessRule, Basis, KernelTraits

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.model import PageSizeBasis

_RULES: Final[tuple[tuple[Release, BadnessRule], ...]] = (
    ((5, 9), BadnessRule.SIGNED),
    ((4, 17), BadnessRule.UNSIGNED),
    ((3, 14), BadnessRule.UNSIGNED_ROOT_BONUS),
    ((3, 5), BadnessRule.UNSIGNED_ROOT_ADJ),
    ((2, 6, 36), BadnessRule.PERMILLE),
    ((0,), BadnessRule.LEGACY),
)
"""Generations of ``mm/oom_kill.c:oom_badness`` by the first release that has them."""


def infer_traits(draft: Draft, page_size: int, page_size_basis: PageSizeBasis) -> KernelTraits:
    """Traits of the kernel that wrote this report, each with what it rests on."""
    text = draft.cpu.kernel if draft.cpu else None
    span, release = span_of(draft), release_of(text)
    found: dict[str, tuple[Any, Basis]] = {"badness": _badness(span, release, text)}
    if page_size_basis == "text":
        found["page_size_bytes"] = page_size, Basis.FORMAT
    elif page_size_basis == "architecture":
        found["page_size_bytes"] = page_size, Basis.VERSION
    rule, basis = found["badness"]
    if basis is not Basis.ASSUMED:
        found["last_of_equals"] = rule is BadnessRule.SIGNED, basis
    _sacrifice(draft, found)
    if draft.memcg.stat:
        found["stat_itemises_kernel"] = "kernel" in draft.memcg.stat, Basis.FORMAT
    if release is not None:
        _by_release(release, found)
    basis_of = {name: how for name, (_, how) in found.items() if how is not Basis.ASSUMED}
    values = {"page_size_bytes": page_size} | {name: value for name, (value, _) in found.items()}
    return KernelTraits(**values, basis=basis_of)


def _badness(
    span: tuple[Release, Release], release: Release | None, text: str | None
) -> tuple[BadnessRule, Basis]:
    low, high = span
    if low <= high and _rule(low) is _rule(high):
        return _rule(low), Basis.FORMAT
    if release is None:
        # The span does not decide: the newest generation in it, as most kernels in use are newer.
        return _rule(max(low, high)), Basis.ASSUMED
    if release == (3, 10) and ".el7" in (text or ""):
        return BadnessRule.UNSIGNED_ROOT_BONUS, Basis.VERSION
    if release == (2, 6, 32) and low >= (2, 6, 36):
        # RHEL 6 carries the rewrite of 2.6.36, and prints as that does.
        return BadnessRule.PERMILLE, Basis.FORMAT
    return _rule(min(max(release, low), max(low, high))), Basis.VERSION


def _rule(release: Release) -> BadnessRule:
    return next(rule for first, rule in _RULES if release >= first)


def _sacrifice(draft: Draft, found: dict[str, tuple[Any, Basis]]) -> None:
    """Up to 5.0 the choice is a line of its own; since 5.1 it is the kill line, with the reason before it."""
    if draft.choice is not None:
        found["sacrifice_child"] = True, Basis.FORMAT
    elif any(known.kill.reason for known in draft.kills.values()):
        found["sacrifice_child"] = False, Basis.FORMAT


def _by_release(release: Release, found: dict[str, tuple[Any, Basis]]) -> None:
    """What no line of a report shows. Releases between those that were read (5.10, 6.1, 6.12) stay open."""
    # Since Linux kernel commit 1813e51eece0 ("memcg: increase MEMCG_CHARGE_BATCH to 64") (in v6.1), 64 pages.
    found["charge_batch_pages"] = 64 if release >= (6, 1) else 32, Basis.VERSION
    if release <= (6, 12):
        found["approximate_rss"] = True, Basis.VERSION
    if (5, 10) <= release <= (6, 1) or release >= (6, 12):
        found["stale_protection_bug"] = release < (6, 12), Basis.VERSION
    if release < (6, 1):
        found["mglru"] = False, Basis.VERSION
