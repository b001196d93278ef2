"""tmpfs, memory of the kernel's, and forks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.errors import InputError
from memwarden.sim.memory.charge import take
from memwarden.sim.parts.anon import FAST_US, Growth, pages_per_s
from memwarden.sim.result import Kind
from memwarden.sim.scenario import Grow
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import PAGE
from memwarden.sim.world.process import Proc, Task
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import Forks, KernelMemory, Tmpfs

POOLS = {"sock": "sock", "dentries": "slab", "other": "kernel"}


class Taking(Task):
    """Takes pages at a pace up to a limit; where they go, a subclass says."""

    __slots__ = ("left", "pace")

    def __init__(self, proc: Proc, rate_bps: float | None, limit_bytes: int) -> None:
        super().__init__(proc)
        self.pace = pages_per_s(rate_bps)
        self.left = limit_bytes // PAGE

    def put(self, pages: int) -> None:
        """Where pages that were charged belong."""

    def work(self) -> float | None:
        """Take more."""
        if self.left <= 0:
            return None
        world = self.world
        fast = FAST_US / world.machine.fault_us
        want = fast if self.pace is None else self.pace * world.chunk_us / SECOND_US
        got = take(self, self.proc.memcg, max(min(int(want), self.left), 1))
        self.put(got)
        self.left -= got
        self.cpu += got * world.machine.fault_us
        self.proc.tally.moved += got
        if self.pace is None:
            return 0.0
        return max(got * SECOND_US / self.pace - self.cpu - self.reclaim - self.wait, 0.0)


class Filling(Taking):
    """``Tmpfs``: on the anonymous list, counted as file, and there until somebody deletes it."""

    __slots__ = ("held",)

    def __init__(self, proc: Proc, part: Tmpfs) -> None:
        super().__init__(proc, part.rate_bps, part.limit_bytes)
        self.held = Holding(proc.memcg, "shmem")

    def put(self, pages: int) -> None:
        """Shmem."""
        self.held.resident += pages
        self.proc.memcg.shmem += pages


class Kernel(Taking):
    """``KernelMemory``."""

    __slots__ = ("pool",)

    def __init__(self, proc: Proc, part: KernelMemory) -> None:
        super().__init__(proc, part.rate_bps, part.limit_bytes)
        if part.kind not in POOLS:
            raise InputError(f"kernel memory is one of {', '.join(POOLS)}, not {part.kind}")
        self.pool = POOLS[part.kind]

    def put(self, pages: int) -> None:
        """Sockets, dentries or other slab."""
        memcg = self.proc.memcg
        setattr(memcg, self.pool, getattr(memcg, self.pool) + pages)
        setattr(self.proc, self.pool, getattr(self.proc, self.pool) + pages)


class Forking(Task):
    """``Forks``: children that take what they take and stay."""

    __slots__ = ("each_bytes", "gap_us", "left")

    def __init__(self, proc: Proc, part: Forks) -> None:
        super().__init__(proc)
        self.left = part.children
        self.gap_us = SECOND_US / part.per_s
        self.each_bytes = part.each_bytes

    def work(self) -> float | None:
        """One child more."""
        if self.left <= 0:
            return None
        self.left -= 1
        parent = self.proc
        child = Proc(self.world, parent.program, parent.tally, parent.pid)
        Growth(child, Grow(None, self.each_bytes)).start()
        self.world.say(Kind.STARTED, parent.memcg.path, proc=child, detail="forked", stretch=True)
        return self.gap_us
