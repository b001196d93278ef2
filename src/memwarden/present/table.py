"""Tables of text that fit the width they are given."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from memwarden.present.colour import PLAIN, Paint
from memwarden.present.text import ABSENT, cells, cut

GAP = "  "


class Column(NamedTuple):
    """One column. ``drop`` orders leaving: the highest goes first when space is short, 0 never.

    A ``flexible`` column is cut in the middle of its texts, down to ``least`` cells, before any column goes.
    """

    title: str
    right: bool = True
    drop: int = 0
    flexible: bool = False
    least: int = 12
    keep_empty: bool = True
    """False: the column is left out where no row says anything in it."""


class Row(NamedTuple):
    """One row's texts, and the styles of each column by its index."""

    texts: tuple[str, ...]
    styles: Mapping[int, tuple[str, ...]] = MappingProxyType({})


def render(columns: Sequence[Column], rows: Sequence[Row], width: int, paint: Paint = PLAIN) -> list[str]:
    """Lines of a table, headed by the titles, no wider than ``width`` cells where the least widths allow."""
    shown = [at for at, column in enumerate(columns) if column.keep_empty or _says(rows, at)]
    widths = [
        max(cells(text) for text in (column.title, *(row.texts[at] for row in rows)))
        for at, column in enumerate(columns)
    ]
    while (excess := _total(widths, shown) - width) > 0:
        spare = {at: widths[at] - columns[at].least for at in shown if columns[at].flexible}
        at = max(spare, key=spare.__getitem__, default=-1)
        droppable = [one for one in shown if columns[one].drop]
        if at >= 0 and spare[at] > 0 and (spare[at] >= excess or not droppable):
            widths[at] -= min(excess, spare[at])
        elif droppable:
            shown.remove(max(droppable, key=lambda one: columns[one].drop))
        else:
            break
    head = _line([(columns[at], widths[at], columns[at].title, ("bold",)) for at in shown], paint)
    body = [
        _line([(columns[at], widths[at], row.texts[at], row.styles.get(at, ())) for at in shown], paint)
        for row in rows
    ]
    return [head, *body]


def _says(rows: Sequence[Row], at: int) -> bool:
    return any(row.texts[at] not in ("", ABSENT) for row in rows)


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[at] for at in shown) + len(GAP) * (len(shown) - 1)


def _line(parts: Sequence[tuple[Column, int, str, tuple[str, ...]]], paint: Paint) -> str:
    return GAP.join(_cell(*part, paint) for part in parts).rstrip()


def _cell(column: Column, width: int, text: str, styles: tuple[str, ...], paint: Paint) -> str:
    text = cut(text, width)
    space = " " * (width - cells(text))
    painted = paint(text, *styles)
    return space + painted if column.right else painted + space
