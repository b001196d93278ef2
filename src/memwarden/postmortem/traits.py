"""What the kernel does, inferred from how it writes its report, and last from its release."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.state.traits import BadnessRule, Basis, KernelTraits

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.model import PageSizeBasis

_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def release_version(release: str | None) -> tuple[int, int] | None:
    """Major and minor of a release string.

    >>> release_version("6.1.0-18-amd64")
    (6, 1)
    """
    found = _VERSION.match(release or "")
    return (int(found[1]), int(found[2])) if found else None


def infer_traits(draft: Draft, page_size: int, basis: PageSizeBasis) -> KernelTraits:
    """Traits of the kernel that wrote this report."""
    known: dict[str, Basis] = {}
    if basis != "assumed":
        known["page_size_bytes"] = Basis.FORMAT
    version = release_version(draft.cpu.kernel if draft.cpu else None)
    badness, how = _badness(draft, version)
    if how is not None:
        known["badness"] = how
    return KernelTraits(page_size_bytes=page_size, badness=badness, basis=known)


def _badness(draft: Draft, version: tuple[int, int] | None) -> tuple[BadnessRule, Basis | None]:
    return BadnessRule.SIGNED, None
