"""A report while its lines are still coming in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.model import Mark
from memwarden.postmortem.transport.stamp import monotonic_us

if TYPE_CHECKING:
    from memwarden.postmortem.blocks.cpu import CpuLine
    from memwarden.postmortem.blocks.header import Header
    from memwarden.postmortem.blocks.kill import Choice, KillLine
    from memwarden.postmortem.blocks.memcg import Usage
    from memwarden.postmortem.blocks.meminfo import FreeList, HugePages, Zone
    from memwarden.postmortem.blocks.oomkill import OomKill
    from memwarden.postmortem.blocks.tasks import RawRow
    from memwarden.postmortem.model import MarkKind
    from memwarden.postmortem.transport.stamp import Stamp

PATIENCE: Final = 400
"""Lines that may lie between two lines of one report."""
_LONGEST_US: Final = 600_000_000
"""A report of many thousand rows takes minutes on a serial console."""
_BACKWARDS_US: Final = 1_000_000


@dataclass(slots=True)
class MemcgDraft:
    """The cgroup block so far."""

    task_path: str | None = None
    limit_path: str | None = None
    usage: dict[str, Usage] = field(default_factory=dict)
    """By kind of line: ``usage``, ``memsw``, ``swap``, ``kmem``."""
    stats_path: str | None = None
    stat: dict[str, int] = field(default_factory=dict)
    descendants: dict[str, dict[str, int]] = field(default_factory=dict)
    protection: tuple[int, int] | None = None


@dataclass(slots=True)
class MemInfoDraft:
    """The Mem-Info block so far: pages where the kernel prints pages, kB where it prints kB."""

    counters_pages: dict[str, int] = field(default_factory=dict)
    nodes_kb: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    zones: list[tuple[Zone, tuple[int, ...]]] = field(default_factory=list)
    free_lists: list[FreeList] = field(default_factory=list)
    huge: list[HugePages] = field(default_factory=list)
    pages: dict[str, int] = field(default_factory=dict)
    swap_kb: dict[str, int] = field(default_factory=dict)
    slabs: dict[str, int] = field(default_factory=dict)
    allocations: dict[str, int] = field(default_factory=dict)

    def empty(self) -> bool:
        """Whether no figure was read."""
        return not (
            self.counters_pages
            or self.nodes_kb
            or self.zones
            or self.free_lists
            or self.huge
            or self.pages
            or self.swap_kb
            or self.slabs
            or self.allocations
        )


@dataclass(slots=True)
class KillDraft:
    """One killed process: the line that said so, and what the reaper said later."""

    line: int
    kill: KillLine
    via: str
    reaped: bool | None = None
    left_anon_kb: int | None = None


@dataclass(slots=True)
class Draft:
    """One report as far as it was read. ``block`` names the block that the last line stood in."""

    file: str
    stamp: Stamp
    first_line: int
    last_line: int
    block: str = ""
    header: Header | None = None
    header_text: str = ""
    cpu: CpuLine | None = None
    cpuset: str | None = None
    mems_allowed: str | None = None
    frames: set[str] = field(default_factory=set)
    machine: set[str] = field(default_factory=set)
    memcg: MemcgDraft = field(default_factory=MemcgDraft)
    mem: MemInfoDraft = field(default_factory=MemInfoDraft)
    columns: tuple[str, ...] = ()
    has_table: bool = False
    table_cut: bool = False
    """The right edge of the table is cut off: names are lost."""
    tasks_state: bool = False
    """The line before the table, of 4.19 and later, was seen."""
    rows: list[RawRow] = field(default_factory=list)
    row_texts: list[str] = field(default_factory=list)
    rows_dropped: int = 0
    oom_kill: OomKill | None = None
    oom_kill_line: int = 0
    oom_kill_text: str = ""
    choice: Choice | None = None
    kills: dict[int, KillDraft] = field(default_factory=dict)
    """By pid, in order."""
    sharing: list[tuple[int, Choice]] = field(default_factory=list)
    group_path: str | None = None
    no_killable: bool = False
    panic: bool = False
    damaged: bool = False
    """Elisions, cut lines or lost rows were seen inside."""
    taken: int = 0
    """Characters that were read, rows of the table aside."""
    unparsed: int = 0
    """Lines between the first and the last that no block could read."""
    pending_unparsed: int = 0
    """The same since the last line that was read; they count once another line of the report follows."""
    pending_line: int = 0
    """The last line of them: what goes on in the same line may be read all the same."""
    held_back: bool = False
    """Another report ended just before: the rate limit held back the beginning of this one."""
    last_us: int | None = None
    """Time since boot of the last line."""
    marks: list[Mark] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether the line that ends a report was seen."""
        return bool(self.kills) or self.no_killable or self.panic

    @property
    def is_oom(self) -> bool:
        """Whether a line was seen that only the OOM killer prints."""
        return bool(
            self.header
            or self.ended
            or self.oom_kill
            or self.has_table
            or self.rows
            or self.memcg.usage
            or self.memcg.limit_path
            or self.memcg.stats_path
            or self.group_path
            or self.choice
        )

    def reaches(self, line: int, stamp: Stamp) -> bool:
        """Whether a line of the same origin may still belong to this: not too far off, not after a boot."""
        if line - self.last_line > PATIENCE:
            return False
        now = monotonic_us(stamp.mono)
        if now is None or self.last_us is None:
            return True
        return -_BACKWARDS_US <= now - self.last_us <= _LONGEST_US

    def touch(self, line: int) -> None:
        """The report reaches this line."""
        self.last_line = max(self.last_line, line)
        if self.pending_unparsed and self.pending_line == line:
            self.pending_unparsed -= 1
        self.unparsed += self.pending_unparsed
        self.pending_unparsed = 0

    def mark(self, kind: MarkKind, line: int, text: str) -> None:
        """Keep a line as evidence."""
        self.marks.append(Mark(kind, line, text))
