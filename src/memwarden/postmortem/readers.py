"""Which function reads which kind of message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem import fill_end, fill_memory, fill_top

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.postmortem.draft import Draft


def read(reader: Callable[[Draft, int, str], bool], draft: Draft, line: int, message: str) -> bool:
    """Whether a message could be read. No kernel prints figures so long that Python refuses them."""
    try:
        return reader(draft, line, message)
    except ValueError:
        return False


READERS: Final[dict[str, Callable[[Draft, int, str], bool]]] = {
    "header": fill_top.header,
    "cpuset": fill_top.cpuset,
    "cpu": fill_top.cpu,
    "process": fill_top.process,
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
    "warn-alloc": fill_memory.warn_alloc,
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
