"""Start-up: what a person waits for before memwarden has done anything.

Rivals: ``python -c pass``, the floor for any Python program. Bars: ``--help`` within 2.5 times of it,
``status`` of a small tree within 5 times.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bench.measure import compare, median, ratio
from bench.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 21
SMALL_TREE = "tests/roots/lab/6.12/parent.rootar"


def claims() -> Iterator[Claim]:
    """``--help`` and ``status``, each against an interpreter that does nothing."""
    memwarden = os.path.join(os.path.dirname(sys.executable), "memwarden")
    floor = [sys.executable, "-c", "pass"]
    for name, argv, bar in (
        ("memwarden --help", [memwarden, "--help"], 2.5),
        ("memwarden status (small tree)", [memwarden, "status", "--root", SMALL_TREE], 5.0),
    ):
        ours, floors = compare(argv, floor, runs=RUNS)
        yield Claim(
            name,
            "python -c pass",
            "wall time",
            ratio([r.wall_s for r in ours], [r.wall_s for r in floors]),
            at_most=bar,
            detail=f"{median([r.wall_s for r in ours]) * 1e3:.0f} ms against "
            f"{median([r.wall_s for r in floors]) * 1e3:.0f} ms, {RUNS} pairs",
        )
