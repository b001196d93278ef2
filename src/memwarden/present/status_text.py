"""``status`` as text: the machine, a table of cgroups, and what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present import gaps_text, machine_text
from memwarden.present.colour import PLAIN, Paint
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, counted, escape, short_size
from memwarden.present.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.present.status_rows import StatusRow
    from memwarden.state.snapshot import Snapshot

INDENT: Final = " "
RED_BELOW_PCT: Final = 10
YELLOW_BELOW_PCT: Final = 25
STALLED_PCT: Final = 10

COLUMNS: Final = (
    Column("CGROUP", right=False, flexible=True, least=12),
    Column("USAGE"),
    Column("LIMIT", drop=1, keep_empty=False),
    Column("SET BY", right=False, flexible=True, least=6, drop=5, keep_empty=False),
    Column("PROT", drop=6, keep_empty=False),
    Column("RECL", drop=4),
    Column("ROOM"),
    Column("LEFT"),
    Column("SOME", drop=2, keep_empty=False),
    Column("EVENTS", right=False, drop=3, keep_empty=False),
)
EVENTS: Final = (
    ("kill", "events_oom_kill"),
    ("group", "events_oom_group_kill"),
    ("oom", "events_oom"),
    ("max", "events_max"),
    ("high", "events_high"),
)
"""The gravest first."""
EVENTS_SHOWN: Final = 2


def text(
    snapshot: Snapshot,
    rows: Sequence[tuple[int, StatusRow]],
    *,
    full_paths: bool,
    width: int,
    paint: Paint = PLAIN,
    hidden: int = 0,
) -> str:
    """The whole screen. ``rows`` come with their depth; ``hidden`` is how many more there would be."""
    head = machine_text.lines(snapshot)
    more = [f"... and {counted(hidden, 'more cgroup')}; --top 0 shows all"] if hidden else []
    notes = [line for note in gaps_text.plain(snapshot) for line in wrap(note, width, first="note: ")]
    blocks = [head, [*table(rows, full_paths=full_paths, width=width, paint=paint), *more], notes]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def table(
    rows: Sequence[tuple[int, StatusRow]], *, full_paths: bool, width: int, paint: Paint = PLAIN
) -> list[str]:
    """The lines of the table alone."""
    return render(COLUMNS, [_row(depth, row, full_paths=full_paths) for depth, row in rows], width, paint)


def _row(depth: int, row: StatusRow, *, full_paths: bool) -> Row:
    name = row.path if full_paths or depth == 0 else row.path.rpartition("/")[2]
    texts = (
        INDENT * depth + escape(name),
        short_size(row.usage_bytes),
        short_size(row.effective_limit_bytes) if row.limited_by is not None else "",
        _set_by(row),
        _protection(row),
        short_size(row.reclaimable_bytes),
        short_size(row.effective_headroom_bytes),
        ABSENT if row.left_pct is None else f"{int(max(row.left_pct, 0))}%",
        ABSENT if row.memory_some_avg10_pct is None else f"{row.memory_some_avg10_pct:.1f}%",
        _events(row),
    )
    return Row(texts, _styles(row))


def _set_by(row: StatusRow) -> str:
    if row.limited_by is None:
        return ""
    return "=" if row.limited_by == row.path else escape(row.limited_by)


def _protection(row: StatusRow) -> str:
    low, least = row.effective_low_bytes, row.effective_min_bytes
    strongest = max(low or 0, least or 0)
    return short_size(strongest) if strongest else ""


def _events(row: StatusRow) -> str:
    counts = [f"{name} {count}" for name, field in EVENTS if (count := getattr(row, field))]
    return " ".join(counts[:EVENTS_SHOWN])


def _styles(row: StatusRow) -> dict[int, tuple[str, ...]]:
    left = 100.0 if row.left_pct is None else row.left_pct
    styles: dict[int, tuple[str, ...]] = {}
    if left < YELLOW_BELOW_PCT:
        styles[6] = styles[7] = ("red", "bold") if left < RED_BELOW_PCT else ("yellow",)
    if (row.memory_some_avg10_pct or 0) >= STALLED_PCT:
        styles[8] = ("yellow",)
    if row.events_oom_kill:
        styles[9] = ("red",)
    return styles
