"""What a comparison says."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One comparison: of what kind, whether it held, and what was compared."""

    kind: str
    ok: bool
    detail: str
