"""A small chart of one line."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS: Final = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], whole: float, width: int) -> str:
    """Values against a whole as bars; of each cell's values the highest. Full height is reached at the whole.

    >>> spark([0, 1, 2, 4, 8], 8, 5), spark([3, 8, 1, 0], 8, 2), spark([], 8, 3), spark([5], 0, 3)
    ('▁▁▂▄█', '█▁', '', '▁')
    """
    cells = min(width, len(values))
    edges = [len(values) * at // cells for at in range(cells + 1)] if cells else []
    tops = (max(values[first:end]) for first, end in pairwise(edges))
    return "".join(BARS[_height(top / whole if whole else 0.0)] for top in tops)


def _height(share: float) -> int:
    return max(0, min(len(BARS) - 1, int(share * len(BARS)) - (share < 1)))
