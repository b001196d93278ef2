"""The log lines that a statement rests on, found by kind among the report's marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.model import Evidence

if TYPE_CHECKING:
    from memwarden.postmortem.model import Mark, MarkKind, OomReport, TaskRow

PER_KIND = 3
"""Lines of one kind under one statement: more would hide what they show."""

STAT_KEYS = (
    "anon", "file", "shmem", "kernel", "slab", "sock", "unevictable", "pagetables", "rss", "cache",
    "total_rss", "total_cache", "total_shmem", "total_unevictable", "file_dirty", "file_writeback",
    "slab_unreclaimable", "percpu", "swapcached",
)  # fmt: skip


def lines(report: OomReport, *kinds: MarkKind) -> tuple[Evidence, ...]:
    """The first lines of each kind, in the order of the text."""
    found: list[Mark] = []
    left = dict.fromkeys(kinds, PER_KIND)
    for mark in report.marks:
        if left.get(mark.kind):
            left[mark.kind] -= 1
            found.append(mark)
    return evidence(found)


def stat_lines(report: OomReport) -> tuple[Evidence, ...]:
    """The statistics lines whose figures the accounting uses, without those that are zero."""
    found = [mark for mark in report.marks if mark.kind == "stats"][:PER_KIND]
    for mark in report.marks:
        words = mark.text.split()
        if mark.kind == "stat-line" and len(words) == 2 and words[0] in STAT_KEYS and words[1] != "0":
            found.append(mark)
    return evidence(found)


def row_lines(report: OomReport, *rows: TaskRow | None) -> tuple[Evidence, ...]:
    """The table's header and the given rows."""
    wanted = {row.line for row in rows if row is not None}
    found = [mark for mark in report.marks if mark.kind == "table"][:1]
    found += [mark for mark in report.marks if mark.kind == "task" and mark.line in wanted]
    return evidence(found)


def zone_lines(report: OomReport) -> tuple[Evidence, ...]:
    """The zone lines and their free lists: few, and each counts."""
    return evidence([mark for mark in report.marks if mark.kind in ("zone", "free-list")])


def evidence(marks: list[Mark]) -> tuple[Evidence, ...]:
    """Marks as evidence, each line once, in the order of the text."""
    texts = {mark.line: mark.text for mark in reversed(marks)}
    return tuple(Evidence(line, texts[line]) for line in sorted(texts))
