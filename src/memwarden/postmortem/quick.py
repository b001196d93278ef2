"""The lines that make up most of a report, read without ceremony.

A line is whole for certain when it had a front and so has the line after it. Then nothing needs to be
rejoined, and in the middle of a report its kind alone says what to do with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.blocks.tasks import RawRow
from memwarden.postmortem.fill_top import ROWS_KEPT, keep_row, trace
from memwarden.postmortem.kinds import kind_of
from memwarden.postmortem.model import Mark
from memwarden.postmortem.readers import READERS, read

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft

_PLAIN: Final = frozenset(
    (
        *("cpuset", "cpu", "trace-start", "trace", "hardware", "register", "tasks-state", "table"),
        *("task-in", "usage", "memsw", "swap", "kmem", "stats", "stat", "protection", "mem-info", "counter"),
        *("node", "zone", "reserve", "pages", "swap-free", "swap-total", "mem-line", "per-cpu"),
        *("allocations", "allocation", "slab", "slab-head", "slab-row"),
    )
)
"""Kinds that say nothing about when and where, and never end a report."""


def quick(draft: Draft, line: int, message: str) -> bool:
    """Read one whole message into an open report that has no end yet; False when it needs a closer look."""
    block = draft.block
    if block == "table" and message[:1] == "[" and not draft.table_cut and "\\x" not in message:
        return _row(draft, line, message)
    message = message.rstrip()
    if block == "memcg":
        if _stat(draft, line, message):
            return True
    elif block == "top" and "+0x" in message and "invoked" not in message:
        return trace(draft, line, message)
    kind = kind_of(message)
    if kind not in _PLAIN or "#012" in message or "\\x" in message:
        return False
    return read(READERS[kind], draft, line, message)


def _row(draft: Draft, line: int, message: str) -> bool:
    columns = len(draft.columns)
    head, _, rest = message.partition("]")
    fields = rest.split(None, columns - 1)
    if not fields or len(fields) != columns or len(draft.rows) >= ROWS_KEPT:
        return False
    name = fields.pop()
    try:
        row = RawRow(line, int(head[1:]), list(map(int, fields)), name.rstrip())
    except ValueError:
        return False
    keep_row(draft, row, message)
    return True


def _stat(draft: Draft, line: int, message: str) -> bool:
    name, _, value = message.partition(" ")
    if not value.isdecimal() or not name[:1].islower():
        return False
    draft.memcg.stat.setdefault(name, int(value))
    if value != "0":
        draft.marks.append(Mark("stat-line", line, message))
    return True
