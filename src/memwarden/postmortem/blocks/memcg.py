"""The cgroup block: whose limit, usage against limits, statistics.

``mm/memcontrol.c:mem_cgroup_print_oom_meminfo`` and its ancestors: ``Task in A killed as a result of
limit of B`` (2.6.30 to 4.20), ``memory:``, ``memory+swap:`` or ``swap:``, ``kmem:`` lines, then
statistics: one line per descendant in KB (3.9 to 5.2), one ``name value`` per line in bytes since.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from memwarden.units import MAX, Limit

_TASK_IN: Final = re.compile(r"Task in (.*?) killed as a result of limit of (.*)")
_REACHED: Final = re.compile(r"Memory limit reached of cgroup (.*)")
_USAGE: Final = re.compile(r"[a-z+]+: usage (\d+)kB, limit (\d+)kB(?:, failcnt (\d+))?")
_STATS: Final = re.compile(r"Memory cgroup stats(?: for (.*?))?:(?: |$)(.*)")
_PAIR_KB: Final = re.compile(r"(?<![a-z_])([a-z_]{1,40}):(\d+)KB")
_STAT: Final = re.compile(r"([a-z][a-z0-9_.]{0,63}) (\d{1,20})$")
_PROTECTION: Final = re.compile(r"Memory cgroup min protection (\d+)kB -- low protection (\d+)kB")

_UNLIMITED_KB: Final = 9007199254740928
"""2^63 bytes less one 64 KiB page, in kB: ``PAGE_COUNTER_MAX`` (64-bit) is this or more for every page
size, as are ``RES_COUNTER_MAX`` (2^63 - 1 or 2^64 - 1 bytes) of kernels before 3.19."""
_UNLIMITED_32BIT_KB: Final = 8589934588
"""``PAGE_COUNTER_MAX`` of 32-bit kernels: 2^31 - 1 pages of 4 KiB."""


class Usage(NamedTuple):
    """One ``usage ..., limit ..., failcnt ...`` line."""

    usage_bytes: int
    limit_bytes: Limit
    failcnt: int | None


def limit_of_kb(printed_kb: int) -> Limit:
    """A limit in bytes, or ``MAX`` for the numbers that stand for "no limit".

    >>> limit_of_kb(9007199254740988), limit_of_kb(4)
    (MAX, 4096)
    """
    if printed_kb >= _UNLIMITED_KB or printed_kb == _UNLIMITED_32BIT_KB:
        return MAX
    return printed_kb * 1024


def parse_task_in(message: str) -> tuple[str | None, str] | None:
    """``(victim's cgroup or None, cgroup over its limit)``; ``None`` when the line is cut."""
    if (found := _TASK_IN.match(message)) is not None:
        return found[1], found[2]
    if (found := _REACHED.match(message)) is not None:
        return None, found[1]
    return None


def parse_usage(message: str) -> Usage | None:
    """Read ``memory: usage 980kB, limit 980kB, failcnt 12``; ``None`` when usage or limit is cut off."""
    found = _USAGE.match(message)
    if found is None:
        return None
    return Usage(int(found[1]) * 1024, limit_of_kb(int(found[2])), int(found[3]) if found[3] else None)


def parse_stats(message: str) -> tuple[str | None, dict[str, int]]:
    """Path and, where they stand on the same line (up to 5.2), its statistics in bytes."""
    found = _STATS.match(message)
    if found is None:
        return None, {}
    return found[1] or None, {name: int(kb) * 1024 for name, kb in _PAIR_KB.findall(found[2])}


def parse_stat(message: str) -> tuple[str, int] | None:
    """One line of ``memory.stat``: bytes, or a count for the event counters."""
    found = _STAT.match(message)
    return (found[1], int(found[2])) if found else None


def parse_protection(message: str) -> tuple[int, int] | None:
    """Bytes of memory.min and memory.low that stand between the cgroup and a victim (since 6.18)."""
    found = _PROTECTION.match(message)
    return (int(found[1]) * 1024, int(found[2]) * 1024) if found else None
