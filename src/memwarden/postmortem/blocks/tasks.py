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
_NUMBER: Final = re.compile(r"-?\d+$")

_SEVEN_OLD: Final = ("uid", "tgid", "total_vm", "rss", "nr_ptes", "swapents", "oom_score_adj", "name")
_SEVEN_NEW: Final = ("uid", "tgid", "total_vm", "rss", "pgtables_bytes", "swapents", "oom_score_adj", "name")
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
    numbers: list[int]
    name: str


def parse_columns(message: str) -> tuple[str, ...]:
    """The columns behind ``[ pid ]``, as printed; empty when the head is cut."""
    found = _HEAD.match(message)
    return tuple(found[1].split()) if found else ()


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


def _exactly(fields: list[str], count: int) -> list[int]:
    if len(fields) != count:
        raise ValueError
    return [int(field) for field in fields]


def guess_columns(message: str) -> tuple[str, ...]:
    """The columns of a table whose head is lost, from one row; empty when no kernel printed such a row.

    Seven numbers are either ``nr_ptes`` or ``pgtables_bytes``; the latter is in bytes, whole pages
    of 1 KiB or more, and came with a wider pid (4.19).
    """
    found = _ROW.match(message)
    if found is None:
        return ()
    fields = found[2].split()
    count = 0
    while count < len(fields) - 1 and _NUMBER.match(fields[count]):
        count += 1
    if count == 7:
        return _SEVEN_NEW if int(fields[4]) >= 1024 and int(fields[4]) % 1024 == 0 else _SEVEN_OLD
    return _BY_COUNT.get(count, ())


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
            sum([numbers[where] for where in tables]) * scale if tables else None,
            numbers[swap],
            numbers[oom_adj],
            numbers[score_adj],
        )

    return build


def _page_tables(place: dict[str, int], page_size: int) -> tuple[tuple[int, ...], int]:
    """Columns that make up the page tables, and bytes per unit: pages up to 4.14, bytes since."""
    if "pgtables_bytes" in place:
        return (place["pgtables_bytes"],), 1
    return tuple(place[name] for name in ("nr_ptes", "nr_pmds") if name in place), page_size
