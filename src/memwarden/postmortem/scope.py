"""Whose limit was hit, and whether a line says so or it was inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.model import Scope

_BY_CONSTRAINT: Final[dict[str, Scope]] = {
    "CONSTRAINT_MEMCG": "memcg",
    "CONSTRAINT_NONE": "system",
    "CONSTRAINT_CPUSET": "cpuset",
    "CONSTRAINT_MEMORY_POLICY": "mempolicy",
}


def scope_of(draft: Draft) -> tuple[Scope, bool]:
    """The scope, and True where a line names it."""
    said = _said(draft)
    if said is not None:
        return said, True
    return _inferred(draft), False


def _said(draft: Draft) -> Scope | None:
    summary = draft.oom_kill
    if summary is not None:
        # Kernels 5.0 to 5.2-rc print CONSTRAINT_NONE for a memcg OOM, but name the cgroup all the same.
        if summary.oom_memcg is not None:
            return "memcg"
        scope = _BY_CONSTRAINT.get(summary.constraint or "")
        if scope is not None:
            return scope
        if summary.global_oom:
            return "system"
    reasons = [known.kill.reason for known in draft.kills.values()]
    if draft.choice is not None:
        reasons.append(draft.choice.reason)
    return _by_reason(reasons) or _by_block(draft, reasons)


def _by_reason(reasons: list[str]) -> Scope | None:
    for reason in reasons:
        if reason.startswith("Memory cgroup"):
            return "memcg"
        if "cpuset" in reason:
            return "cpuset"
        if "MPOL_BIND" in reason:
            return "mempolicy"
    return None


def _by_block(draft: Draft, reasons: list[str]) -> Scope | None:
    if draft.memcg.limit_path or draft.memcg.usage or draft.memcg.stats_path:
        return "memcg"
    if draft.panic or any(reason.lower().startswith("out of memory") for reason in reasons):
        return "system"
    return None


def _inferred(draft: Draft) -> Scope:
    if "memcg" in draft.frames:
        return "memcg"
    if "manual" in draft.frames or (draft.header is not None and draft.header.order == -1):
        return "system"
    if not draft.mem.empty() or draft.frames & {"allocator", "page-fault"}:
        return "system"
    return "unknown"
