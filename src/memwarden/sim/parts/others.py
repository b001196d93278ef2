"""tmpfs, memory of the kernel's, and forks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.sim.memory.charge import take
from memwarden.sim.parts.anon import FAST_US, Growth, pages_per_s
from memwarden.sim.result import Kind
from memwarden.sim.scenario import Grow
from memwarden.sim.world.holding import Holding
from memwarden.sim.world.memcg import NO_LIMIT, PAGE
from memwarden.sim.world.process import Proc, Task
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from memwarden.sim.scenario import Forks, KernelMemory, Tmpfs

BUFFER: Final = 16
"""Pages that a writer copies from: 64 KiB."""
FORKED: Final = 28
"""Pages of a new process besides what it takes: its stack in the kernel, ``task_struct``, page tables, and
what it copies at once. A child of the arena's storm holds 3.12 MiB, of which 3 MiB are what it fills."""
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
        want = fast if self.pace is None else self.pace * self.chunk_us / SECOND_US
        got = take(self, self.proc.memcg, max(min(int(want), self.left), 1))
        self.put(got)
        self.left -= got
        self.cpu += got * world.machine.fault_us
        self.proc.tally.moved += got
        if self.pace is None:
            return 0.0
        return self.rest_us(got * SECOND_US / self.pace)


class Filling(Taking):
    """``Tmpfs``: on the anonymous list, counted as file, and there until somebody deletes it.

    What it writes comes out of a buffer of its own, so that whoever looks finds a process with some memory.
    """

    __slots__ = ("buffer", "full", "held")

    def __init__(self, proc: Proc, part: Tmpfs) -> None:
        room = NO_LIMIT * PAGE if part.size_bytes is None else part.size_bytes
        super().__init__(proc, part.rate_bps, min(part.limit_bytes, room))
        self.full = room < part.limit_bytes
        """Whether the file system ends first."""
        self.held = Holding(proc.memcg, "shmem")
        self.buffer = Holding(proc.memcg)
        proc.holdings.append(self.buffer)

    def work(self) -> float | None:
        """Take the buffer, fill, and end where a write fails."""
        if self.buffer.total < BUFFER:
            got = take(self, self.proc.memcg, BUFFER - self.buffer.total)
            self.buffer.resident += got
            self.proc.memcg.anon += got
            return 0.0
        idle = super().work()
        if idle is None and self.full:
            self.world.say(
                Kind.STOPPED, self.proc.memcg.path, proc=self.proc, detail="no space left on device"
            )
            self.proc.ended = True
            self.proc.kill()
        return idle

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
        """Sockets, dentries or other slab. Dentries are nobody's: they stay until they are reclaimed."""
        memcg = self.proc.memcg
        setattr(memcg, self.pool, getattr(memcg, self.pool) + pages)
        if self.pool != "slab":
            setattr(self.proc, self.pool, getattr(self.proc, self.pool) + pages)


class Forking(Task):
    """``Forks``: children that take what they take and stay; one that comes late is made up for.

    A child costs its parent pages of the kernel's, so that nobody forks where none are left.
    """

    __slots__ = ("due_us", "each_bytes", "gap_us", "left", "taken")

    def __init__(self, proc: Proc, part: Forks) -> None:
        super().__init__(proc)
        self.left = part.children
        self.gap_us = SECOND_US / part.per_s
        self.each_bytes = part.each_bytes
        self.due_us = float(self.world.now)
        self.taken = 0
        """Pages for the next child."""

    def work(self) -> float | None:
        """One child more."""
        if self.left <= 0:
            return None
        parent = self.proc
        got = take(self, parent.memcg, FORKED - self.taken)
        parent.memcg.kernel += got
        parent.kernel += got
        self.taken += got
        if self.taken < FORKED:
            return 0.0
        self.left -= 1
        self.taken = 0
        child = Proc(self.world, parent.program, parent.tally, parent.pid)
        parent.kernel -= FORKED
        child.kernel = FORKED
        Growth(child, Grow(None, self.each_bytes)).start()
        self.world.say(Kind.STARTED, parent.memcg.path, proc=child, detail="forked", stretch=True)
        self.due_us += self.gap_us
        return max(self.due_us - self.world.now - self.took_us, 0.0)
