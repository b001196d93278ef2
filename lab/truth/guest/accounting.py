"""What is counted where."""

from __future__ import annotations

import os
import time
from typing import Any

from kit import MIB, Child, Group, anon, cleaned, get, keyed, make_file, memory, put, read_file

SUMS_S = 2.5


def current_is_the_sum() -> dict[str, Any]:
    """Anonymous memory, cache and pipes; the sum of memory.stat beside memory.current."""
    path = make_file("half", 48)
    group = Group()

    def hold() -> bool:
        anon(32)
        return read_file(path)

    child = Child(group, hold)
    with cleaned(group, child):
        child.answer()
        time.sleep(SUMS_S)
        text = get(f"{group.path}/memory.stat")
        parts = {key: keyed(text, key) / MIB for key in ("anon", "file", "kernel", "sock")}
        current = group.mib("current")
        return {
            "current": current, "sum": round(sum(parts.values()), 2), "kernel_is_told": "\nkernel " in text,
            "rest_kib": round((current - sum(parts.values())) * 1024),
        }  # fmt: skip


def cache_kills() -> dict[str, Any]:
    """A file twice as large as the limit is read, and then written."""
    path = make_file("big", 96)
    group = Group(max=48, swap_max=0)

    def use() -> bool:
        read_file(path)
        with open("/scratch/dirty", "wb", buffering=0) as file:
            file.writelines(b"\x5a" * MIB for _ in range(64))
        return True

    child = Child(group, use)
    with cleaned(group, child):
        done = child.answer(120)
        time.sleep(SUMS_S)
        return {
            "done": bool(done), "file": group.stat("file"), "max": group.event("max"),
            "kills": group.event("oom_kill"),
        }  # fmt: skip


def tmpfs_is_cache() -> dict[str, Any]:
    """A file in a tmpfs, without swap: counted, reclaimed, and after its writer's death."""
    group = Group(max=64, swap_max=0)

    def write() -> bool:
        with open("/dev/shm/trial", "wb", buffering=0) as file:
            file.writelines([b"\x5a" * MIB] * 32)
        return True

    child = Child(group, write)
    try:
        with cleaned(group):
            with cleaned(child):
                child.answer()
                time.sleep(SUMS_S)
                file = group.stat("file")
                group.set("high", 8)
                left = group.mib("current")
            after = group.mib("current")
            put(f"{group.path}/memory.high", "max")
            grows = Child(group, anon, 48)
            with cleaned(grows):
                grows.gone(20)
                kills = group.event("oom_kill")
            os.unlink("/dev/shm/trial")
            return {"file": file, "after_reclaim": left, "after_death": after, "kills": kills}
    finally:
        if os.path.exists("/dev/shm/trial"):
            os.unlink("/dev/shm/trial")


def failcnt_counts_ooms() -> dict[str, Any]:
    """How often the limit is hit, and how often the OOM killer is called, while a file is read.

    The figure that v1 calls failcnt is ``max`` in memory.events of v2.
    """
    path = make_file("big", 96)
    group = Group(max=32, swap_max=0)
    child = Child(group, read_file, path, 2)
    with cleaned(group, child):
        child.answer(120)
        return {"hits": group.event("max"), "ooms": group.event("oom")}


def free_is_free() -> dict[str, Any]:
    """Free and available memory after a file was read."""
    path = make_file("big", 96)
    put("/proc/sys/vm/drop_caches", 3)
    time.sleep(0.5)
    free, available = memory("MemFree"), memory("MemAvailable")
    read_file(path)
    lost = free - memory("MemFree"), available - memory("MemAvailable")
    return {"free_lost": round(lost[0]), "available_lost": round(lost[1])}


TRIALS = {
    "current-is-the-sum": current_is_the_sum,
    "cache-kills": cache_kills,
    "tmpfs-is-cache": tmpfs_is_cache,
    "failcnt-counts-ooms": failcnt_counts_ooms,
    "free-is-free": free_is_free,
}
