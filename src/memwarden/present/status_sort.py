"""The order of cgroups: how close to trouble each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.state.cgroup import parent_path
from memwarden.units import MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memwarden.present.status_rows import StatusRow

Key = tuple[float, ...]

UNKNOWN: Final = float("inf")


def trouble(row: StatusRow) -> Key:
    """Least share of the tightest limit left first; of cgroups below one limit, the largest first."""
    left = UNKNOWN if row.left_pct is None else row.left_pct
    return (left, -(row.usage_bytes or 0))


def largest(field: str) -> Callable[[StatusRow], Key]:
    """By a figure, greatest first, unlimited before every number, unknown last."""

    def key(row: StatusRow) -> Key:
        value = getattr(row, field)
        return (1.0, 0.0) if value is None else (0.0, -UNKNOWN if value == MAX else -float(value))

    return key


def smallest(field: str) -> Callable[[StatusRow], Key]:
    """By a figure, least first, unlimited after every number, unknown last."""

    def key(row: StatusRow) -> Key:
        value = getattr(row, field)
        return (1.0, 0.0) if value is None else (0.0, UNKNOWN if value == MAX else float(value))

    return key


SMALLEST_FIRST: Final = frozenset(
    {
        "left_pct",
        "headroom_bytes",
        "effective_headroom_bytes",
        "max_bytes",
        "high_bytes",
        "effective_limit_bytes",
    }
)
"""Figures of which less is worse."""


def key_of(field: str | None) -> Callable[[StatusRow], Key]:
    """The sort key of a column by its name in the registry; ``None`` is :func:`trouble`."""
    if field is None:
        return trouble
    return smallest(field) if field in SMALLEST_FIRST else largest(field)


def flat(rows: Mapping[str, StatusRow], key: Callable[[StatusRow], Key]) -> list[tuple[int, StatusRow]]:
    """All rows in one order, depth 0."""
    return [(0, row) for row in sorted(rows.values(), key=lambda row: (key(row), row.path))]


def tree(rows: Mapping[str, StatusRow], key: Callable[[StatusRow], Key]) -> list[tuple[int, StatusRow]]:
    """Rows with their depth: children below their parent, siblings by the worst in each one's subtree."""
    children: dict[str | None, list[str]] = {}
    worst = {path: key(row) for path, row in rows.items()}
    for path in reversed(list(rows)):  # pre-order, so children come before their parents
        above = _nearest(path, rows)
        children.setdefault(above, []).append(path)
        if above is not None:
            worst[above] = min(worst[above], worst[path])
    ordered: list[tuple[int, StatusRow]] = []
    waiting = [(0, path) for path in _ordered(children.get(None, []), worst)]
    while waiting:
        depth, path = waiting.pop()
        ordered.append((depth, rows[path]))
        waiting.extend((depth + 1, child) for child in _ordered(children.get(path, []), worst))
    return ordered


def _ordered(paths: list[str], worst: Mapping[str, Key]) -> list[str]:
    """Last first, as a stack wants them."""
    return sorted(paths, key=lambda path: (worst[path], path), reverse=True)


def _nearest(path: str, rows: Mapping[str, StatusRow]) -> str | None:
    above = parent_path(path)
    while above is not None and above not in rows:
        above = parent_path(above)
    return above
