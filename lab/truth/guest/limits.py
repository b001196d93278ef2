"""What memory.max and memory.high do."""

from __future__ import annotations

import errno
import time
from typing import Any

from kit import (
    Child,
    Group,
    anon,
    area,
    cleaned,
    get,
    keyed,
    make_file,
    memory,
    put,
    read_file,
    swap,
    touch,
)


def max_kills_at_once() -> dict[str, Any]:
    """A file that is larger than the limit is read; then memory that cannot be reclaimed is asked for."""
    path = make_file("big", 96)
    cache = Group(max=48, swap_max=0)
    child = Child(cache, read_file, path)
    with cleaned(cache, child):
        child.answer()
        reading = {"max": cache.event("max"), "kills": cache.event("oom_kill")}
    hopeless = Group(max=48, swap_max=0)
    child = Child(hopeless, anon, 96)
    with cleaned(hopeless, child):
        child.gone()
        asking = {name: hopeless.event(name) for name in ("max", "oom", "oom_kill")}
    return {
        "max_while_reading": reading["max"], "kills_while_reading": reading["kills"],
        "max": asking["max"], "oom": asking["oom"], "kills": asking["oom_kill"],
    }  # fmt: skip


def high_never_kills() -> dict[str, Any]:
    """Twice memory.high is asked for, without swap."""
    group = Group(high=32, swap_max=0)
    child = Child(group, anon, 64)
    with cleaned(group, child):
        time.sleep(8)
        return {
            "kills": group.event("oom_kill"), "alive": child.alive, "high": group.event("high"),
            "usage": group.mib("current"), "stalled_s": round(group.stalled_s(), 2),
        }  # fmt: skip


def _step_s(over: float, max_mib: float) -> float:
    """Seconds that one more MiB takes, so far above a memory.high of 64 MiB."""
    group = Group(max=max_mib, swap_max=0)

    def grow() -> float:
        base = 64 * (1 + over)
        address = area(base + 1)
        touch(address, base)
        put(f"{group.path}/memory.high", 64 << 20)
        begin = time.monotonic()
        touch(address + int(base * (1 << 20)), 1)
        time.sleep(0)
        return time.monotonic() - begin

    child = Child(group, grow)
    with cleaned(group, child):
        return round(float(child.answer(120) or 0), 3)


def delay_is_linear() -> dict[str, Any]:
    """The same MiB at 8, 12 and 16 percent above memory.high; and with memory.max far away.

    It is four batches of pages, or meets a fifth, depending on where it begins: the least of five, since one
    in four meets it, and a median of five then does now and again.
    """

    def usual(share: float, most: int) -> float:
        return min(_step_s(share, most) for _ in range(5))

    times = {f"s_at_{percent}": usual(percent / 100, 128) for percent in (8, 12, 16)}
    return {**times, "s_at_12_far_max": usual(0.12, 400)}


def lowering_max_fails() -> dict[str, Any]:
    """memory.max is written below what is used and cannot be reclaimed."""
    group = Group(swap_max=0)
    child = Child(group, anon, 48)
    with cleaned(group, child):
        child.answer()
        before, error = group.mib("current"), "none"
        try:
            group.set("max", 16)
        except OSError as failed:
            error = errno.errorcode[failed.errno or 0]
        child.gone(5)
        return {
            "before": before, "error": error, "after": group.mib("current"),
            "kills": group.event("oom_kill"), "oom": group.event("oom"),
        }  # fmt: skip


def free_memory_protects() -> dict[str, Any]:
    """A container dies at its limit while most of the machine is free."""
    group = Group(max=32, swap_max=0)
    child = Child(group, anon, 64)
    with cleaned(group, child):
        free = memory("MemAvailable")
        child.gone()
        return {
            "available": round(free), "total": round(memory("MemTotal")), "kills": group.event("oom_kill"),
        }  # fmt: skip


def overcommit_prevents() -> dict[str, Any]:
    """overcommit_memory=2: a container above its limit, and a process that asks for more than there is."""
    put("/proc/sys/vm/overcommit_ratio", 100)
    put("/proc/sys/vm/overcommit_memory", 2)

    def too_much() -> str:
        try:
            area(memory("MemTotal") * 2)
        except OSError as failed:
            return errno.errorcode[failed.errno or 0]
        return "none"

    group, free = Group(max=32, swap_max=0), Group()
    child, other = Child(group, anon, 64), Child(free, too_much)
    try:
        with cleaned(group, free, child, other):
            child.gone()
            return {"kills": group.event("oom_kill"), "error": other.answer()}
    finally:
        put("/proc/sys/vm/overcommit_memory", 0)


def _to_death(with_swap: bool) -> dict[str, float]:
    """Seconds until a leak of 16 MiB/s is killed at 48 MiB, what it stalled, and its longest step."""
    group = Group(max=48) if with_swap else Group(max=48, swap_max=0)
    if with_swap:
        group.set("swap.max", 64)

    def leak() -> None:
        address = area(256)
        for step in range(1024):
            touch(address + step * (1 << 18), 0.25)
            time.sleep(1 / 64)

    child = Child(group, leak)
    with cleaned(group, child):
        begin = time.monotonic()
        child.gone(120)
        return {"s": round(time.monotonic() - begin, 2), "stalled": round(group.stalled_s(), 3)}


def swap_makes_it_worse() -> dict[str, Any]:
    """The same leak at the same limit without swap and with."""
    without = _to_death(with_swap=False)
    swap(on=True)
    beside = _to_death(with_swap=True)
    return {
        "s_without": without["s"], "s_with": beside["s"],
        "stalled_without": without["stalled"], "stalled_with": beside["stalled"],
        "swapped_out": keyed(get("/proc/vmstat"), "pswpout"),
    }  # fmt: skip


TRIALS = {
    "max-kills-at-once": max_kills_at_once,
    "high-never-kills": high_never_kills,
    "delay-is-linear": delay_is_linear,
    "lowering-max-fails": lowering_max_fails,
    "free-memory-protects": free_memory_protects,
    "overcommit-prevents": overcommit_prevents,
    "swap-makes-it-worse": swap_makes_it_worse,
}
