"""Lines become reports: which report a line belongs to, and when a report is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem import fill_end, fill_memory, fill_top
from memwarden.postmortem.draft import Draft
from memwarden.postmortem.finish import finish
from memwarden.postmortem.transport.stamp import NO_STAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.postmortem.model import OomReport
    from memwarden.postmortem.transport.stamp import Stamp

_READERS: Final[dict[str, Callable[[Draft, int, str], bool]]] = {
    "header": fill_top.header,
    "cpuset": fill_top.cpuset,
    "cpu": fill_top.cpu,
    "process": fill_memory.nothing,
    "trace-start": fill_memory.nothing,
    "trace": fill_top.trace,
    "hardware": fill_top.workqueue,
    "register": fill_top.register,
    "tasks-state": fill_top.tasks_state,
    "table": fill_top.table,
    "row": fill_top.row,
    "task-in": fill_memory.task_in,
    "usage": fill_memory.usage("usage"),
    "memsw": fill_memory.usage("memsw"),
    "swap": fill_memory.usage("swap"),
    "kmem": fill_memory.usage("kmem"),
    "stats": fill_memory.stats,
    "stat": fill_memory.stat,
    "protection": fill_memory.protection,
    "mem-info": fill_memory.mem_info,
    "counter": fill_memory.counter,
    "node": fill_memory.node,
    "zone": fill_memory.zone,
    "reserve": fill_memory.reserve,
    "pages": fill_memory.pages,
    "swap-free": fill_memory.swap,
    "swap-total": fill_memory.swap,
    "mem-line": fill_memory.nothing,
    "per-cpu": fill_memory.nothing,
    "allocations": fill_memory.nothing,
    "allocation": fill_memory.allocation,
    "slab": fill_memory.slab_head,
    "slab-none": fill_memory.nothing,
    "slab-head": fill_memory.nothing,
    "slab-row": fill_memory.slab_row,
    "policy": fill_memory.nothing,
    "note": fill_memory.nothing,
    "oom-kill": fill_end.oom_kill,
    "oom-kill-rest": fill_end.oom_kill_rest,
    "kill": fill_end.kill,
    "group": fill_end.group,
    "reaper": fill_end.reaper,
    "no-victim": fill_end.no_victim,
    "panic": fill_end.panic,
    "suppressed": fill_end.suppressed,
}

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


class Assembler:
    """Takes lines in order and hands out finished reports."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: Draft | None = None
        self._done: list[OomReport] = []
        self.idle = 0
        """Lines since the last one that belonged to a report."""

    def feed(self, line: int, stamp: Stamp | None, kind: str, message: str) -> None:
        """Take one message with the number of the line it begins on."""
        draft = self._open
        if kind == "header" or draft is None or (draft.ended and self._is_new(draft, kind, message)):
            if kind not in _OPENERS:
                self.idle += 1
                return
            draft = self._start(line, stamp)
        reader = _READERS.get(kind)
        if reader is not None and reader(draft, line, message):
            draft.touch(line)
            self.idle = 0
            return
        self.idle += 1
        if kind == "elision":
            draft.damaged = True
        elif kind != "empty":
            draft.pending_unparsed += 1

    def _is_new(self, draft: Draft, kind: str, message: str) -> bool:
        if kind == "kill":
            return draft.group_path is None and not fill_end.same_kill(draft, message)
        return kind in _AFTER_END

    def _start(self, line: int, stamp: Stamp | None) -> Draft:
        self.close()
        self._open = Draft(self._file, stamp or NO_STAMP, line, line)
        return self._open

    def close(self) -> None:
        """No more lines: the open report is as complete as it will be."""
        if self._open is not None and self._open.is_oom:
            self._done.append(finish(self._open))
        self._open = None

    def take(self) -> list[OomReport]:
        """The reports that are finished, in order, each handed out once."""
        done, self._done = self._done, []
        return done
