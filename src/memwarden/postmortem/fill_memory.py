"""The middle of a report: the cgroup block, the Mem-Info block, slab caches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem.blocks import meminfo
from memwarden.postmortem.blocks.memcg import (
    parse_protection,
    parse_stat,
    parse_stats,
    parse_task_in,
    parse_usage,
)
from memwarden.postmortem.blocks.meminfo import Zone
from memwarden.postmortem.blocks.slab import parse_allocation, parse_slab

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.model import MarkKind


def task_in(draft: Draft, line: int, message: str) -> bool:
    """``Task in A killed as a result of limit of B``."""
    parsed = parse_task_in(message)
    if parsed is None:
        return False
    draft.memcg.task_path, draft.memcg.limit_path = parsed
    draft.mark("task-in", line, message)
    return True


def usage(kind: MarkKind) -> Callable[[Draft, int, str], bool]:
    """A reader of ``memory:``, ``memory+swap:``, ``swap:`` or ``kmem:`` lines."""

    def read(draft: Draft, line: int, message: str) -> bool:
        parsed = parse_usage(message)
        if parsed is None:
            return False
        draft.memcg.usage.setdefault(kind, parsed)
        draft.block = "memcg"
        draft.mark(kind, line, message)
        return True

    return read


def stats(draft: Draft, line: int, message: str) -> bool:
    """``Memory cgroup stats for PATH:``, with figures on the line up to 5.2."""
    path, figures = parse_stats(message)
    memcg = draft.memcg
    draft.block = "memcg"
    draft.mark("stats", line, message)
    if memcg.stats_path is None or path == memcg.stats_path:
        memcg.stats_path = path
        memcg.stat.update(figures)
    elif path is not None:
        memcg.descendants[path] = figures
    return True


def stat(draft: Draft, line: int, message: str) -> bool:
    """One line of ``memory.stat``; elsewhere such a line means nothing."""
    parsed = parse_stat(message)
    if parsed is None or draft.block != "memcg":
        return False
    name, value = parsed
    draft.memcg.stat.setdefault(name, value)
    if value:
        draft.mark("stat-line", line, message)
    return True


def protection(draft: Draft, line: int, message: str) -> bool:
    """``Memory cgroup min protection ... -- low protection ...``."""
    draft.memcg.protection = parse_protection(message)
    draft.mark("protection", line, message)
    return draft.memcg.protection is not None


def warn_alloc(draft: Draft, line: int, message: str) -> bool:
    """``X: page allocation failure``: the next trace and Mem-Info block are those of that task."""
    if not draft.ended and draft.mem.empty():
        draft.block = "foreign"
    return False


def mem_info(draft: Draft, line: int, message: str) -> bool:
    """``Mem-Info:``; a second block is another's (sysrq-m, an allocation failure) and is passed over."""
    if draft.block == "foreign" or not draft.mem.empty():
        draft.block = "skip-memory"
        return True
    draft.block = "memory"
    draft.mark("mem-info", line, message)
    return True


def in_memory_block(draft: Draft) -> bool:
    """Whether figures of the machine's memory are this report's."""
    if draft.block in ("skip-memory", "foreign"):
        return False
    if draft.block != "memory":
        draft.block = "memory"
    return True


def counter(draft: Draft, line: int, message: str) -> bool:
    """``active_anon:N inactive_anon:N ...``, pages."""
    if in_memory_block(draft):
        counters = draft.mem.counters_pages
        for name, pages in meminfo.parse_counters(message).items():
            counters.setdefault(name, pages)
        draft.mark("mem-info", line, message)
    return True


def node(draft: Draft, line: int, message: str) -> bool:
    """A line that begins with ``Node N``: node, zone, free list or huge pages."""
    if not in_memory_block(draft):
        return True
    if (parsed := meminfo.parse_node(message)) is not None:
        draft.mem.nodes_kb.append(parsed[:2])
        draft.mark("node", line, message)
        return True
    if (pool := meminfo.parse_hugepages(message)) is not None:
        draft.mem.huge.append(pool)
        draft.mark("hugepages", line, message)
        return True
    return zone(draft, line, message)


def zone(draft: Draft, line: int, message: str) -> bool:
    """A zone's watermarks and counters, or its free list."""
    if not in_memory_block(draft):
        return True
    parsed = meminfo.parse_zone(message)
    if parsed is None:
        return "per-cpu" in message
    if isinstance(parsed, Zone):
        draft.mem.zones.append((parsed, ()))
        draft.mark("zone", line, message)
    else:
        draft.mem.free_lists.append(parsed)
        draft.mark("free-list", line, message)
    return True


def reserve(draft: Draft, line: int, message: str) -> bool:
    """``lowmem_reserve[]:`` belongs to the zone before it."""
    zones = draft.mem.zones
    if in_memory_block(draft) and zones:
        zones[-1] = (zones[-1][0], meminfo.parse_reserve(message))
        draft.mark("zone", line, message)
    return True


def pages(draft: Draft, line: int, message: str) -> bool:
    """``N pages RAM`` and its like."""
    parsed = meminfo.parse_pages(message)
    if parsed is not None and in_memory_block(draft):
        draft.mem.pages.setdefault(parsed[0], parsed[1])
        draft.mark("ram" if parsed[0] == "pages RAM" else "other", line, message)
    return True


def swap(draft: Draft, line: int, message: str) -> bool:
    """``Free swap`` and ``Total swap``."""
    parsed = meminfo.parse_swap(message)
    if parsed is None:
        return False
    if in_memory_block(draft):
        draft.mem.swap_kb.setdefault(*parsed)
        draft.mark("swap-free" if parsed[0] == "Free" else "swap-total", line, message)
    return True


def slab_head(draft: Draft, line: int, message: str) -> bool:
    """``Unreclaimable slab info:``."""
    draft.block = "slab"
    draft.mark("slab", line, message)
    return True


def slab_row(draft: Draft, line: int, message: str) -> bool:
    """One cache; elsewhere such a line means nothing."""
    parsed = parse_slab(message)
    if parsed is None or draft.block != "slab":
        return False
    draft.mem.slabs[parsed[0]] = parsed[1]
    draft.mark("slab", line, message)
    return True


def allocation(draft: Draft, line: int, message: str) -> bool:
    """One call site of ``Memory allocations:``."""
    parsed = parse_allocation(message)
    if parsed is None:
        return False
    if in_memory_block(draft):
        draft.mem.allocations[parsed[0]] = parsed[1]
        draft.mark("other", line, message)
    return True


def nothing(draft: Draft, line: int, message: str) -> bool:
    """A line of the report that carries nothing we need."""
    return True
