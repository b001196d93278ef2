"""The top of a report: header, cpusets, CPU line, call trace, task table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.blocks.cpu import CpuLine, parse_cpu, parse_process
from memwarden.postmortem.blocks.header import parse_header
from memwarden.postmortem.blocks.tasks import (
    cut_columns,
    guess_columns,
    parse_columns,
    parse_cut_row,
    parse_row,
)

if TYPE_CHECKING:
    from memwarden.postmortem.blocks.tasks import RawRow
    from memwarden.postmortem.draft import Draft

ROWS_KEPT: Final = 1 << 15
"""Rows of one table that are kept, so that memory stays bounded: as many as the kernel's default pid_max."""

_FRAME: Final = re.compile(
    r"(mem_cgroup_out_of_memory|mem_cgroup_oom_synchronize|mem_cgroup_handle_oom|try_charge|__mem_cgroup_charge"
    r"|mem_cgroup_charge|__alloc_pages|__alloc_frozen_pages|pagefault_out_of_memory|moom_callback|sysrq_handle_moom"
    r"|out_of_memory\b)"
)
_KIND_OF_FRAME: Final = {
    "mem_cgroup_out_of_memory": "memcg",
    "mem_cgroup_oom_synchronize": "memcg",
    "mem_cgroup_handle_oom": "memcg",
    "try_charge": "memcg",
    "__mem_cgroup_charge": "memcg",
    "mem_cgroup_charge": "memcg",
    "__alloc_pages": "allocator",
    "__alloc_frozen_pages": "allocator",
    "pagefault_out_of_memory": "page-fault",
    "moom_callback": "manual",
    "sysrq_handle_moom": "manual",
    "out_of_memory": "oom",
}


def header(draft: Draft, line: int, message: str) -> bool:
    """``X invoked oom-killer``."""
    parsed = parse_header(message)
    if parsed is None:
        return False
    draft.header, draft.header_text = parsed, message
    draft.block = "top"
    draft.mark("header", line, message)
    return True


def cpuset(draft: Draft, line: int, message: str) -> bool:
    """``X cpuset=/ mems_allowed=0`` (2.6.30 to 4.20)."""
    name, _, allowed = message.partition(" cpuset=")[2].rpartition(" mems_allowed=")
    if not name:
        return False
    draft.cpuset, draft.mems_allowed = name, allowed.strip() or None
    draft.mark("cpuset", line, message)
    return True


def cpu(draft: Draft, line: int, message: str) -> bool:
    """The line of ``dump_stack``, when it is the invoker's and not another task's."""
    parsed = parse_cpu(message)
    if parsed is None:
        return False
    if draft.cpu is None and _same_task(draft, parsed.comm):
        draft.cpu = parsed
        draft.mark("cpu", line, message)
    return True


def process(draft: Draft, line: int, message: str) -> bool:
    """``Process X (pid: n, task: ...)``, where the CPU line names nobody."""
    parsed = parse_process(message)
    if parsed is None:
        return False
    if draft.cpu is not None and draft.cpu.pid is None and _same_task(draft, parsed[0]):
        draft.cpu = CpuLine(parsed[1], parsed[0], draft.cpu.kernel)
        draft.mark("cpu", line, message)
    return True


def _same_task(draft: Draft, comm: str | None) -> bool:
    ours = draft.header.comm if draft.header is not None else None
    if ours is None or comm is None:
        return True
    return comm.startswith(ours) or ours.startswith(comm) or ours.endswith(comm)


def trace(draft: Draft, line: int, message: str) -> bool:
    """A frame of the call trace; those that tell why the killer was called are kept."""
    if draft.block not in ("top", ""):
        return True
    found = _FRAME.search(message)
    if found is not None and not message.startswith("?") and "] ? " not in message:
        kind = _KIND_OF_FRAME[found[1]]
        if kind not in draft.frames:
            draft.frames.add(kind)
            draft.mark("trace", line, message)
    return True


def workqueue(draft: Draft, line: int, message: str) -> bool:
    """``Workqueue: events moom_callback`` is sysrq-f; other lines of the kind say nothing we need."""
    if "moom_callback" in message:
        draft.frames.add("manual")
        draft.mark("trace", line, message)
    return True


def register(draft: Draft, line: int, message: str) -> bool:
    """A dump of registers names the architecture."""
    if message.startswith(("RIP:", "RAX:", "RSP:")):
        draft.machine.add("x86_64")
    elif message.startswith(("EAX:", "EIP:")):
        draft.machine.add("i386")
    return True


def tasks_state(draft: Draft, line: int, message: str) -> bool:
    """``Tasks state (memory values in pages):`` (4.19 and later)."""
    draft.has_table = draft.tasks_state = True
    draft.block = "table"
    return True


def table(draft: Draft, line: int, message: str) -> bool:
    """The head of the task table."""
    columns = parse_columns(message)
    if columns[-1] != "name":
        columns = cut_columns(message)
        draft.damaged = draft.table_cut = True
    draft.columns = columns
    draft.has_table = True
    draft.block = "table"
    draft.mark("table", line, message)
    return True


def row(draft: Draft, line: int, message: str) -> bool:
    """One row of the task table, also where the head is lost."""
    if not draft.columns:
        draft.columns = guess_columns(message)
        if not draft.columns:
            return False
        draft.damaged = True
    parsed = (parse_cut_row if draft.table_cut else parse_row)(message, line, draft.columns)
    if parsed is None:
        return False
    if len(draft.rows) >= ROWS_KEPT:
        draft.rows_dropped += 1
        return True
    draft.block = "table"
    keep_row(draft, parsed, message)
    return True


def keep_row(draft: Draft, parsed: RawRow, message: str) -> None:
    """Add a row to the table; no kernel lists a process twice in a row, but a pasted text may."""
    if not draft.rows or draft.rows[-1].pid != parsed.pid:
        draft.rows.append(parsed)
        draft.row_texts.append(message)
