"""One cgroup's memory by how the kernel could get it back: the ladder.

``mm/vmscan.c:shrink_folio_list`` for what can be freed and at what price; the order of the steps is the usual
one, not a law (hot cache and cold anonymous memory compete, slab is shrunk alongside). What cannot be freed
is listed too, so that the parts add up.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from memwarden.kernel.meminfo import Meminfo
from memwarden.rules.accounting import KERNEL_KEYS, kernel_bytes

LADDER_KEYS: Final = (
    "inactive_file",
    "active_file",
    "inactive_anon",
    "active_anon",
    "file_dirty",
    "file_writeback",
    "shmem",
    "unevictable",
    "sock",
    *KERNEL_KEYS,
)
"""The figures of ``memory.stat`` that :func:`ladder` asks for."""


class Ladder(NamedTuple):
    """Memory by what it takes to free it, in bytes; the first five are reclaimable, in this order.

    ``clean_file_bytes`` is dropped at once. ``dirty_file_bytes`` (dirty or under writeback) has to be written
    first. ``anon_swap_bytes`` and ``shmem_swap_bytes`` go to swap. ``slab_bytes`` is dentries, inodes and
    the like. Not reclaimable: ``unevictable_bytes`` (mlock, ramfs), ``anon_stuck_bytes`` and
    ``shmem_stuck_bytes`` (no swap, or no room in it), ``kernel_bytes``, ``sock_bytes``. Not now:
    ``low_bytes`` (protected by memory.low, taken as a last resort), ``min_bytes`` (by memory.min, never).
    """

    clean_file_bytes: int = 0
    dirty_file_bytes: int = 0
    anon_swap_bytes: int = 0
    shmem_swap_bytes: int = 0
    slab_bytes: int = 0
    unevictable_bytes: int = 0
    anon_stuck_bytes: int = 0
    shmem_stuck_bytes: int = 0
    kernel_bytes: int = 0
    sock_bytes: int = 0
    low_bytes: int = 0
    min_bytes: int = 0

    @property
    def reclaimable_bytes(self) -> int:
        """What could be freed without killing and without the last resort."""
        return sum(self[:5])

    @property
    def swap_bytes(self) -> int:
        """The part of it that needs swap."""
        return self.anon_swap_bytes + self.shmem_swap_bytes

    def plus(self, other: "Ladder") -> "Ladder":
        """Both together, step by step."""
        return Ladder(*(one + two for one, two in zip(self, other, strict=True)))

    def with_swap_room(self, room_bytes: int | None) -> "Ladder":
        """The same with at most ``room_bytes`` going to swap (``None``: no bound), anonymous memory first."""
        if room_bytes is None or self.swap_bytes <= room_bytes:
            return self
        anon = min(self.anon_swap_bytes, room_bytes)
        shmem = room_bytes - anon
        return self._replace(
            anon_swap_bytes=anon,
            shmem_swap_bytes=shmem,
            anon_stuck_bytes=self.anon_stuck_bytes + self.anon_swap_bytes - anon,
            shmem_stuck_bytes=self.shmem_stuck_bytes + self.shmem_swap_bytes - shmem,
        )

    def protected(self, *, above_min_bytes: int, above_low_bytes: int) -> "Ladder":
        """The same with usage reclaimable only down to the protections, steps being taken in order.

        ``above_min_bytes`` is usage beyond memory.min, ``above_low_bytes`` beyond the greater of both.
        """
        everything = self.reclaimable_bytes
        with_last_resort = min(everything, max(above_min_bytes, 0))
        left = without = min(everything, max(above_low_bytes, 0))
        steps = []
        for step in self[:5]:
            steps.append(min(step, left))
            left -= steps[-1]
        return Ladder._make([*steps, *self[5:]])._replace(
            low_bytes=self.low_bytes + with_last_resort - without,
            min_bytes=self.min_bytes + everything - with_last_resort,
        )


def ladder(stat: Mapping[str, int], *, swaps: bool) -> Ladder:
    """The ladder of some statistics by the names of ``memory.stat``, before protection and swap room.

    ``swaps`` tells whether this reclaim may touch anonymous memory at all. Figures read at different
    instants may contradict each other; no step goes below 0.
    """
    on_file = stat.get("inactive_file", 0) + stat.get("active_file", 0)
    on_anon = stat.get("inactive_anon", 0) + stat.get("active_anon", 0)
    dirty = min(stat.get("file_dirty", 0) + stat.get("file_writeback", 0), on_file)
    shmem = min(stat.get("shmem", 0), on_anon)
    slab = stat.get("slab_reclaimable", 0)
    return Ladder(
        clean_file_bytes=on_file - dirty,
        dirty_file_bytes=dirty,
        anon_swap_bytes=on_anon - shmem,
        shmem_swap_bytes=shmem,
        slab_bytes=slab,
        unevictable_bytes=stat.get("unevictable", 0),
        kernel_bytes=max(kernel_bytes(stat)[0] - slab, 0),
        sock_bytes=stat.get("sock", 0),
    ).with_swap_room(None if swaps else 0)


def machine_stat(meminfo: Meminfo) -> dict[str, int]:
    """``/proc/meminfo`` under the names of ``memory.stat``, for the machine as a whole."""
    slab = meminfo.get("KReclaimable", meminfo.get("SReclaimable", 0))
    kernel = ("SUnreclaim", "KernelStack", "PageTables", "SecPageTables", "Percpu")
    figures: Mapping[str, int] = {key: value for key, value in meminfo.items() if isinstance(value, int)}
    return {
        "anon": figures.get("AnonPages", 0),
        "file": figures.get("Cached", 0) + figures.get("Buffers", 0),
        "kernel": slab + sum(figures.get(key, 0) for key in kernel),
        "shmem": figures.get("Shmem", 0),
        "file_dirty": figures.get("Dirty", 0),
        "file_writeback": figures.get("Writeback", 0),
        "inactive_anon": figures.get("Inactive(anon)", 0),
        "active_anon": figures.get("Active(anon)", 0),
        "inactive_file": figures.get("Inactive(file)", 0),
        "active_file": figures.get("Active(file)", 0),
        "unevictable": figures.get("Unevictable", 0),
        "slab_reclaimable": slab,
    }
