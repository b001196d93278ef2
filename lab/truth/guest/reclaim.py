"""What reclaim takes, and what it leaves."""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from typing import Any

from kit import KEEP, LIBC, MIB, Child, Group, anon, area, cleaned, make_file, read_file, swap, touch

SUMS_S = 2.5
"""memory.stat is summed up every two seconds (v5.12 and later)."""
MADV_FREE = 8


def _squeeze(group: Group, to_mib: float) -> None:
    """Reclaim by writing memory.high, which every kernel has, and lift it again."""
    group.set("high", to_mib)
    with open(f"{group.path}/memory.high", "w") as file:
        file.write("max")
    time.sleep(SUMS_S)


def _taken(times: int) -> tuple[float, float]:
    """What 30 MiB of reclaim take of 48 MiB of cache and of anonymous memory of the same size."""
    path = make_file("half", 48)
    group = Group()

    def hold() -> bool:
        anon(48)
        return read_file(path, times)

    child = Child(group, hold)
    with cleaned(group, child):
        child.answer()
        time.sleep(SUMS_S)
        file, plain = group.stat("file"), group.stat("anon")
        _squeeze(group, group.mib("current") - 30)
        return round(file - group.stat("file"), 1), round(plain - group.stat("anon"), 1)


def clean_dirty_anon() -> dict[str, Any]:
    """Cache that was read once, and cache that is in use, beside anonymous memory; then dirty pages."""
    swap(on=True)
    once, often = _taken(1), _taken(4)
    group = Group()

    def write() -> bool:
        with open("/scratch/dirty", "wb", buffering=0) as file:
            file.writelines(b"\x5a" * MIB for _ in range(16))
        return anon(32)

    child = Child(group, write)
    with cleaned(group, child):
        child.answer()
        dirty, plain = group.stat("file_dirty") + group.stat("file_writeback"), group.stat("anon")
        group.set("high", group.mib("current") - 12)
        left = plain - group.stat("anon")
        return {
            "cache_once": once[0], "anon_once": once[1], "cache_in_use": often[0], "anon_in_use": often[1],
            "dirty": dirty, "anon_beside_dirty": round(left, 1),
        }  # fmt: skip


def anon_needs_swap() -> dict[str, Any]:
    """Anonymous memory without swap, as it is and after MADV_FREE."""
    group = Group(swap_max=0)

    def hold() -> bool:
        anon(32)
        address = area(32)
        touch(address, 32)
        return LIBC.madvise(ctypes.c_void_p(address), ctypes.c_size_t(32 * MIB), MADV_FREE) == 0

    child = Child(group, hold)
    with cleaned(group, child):
        child.answer()
        before = group.mib("current")
        _squeeze(group, 4)
        return {"before": before, "after": group.mib("current")}


def locked_kernel_huge() -> dict[str, Any]:
    """Locked memory, pipes, dentries and huge pages, with swap, as reclaim finds them and leaves them."""
    swap(on=True)
    return {
        **_left("locked", lambda: anon(32) and LIBC.mlockall(1) == 0, "anon"),
        **_left("pipes", _pipes, None),
        **_left("dentries", _dentries, "slab_reclaimable"),
        **_left("huge", lambda: anon(32, huge=True), "anon"),
    }


def _left(name: str, does: Any, key: str | None) -> dict[str, float]:
    group = Group()
    child = Child(group, does)
    with cleaned(group, child):
        child.answer()
        time.sleep(SUMS_S)
        before = group.stat(key) if key else group.mib("current")
        huge = group.stat("anon_thp")
        _squeeze(group, 1)
        after = group.stat(key) if key else group.mib("current")
        found = {f"{name}_before": before, f"{name}_after": after}
        return {**found, "huge_thp": huge} if name == "huge" else found


def _pipes() -> bool:
    for _ in range(16):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, MIB)  # F_SETPIPE_SZ
        os.write(writer, b"\x5a" * MIB)
        KEEP.append((reader, writer))
    return True


def _dentries() -> bool:
    for number in range(60_000):
        try:
            os.stat(f"/scratch/no-such-file-{number}")
        except FileNotFoundError:
            continue
    return True


def _pressed(*, parent_max: float, other: str, **kept: float) -> tuple[float, int, int]:
    """40 protected MiB beside a neighbour that asks for 64: what is left of them, low events, kills."""
    parent = Group(max=parent_max)
    parent.delegate()
    safe, neighbour = Group(parent, **kept), Group(parent)
    path = make_file("big", 96)
    holds = Child(safe, anon, 40)
    with cleaned(parent, safe, neighbour, holds):
        holds.answer()
        takes = Child(neighbour, *((read_file, path) if other == "cache" else (anon, 64)))
        with cleaned(takes):
            takes.answer(20)
            time.sleep(0.5)
            left = safe.mib("current")
            return left, safe.event("low"), parent.event("oom_kill")


def min_is_never_reclaimed() -> dict[str, Any]:
    """From outside; and by the cgroup's own limit."""
    swap(on=True)
    outside, _, kills = _pressed(parent_max=72, other="anon", min=40)
    group = Group(min=40)
    child = Child(group, anon, 40)
    with cleaned(group, child):
        child.answer()
        _squeeze(group, 16)
        return {"from_outside": outside, "kills": kills, "by_own_limit": group.mib("current")}


def low_is_a_guarantee() -> dict[str, Any]:
    """Beside a neighbour whose memory can be reclaimed, and beside one whose cannot be."""
    swap(on=True)
    easy, _, _ = _pressed(parent_max=72, other="cache", low=40)
    parent = Group(max=72)
    parent.delegate()
    safe, neighbour = Group(parent, low=40), Group(parent, swap_max=0)
    holds = Child(safe, anon, 40)
    with cleaned(parent, safe, neighbour, holds):
        holds.answer()
        takes = Child(neighbour, anon, 48)
        with cleaned(takes):
            takes.answer(20)
            return {"beside_cache": easy, "beside_anon": safe.mib("current"), "low": safe.event("low")}


TRIALS = {
    "clean-dirty-anon": clean_dirty_anon,
    "anon-needs-swap": anon_needs_swap,
    "locked-kernel-huge": locked_kernel_huge,
    "min-is-never-reclaimed": min_is_never_reclaimed,
    "low-is-a-guarantee": low_is_a_guarantee,
}
