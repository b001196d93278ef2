"""What the death of a process gives back.

``mm/memory.c:unmap_vmas`` at exit: anonymous pages that nobody shares, page tables and swap entries are freed
at once. Mapped file pages stay as page cache, which is reclaimable; shared memory stays until its file or
segment is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.state.process import Process


class Freed(NamedTuple):
    """Bytes given back. ``None``: not known, for at least one of the processes."""

    memory_bytes: int | None
    swap_bytes: int | None


def freed_by(process: Process) -> Freed:
    """At most what this process's death frees; memory shared after fork is freed by the last sharer only.

    Where the proportional set size is known it bounds the figure. ``RssAnon`` is not printed before 4.5.
    """
    anon = process.rss_anon_bytes
    if anon is not None and process.pss_bytes is not None:
        anon = min(anon, process.pss_bytes)
    memory = None if anon is None else anon + (process.pgtables_bytes or 0)
    return Freed(memory, process.swap_bytes)


def freed_by_all(processes: Iterable[Process]) -> Freed:
    """The sum over processes that die together."""
    each = [freed_by(process) for process in processes]
    return Freed(_sum([one.memory_bytes for one in each]), _sum([one.swap_bytes for one in each]))


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
