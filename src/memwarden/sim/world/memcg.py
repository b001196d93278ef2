"""A memory cgroup: its knobs in pages, its counter, its pools, and who holds what in them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from memwarden.units import Max

if TYPE_CHECKING:
    from memwarden.sim.scenario import Group
    from memwarden.sim.world.holding import FilePages, Holding
    from memwarden.sim.world.pressure import Pressure
    from memwarden.sim.world.process import Proc
    from memwarden.units import Limit

NO_LIMIT: Final = (1 << 63) // 4096
"""``PAGE_COUNTER_MAX`` of 4 KiB pages."""
EVENTS: Final = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
PAGE: Final = 4096
NOT_COUNTED: Final = -1


def pages_of(limit: Limit) -> int:
    """A limit as the page counter holds it: rounded down to pages."""
    return NO_LIMIT if isinstance(limit, Max) else min(limit // PAGE, NO_LIMIT)


class Memcg:
    """One cgroup. Figures in pages; ``usage`` counts everything below, the pools are its own only."""

    __slots__ = (
        "active_file",
        "anon",
        "chain",
        "children",
        "cost_anon",
        "cost_file",
        "counted",
        "counts",
        "depth",
        "dirty",
        "events",
        "files",
        "flushed_us",
        "freed_us",
        "frozen",
        "high",
        "holdings",
        "inactive_file",
        "inode",
        "kernel",
        "leaving",
        "local",
        "locked",
        "low",
        "max",
        "min",
        "oom_group",
        "order",
        "parent",
        "path",
        "peak",
        "pressure",
        "pressures",
        "procs",
        "shmem",
        "slab",
        "sock",
        "stale",
        "subtree",
        "swap",
        "swap_events",
        "swap_high",
        "swap_max",
        "swap_own",
        "turn",
        "usage",
        "walked",
        "writeback",
        "zswap_max",
        "zswap_pool",
        "zswapped",
    )  # fmt: skip

    def __init__(self, knobs: Group, parent: Memcg | None, inode: int, pressure: Pressure) -> None:
        self.path = knobs.path
        self.parent = parent
        self.inode = inode
        self.children: list[Memcg] = []
        self.chain: tuple[Memcg, ...] = (self, *parent.chain) if parent else (self,)
        """Itself and what is above, the root last."""
        self.subtree: tuple[Memcg, ...] = ()
        """Itself and what is below, pre-order."""
        self.depth = len(self.chain) - 1
        self.min = pages_of(knobs.min_bytes)
        self.low = pages_of(knobs.low_bytes)
        self.high = pages_of(knobs.high_bytes)
        self.max = pages_of(knobs.max_bytes)
        self.swap_high = pages_of(knobs.swap_high_bytes)
        self.swap_max = pages_of(knobs.swap_max_bytes)
        self.zswap_max = pages_of(knobs.zswap_max_bytes)
        self.oom_group = knobs.oom_group
        self.frozen = False
        self.usage = self.peak = self.swap = 0
        self.anon = self.shmem = self.locked = 0
        self.inactive_file = self.active_file = self.dirty = self.writeback = 0
        self.slab = self.kernel = self.sock = 0
        self.swap_own = self.zswapped = self.zswap_pool = 0
        self.leaving = 0
        """In the swap cache only: charged until it was written and reclaim came by again."""
        self.holdings: list[Holding] = []
        self.order: deque[tuple[int, bool]] = deque()
        """Its anonymous pages, the oldest first, as reclaim for its own limit finds them (``rounds``)."""
        self.files: dict[str, FilePages] = {}
        self.procs: list[Proc] = []
        self.events = dict.fromkeys(EVENTS, 0)
        self.local = dict.fromkeys(EVENTS, 0)
        self.swap_events = {"high": 0, "max": 0, "fail": 0}
        self.counts = dict.fromkeys(
            ("pgscan", "pgsteal", "pgfault", "pgmajfault", "refault_anon", "refault_file", "pswpin",
             "pswpout", "zswpin", "zswpout"), 0
        )  # fmt: skip
        self.counted = (NOT_COUNTED, 0, 0)
        """When its page cache was last counted, in periods; how much that was, and how much was unclean."""
        self.flushed_us = -1
        """When pages of its files were last given to the disk."""
        self.freed_us = -1
        """When a reclaim last freed pages for it, or for one below."""
        self.pressure = pressure
        self.pressures: tuple[Pressure, ...] = (pressure, *parent.pressures) if parent else (pressure,)
        """Its own, and those of all above."""
        self.stale = (0, 0)
        """Effective min and low as a reclaim from above last saw them: old kernels compare the target's."""
        self.walked: Memcg | None = None
        """The cgroup below it at which its last reclaim had enough (``mem_cgroup_reclaim_iter``)."""
        self.turn = (0.0, 0.0)
        """When anonymous pages were last reclaimed here, and how many in about a second before."""
        self.cost_anon = self.cost_file = 0.0
        """``lruvec->anon_cost`` and ``file_cost``: what was paid for reclaiming the wrong pages."""

    @property
    def file(self) -> int:
        """``file`` of memory.stat: page cache of its own, shmem among it."""
        return self.inactive_file + self.active_file + self.dirty + self.writeback + self.shmem

    @property
    def own(self) -> int:
        """What is charged here directly."""
        return self.anon + self.file + self.slab + self.kernel + self.sock + self.zswap_pool + self.leaving

    def count(self, event: str, times: int = 1) -> None:
        """``memcg_memory_event``: here, and in ``memory.events`` of all above but the root."""
        self.local[event] += times
        for above in self.chain:
            if above.parent is not None:
                above.events[event] += times

    def live_frozen(self) -> bool:
        """Whether this cgroup or one above is frozen."""
        return any(above.frozen for above in self.chain)
