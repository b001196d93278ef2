"""Pictures as SVG text, to stand inside a page: no script, no reference, no font of their own."""

from __future__ import annotations

from html import escape as html_escape
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.present.text import percent, size

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 1000
HEIGHT: Final = 64
BAR_TOP: Final = 4
BAR_HEIGHT: Final = 44


class Segment(NamedTuple):
    """One part of a stacked bar; ``word`` is its class, ``name`` what a person calls it."""

    word: str
    name: str
    size_bytes: int


def stacked_bar(segments: Sequence[Segment], whole_bytes: int, whole_name: str) -> str:
    """A bar whose full length is ``whole_bytes``, or the sum where that is more; a mark shows the whole.

    Colours come from the page, by class ``part-<word>``; every segment has its figures as a tooltip.
    """
    length = max(whole_bytes, sum(segment.size_bytes for segment in segments), 1)
    parts, at = [], 0.0
    for segment in segments:
        wide = segment.size_bytes * WIDTH / length
        parts.append(_segment(segment, at, wide, whole_bytes))
        at += wide
    mark = whole_bytes * WIDTH / length
    summary = ", ".join(f"{one.name} {size(one.size_bytes)}" for one in segments)
    title = html_escape(f"{whole_name}, {size(whole_bytes)}: {summary}")
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}">'
        f'<rect class="room" x="0" y="{BAR_TOP}" width="{WIDTH}" height="{BAR_HEIGHT}"/>'
        f"{''.join(parts)}"
        f'<rect class="mark" x="{max(0.0, mark - 3):.2f}" y="0" width="3" height="{HEIGHT}"/></svg>'
    )


def _segment(segment: Segment, at: float, wide: float, whole_bytes: int) -> str:
    share = percent(segment.size_bytes, whole_bytes)
    title = html_escape(f"{segment.name}: {size(segment.size_bytes)} ({share})")
    return (
        f'<rect class="part-{class_of(segment.word)}" x="{at:.2f}" y="{BAR_TOP}" width="{wide:.2f}" '
        f'height="{BAR_HEIGHT}"><title>{title}</title></rect>'
    )


def class_of(word: str) -> str:
    """A word as part of a class name.

    >>> class_of("swap cache")
    'swap-cache'
    """
    return word.replace(" ", "-")
