"""The task table, read by the names in its head line.

``mm/oom_kill.c:dump_task``. Columns came and went: ``cpu oom_adj`` (up to 3.6), ``nr_ptes`` (3.7),
``nr_pmds`` (4.1), ``pgtables_bytes`` (4.15), ``rss_anon rss_file rss_shmem`` (6.8); patched kernels add
their own. The name is last and may hold anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.postmortem.model import TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEAD: Final = re.compile(r"\[ *pid *\] +(uid\b.*)")
_ROW: Final = re.compile(r"\[ *(\d+)\] +(\d.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d{1,18}$")

_LAST_TWO: Final = ("oom_score_adj", "name")
_SEVEN: Final = {
    "both": ("uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", *_LAST_TWO),
    "ptes": ("uid", "tgid", "total_vm", "rss", "nr_ptes", "swapents", *_LAST_TWO),
    "bytes": ("uid", "tgid", "total_vm", "rss", "pgtables_bytes", "swapents", *_LAST_TWO),
    "": ("uid", "tgid", "total_vm", "rss", "?", "??", *_LAST_TWO),
}
_BY_COUNT: Final[dict[int, tuple[str, ...]]] = {
    6: ("uid", "tgid", "total_vm", "rss", "cpu", "oom_adj", "name"),
    8: ("uid", "tgid", "total_vm", "rss", "nr_ptes", "nr_pmds", "swapents", "oom_score_adj", "name"),
    10: (
        *("uid", "tgid", "total_vm", "rss", "rss_anon", "rss_file", "rss_shmem"),
        *("pgtables_bytes", "swapents", "oom_score_adj", "name"),
    ),
}


class RawRow(NamedTuple):
    """A row before the page size is known: numbers in the order of the columns, name apart."""

    line: int
    pid: int
    numbers: list[int | None]
    """``None`` for columns that are cut off."""
    name: str


def parse_columns(message: str) -> tuple[str, ...]:
    """The columns behind ``[ pid ]``, as printed; empty when the head is cut."""
    found = _HEAD.match(message)
    return tuple(found[1].split()) if found else ()


def cut_columns(message: str) -> tuple[str, ...]:
    """The columns of a head that is cut off at the right, but for the last, which may be cut itself."""
    return (*parse_columns(message)[:-1], "name")


def parse_cut_row(message: str, line: int, columns: Sequence[str]) -> RawRow | None:
    """A row that is cut off at the right: its name is lost, and its last figure may be cut."""
    head, _, rest = message.partition("]")
    fields = rest.split()[: len(columns)][:-1]
    try:
        numbers: list[int | None] = [int(field) for field in fields]
        missing = len(columns) - 1 - len(numbers)
        return RawRow(line, int(head[1:]), numbers + [None] * missing, "") if numbers else None
    except ValueError:
        return None


def parse_row(message: str, line: int, columns: Sequence[str]) -> RawRow | None:
    """One row under known columns; ``None`` when it does not fit them.

    >>> parse_row("[ 42] 0 42 10 5 (sd-pam) x", 1, ("uid", "tgid", "total_vm", "rss", "name"))
    RawRow(line=1, pid=42, numbers=[0, 42, 10, 5], name='(sd-pam) x')
    """
    head, _, rest = message.partition("]")
    fields = rest.split(None, len(columns) - 1)
    try:
        if len(fields) < len(columns):
            # A comm may be empty: then only the name is missing.
            return RawRow(line, int(head[1:]), _exactly(fields, len(columns) - 1), "")
        name = fields.pop()
        return RawRow(line, int(head[1:]), [int(field) for field in fields], name.rstrip())
    except ValueError:
        return None


def _exactly(fields: list[str], count: int) -> list[int | None]:
    if len(fields) != count:
        raise ValueError
    return [int(field) for field in fields]


def guess_columns(message: str) -> tuple[str, ...]:
    """The columns of a table whose head is lost, from one row; empty when no kernel printed such a row."""
    found = _ROW.match(message)
    if found is None:
        return ()
    fields = found[2].split()
    count = next((place for place, field in enumerate(fields) if not _NUMBER.match(field)), 0)
    return _SEVEN[_seven(int(fields[4]), int(fields[5]))] if count == 7 else _BY_COUNT.get(count, ())


def _seven(fifth: int, sixth: int) -> str:
    """Which of the tables with seven figures: what only one of them can hold, or ``""``.

    ``pgtables_bytes`` are whole pages in bytes; ``oom_adj`` is -17 to 15 and may be negative.
    """
    if fifth >= 4096 and fifth % 1024 == 0:
        return "bytes"
    if sixth < 0:
        return "both"
    return "ptes" if sixth > 15 else ""


def row_builder(columns: Sequence[str], page_size: int) -> Callable[[RawRow], TaskRow]:
    """A function from raw rows to rows, for one table."""
    place = {name: index for index, name in enumerate(columns[:-1])}
    uid, tgid, total_vm, rss, anon, file, shmem, swap, oom_adj, score_adj = (
        place.get(name, -1)
        for name in (
            *("uid", "tgid", "total_vm", "rss", "rss_anon", "rss_file", "rss_shmem"),
            *("swapents", "oom_adj", "oom_score_adj"),
        )
    )
    tables, scale = _page_tables(place, page_size)

    def build(row: RawRow) -> TaskRow:
        # What a column that the table does not have stands for, at -1.
        numbers: list[Any] = [*row.numbers, None]
        return TaskRow(
            row.line,
            row.pid,
            row.name,
            numbers[uid],
            numbers[tgid],
            numbers[total_vm],
            numbers[rss],
            numbers[anon],
            numbers[file],
            numbers[shmem],
            _tables(numbers, tables, scale),
            numbers[swap],
            numbers[oom_adj],
            numbers[score_adj],
        )

    return build


def _tables(numbers: list[Any], places: tuple[int, ...], scale: int) -> int | None:
    pages = [numbers[place] for place in places]
    return None if not pages or None in pages else sum(pages) * scale


def _page_tables(place: dict[str, int], page_size: int) -> tuple[tuple[int, ...], int]:
    """Columns that make up the page tables, and bytes per unit: pages up to 4.14, bytes since."""
    if "pgtables_bytes" in place:
        return (place["pgtables_bytes"],), 1
    return tuple(place[name] for name in ("nr_ptes", "nr_pmds") if name in place), page_size
