"""What filled the limit or the machine: parts that add up, and the rest that nothing in the text explains.

The words of the parts are ``anon``, ``file``, ``shmem``, ``kernel``, ``sockets``, ``swap cache``,
``leaving`` (of a process that just ends), ``swapped`` (under a memory+swap limit), ``hugepages``,
``unevictable``, ``free`` and ``unexplained``. Parts never overlap: subsets that the kernel prints beside
their whole (``file_mapped``, ``anon_thp``, ``dirty``) are notes, never parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from memwarden.postmortem.model import Confidence, OomReport


class Part(NamedTuple):
    """One share of the memory in question."""

    word: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Fill:
    """A whole and its parts, largest first, without ``free`` and ``unexplained``, which stand apart."""

    whole_bytes: int | None
    """Usage of the cgroup, or the memory that the machine's page allocator manages."""
    parts: tuple[Part, ...]
    free_bytes: int = 0
    unexplained_bytes: int = 0
    unevictable_bytes: int = 0
    """Locked or otherwise not reclaimable; overlaps the parts in a cgroup, is a part of the machine."""
    dirty_bytes: int = 0
    """File pages that must be written before they can be freed; inside ``file``."""
    by_subtraction: str | None = None
    """The part that was not printed but is what the others leave of the whole."""
    basis: str = "stat"
    """``stat``: the cgroup's statistics; ``mem-info``: the machine's; ``slab``; ``table``: task rows."""

    def of(self, word: str) -> int:
        """Bytes of a part; 0 when the text has none."""
        return sum(part.size_bytes for part in self.parts if part.word == word)

    @property
    def largest(self) -> Part | None:
        """The largest part, the unexplained rest included."""
        rest = Part("unexplained", self.unexplained_bytes)
        found = max((*self.parts, rest), key=lambda part: part.size_bytes)
        return found if found.size_bytes > 0 else None

    def share(self, size_bytes: int) -> float:
        """``size_bytes`` of the whole, or of what the parts add up to where the whole is not known."""
        whole = self.whole_bytes or sum(part.size_bytes for part in self.parts)
        return size_bytes / whole if whole else 0.0


def ordered(sizes: dict[str, int]) -> tuple[Part, ...]:
    """Parts of a table of sizes, largest first, nothing that is zero."""
    parts = [Part(word, size) for word, size in sizes.items() if size > 0]
    return tuple(sorted(parts, key=lambda part: -part.size_bytes))


def confidence_of(fill: Fill, *parts: Part) -> Confidence:
    """How surely parts that mean the same may be called what filled the memory.

    Half of a known whole is certain: no other part can be larger. A third is likely. Sums of the task
    table count shared pages once per process and see neither tmpfs nor kernel memory: at most likely.
    """
    share = fill.share(sum(part.size_bytes for part in parts))
    if fill.basis == "table":
        return "likely" if share >= 0.5 and fill.whole_bytes else "possible"
    if share >= 0.5 and fill.whole_bytes and all(part.word != fill.by_subtraction for part in parts):
        return "certain"
    return "likely" if share >= 0.3 else "possible"


def table_fill(report: OomReport, whole_bytes: int | None) -> Fill | None:
    """What the task table alone allows: resident pages summed, shared pages counted in every sharer.

    Columns ``rss_anon`` and so on exist since 6.8; before that the whole rss is taken for anonymous memory,
    except the file and shmem share that the kill line shows for the victim. ``None`` without a usable row.
    """
    page = report.host.page_size_bytes
    anon = shared = filed = kernel = 0
    for task in report.tasks:
        anon += (task.rss_pages if task.rss_anon_pages is None else task.rss_anon_pages) or 0
        shared += task.rss_shmem_pages or 0
        filed += task.rss_file_pages or 0
        kernel += task.pgtables_bytes or 0
    sizes = {"anon": anon * page, "shmem": shared * page, "file": filed * page, "kernel": kernel}
    if whole_bytes is not None:
        # Page tables and resident pages of processes cannot be more than what was charged.
        sizes = {word: min(size, whole_bytes) for word, size in sizes.items()}
    parts = ordered(sizes)
    if not parts:
        return None
    rest = max(0, (whole_bytes or 0) - sum(part.size_bytes for part in parts))
    return Fill(whole_bytes, parts, unexplained_bytes=rest, basis="table")
