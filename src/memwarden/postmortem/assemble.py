"""Lines become reports: which report a line belongs to, and when a report is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem import fill_end
from memwarden.postmortem.draft import Draft
from memwarden.postmortem.finish import finish
from memwarden.postmortem.readers import READERS, read
from memwarden.postmortem.transport.stamp import NO_STAMP, monotonic_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.postmortem.model import OomReport
    from memwarden.postmortem.transport.stamp import Stamp

_OPENERS: Final = frozenset(
    (
        *(
            "header",
            "cpuset",
            "row",
            "tasks-state",
            "table",
            "task-in",
            "usage",
            "memsw",
            "swap",
            "kmem",
            "stats",
        ),
        *("mem-info", "node", "zone", "slab", "oom-kill", "kill", "group", "reaper", "no-victim", "panic"),
    )
)
"""Kinds that can stand first in a report whose beginning is lost."""

_AFTER_END: Final = frozenset(
    (
        *("cpuset", "row", "tasks-state", "table", "task-in", "usage", "memsw", "swap", "kmem", "stats"),
        *("mem-info", "oom-kill", "no-victim"),
    )
)
"""Kinds that never follow the end of their own report: the header of a next one was held back."""


_OF_A_TRACE: Final = frozenset(("cpu", "process", "trace-start", "trace", "hardware", "register"))
"""Behind the kill these are another's."""
_STALE_LINES: Final = 5_000
"""So many lines after its last one a report is over, if another one begins."""
_PASTED_LINES: Final = 3
_RATE_LINES: Final = 400
"""Ten reports in five seconds are printed (``DEFAULT_RATELIMIT_BURST``); of more only the kill lines."""
_WARNED_LINES: Final = 5
"""A header so close behind an allocation failure stands inside that: the trace below is not its own."""
_KEPT: Final = 1 << 21
"""Characters of one report, its table aside; what goes on longer was not printed by one OOM."""
_LINE_COST: Final = 64
_OPEN_AT_ONCE: Final = 64
"""Reports that are kept open at once; more only if none of them has its end."""


class Assembler:
    """Takes messages in order and hands out finished reports.

    Hosts that write into one log are kept apart, and so are tasks where the kernel prints the caller: two
    reports may be open at once.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: dict[tuple[str | None, str | None], Draft] = {}
        self._last: Draft | None = None
        self._done: list[OomReport] = []
        self._warned = -_WARNED_LINES
        self.idle = 0
        """Lines since the last one that belonged to a report."""

    @property
    def expecting(self) -> bool:
        """Whether the report that was read last still lacks its end."""
        return self._last is not None and not self._last.ended

    @property
    def columns(self) -> int:
        """Columns of the task table of the report that was read last; 0 without one."""
        return len(self._last.columns) if self._last is not None else 0

    @property
    def invoker(self) -> str:
        """Who invoked the OOM killer in the report that was read last, as far as known."""
        header = self._last.header if self._last is not None else None
        return (header.comm or "") if header is not None else ""

    def at(self, stamp: Stamp | None, line: int) -> Draft | None:
        """The report of this origin that has no end yet and that this line may belong to."""
        draft = None if stamp is None else self._open.get((stamp.host, stamp.caller))
        return None if draft is None or draft.ended or not draft.reaches(line, NO_STAMP) else draft

    def took(self, draft: Draft, line: int, size: int) -> bool:
        """A message of this size was read into this report; False when it is over because it is too long."""
        draft.touch(line)
        self._last = draft
        self.idle = 0
        if draft.block != "table":
            draft.taken += size + _LINE_COST
            if draft.taken > _KEPT:
                self._close((draft.stamp.host, draft.stamp.caller))
                return False
        return True

    def stranger(self, *, lost: bool) -> None:
        """A line of another program went by; ``lost``: it says that lines of the kernel are missing."""
        self.idle += 1
        if lost and self._last is not None and not self._last.ended:
            self._last.damaged = True

    def feed(self, line: int, stamp: Stamp | None, kind: str, message: str) -> None:
        """Take one message with the number of the line it begins on."""
        draft = self._draft(stamp or NO_STAMP, line, kind, message)
        reader = READERS.get(kind)
        if draft is not None and not self._is_new(draft, line, stamp, kind, message):
            self._to(draft, reader, line, kind, message)
            if stamp is not None and kind == "kill":
                draft.last_us = monotonic_us(stamp.mono)
            return
        self.idle += 1
        if kind == "warn-alloc":
            self._warned = line
        if reader is None or kind not in _OPENERS:
            return
        fresh = Draft(self._file, stamp or NO_STAMP, line, line)
        if read(reader, fresh, line, message):
            if kind == "header" and line - self._warned < _WARNED_LINES:
                fresh.block = "foreign"
            fresh.last_us = monotonic_us(fresh.stamp.mono)
            fresh.held_back = draft is not None and line - draft.last_line < _RATE_LINES
            self._begin(fresh)
        elif draft is not None:
            draft.pending_unparsed += 1

    def _draft(self, stamp: Stamp, line: int, kind: str, message: str) -> Draft | None:
        """The open report that a message of this origin belongs to."""
        if kind == "reaper" and (reaped := fill_end.reaped_by(self._open.values(), message)) is not None:
            return reaped
        draft = self._open.get((stamp.host, stamp.caller))
        # A broken line at the beginning of a text has no front: its report is that of the line after it.
        draft = draft or self._open.get((None, None))
        return draft if draft is not None and draft.reaches(line, stamp) else None

    def _is_new(self, draft: Draft, line: int, stamp: Stamp | None, kind: str, message: str) -> bool:
        """Whether a message begins another report of the same origin."""
        if kind == "header":
            # A line that was pasted twice is one line.
            return draft.ended or draft.header_text != message or line - draft.last_line > _PASTED_LINES
        if not draft.ended:
            # A table comes once, and its head before its rows.
            return kind in ("tasks-state", "table") and bool(draft.rows)
        if kind == "kill":
            return not fill_end.same_report(draft, line, stamp, message)
        return kind in _AFTER_END

    def _to(
        self,
        draft: Draft,
        reader: Callable[[Draft, int, str], bool] | None,
        line: int,
        kind: str,
        message: str,
    ) -> None:
        if (
            reader is not None
            and not (draft.kills and kind in _OF_A_TRACE)
            and read(reader, draft, line, message)
        ):
            self.took(draft, line, len(message))
            return
        self.idle += 1
        if kind == "elision":
            draft.damaged = True
        elif kind != "empty":
            draft.pending_unparsed += 1
            draft.pending_line = line

    def _begin(self, draft: Draft) -> None:
        key = (draft.stamp.host, draft.stamp.caller)
        self._close(key)
        self._open[key] = self._last = draft
        self.idle = 0
        stale = [
            other
            for other, known in self._open.items()
            if other != key and (known.ended or draft.first_line - known.last_line > _STALE_LINES)
        ]
        for other in stale:
            if (
                draft.first_line - self._open[other].last_line > _STALE_LINES
                or len(self._open) > _OPEN_AT_ONCE
            ):
                self._close(other)

    def _close(self, key: tuple[str | None, str | None]) -> None:
        draft = self._open.pop(key, None)
        if draft is not None and draft.is_oom:
            self._done.append(finish(draft))

    def close(self) -> None:
        """No more lines: the open reports are as complete as they will be."""
        for key in sorted(self._open, key=lambda key: self._open[key].first_line):
            self._close(key)

    def take(self) -> list[OomReport]:
        """The reports that are finished, in order, each handed out once."""
        done, self._done = self._done, []
        return done
