"""Processes and their tasks: a part of a program is a thread that goes on by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from memwarden.sim.result import Kind
from memwarden.sim.world.chance import Chance
from memwarden.sim.world.pressure import Occupied
from memwarden.sim.world.swapping import free_slots, unswap

if TYPE_CHECKING:
    from memwarden.sim.scenario import Program
    from memwarden.sim.world.holding import Holding
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.tally import Tally
    from memwarden.sim.world.world import World


UNMAPPED: Final = 8192
"""Pages that an exit gives back at a time; the kernel does so 512 at a time (``tlb_batch_pages_flush``)."""


GATHERED: Final = 9698
"""Pages that are unmapped before the first are given back: 19 batches of 510, and 8 (``mm/mmu_gather.c``,
``MAX_GATHER_BATCH_COUNT``)."""


MADE_UP_US: Final = 20_000
"""What is made up for of a pace: that much of the time by which a step came late, as in the lab's programs
(``lab/fidelity/guest/load.c``, ``MADE_UP_NS``)."""


FAULTED_US: Final = 5_000
"""What a task does between two faults on its code at the most: a request, or the pages of one step."""


class Died(Exception):  # noqa: N818 - no error: the task is no more
    """The process of the task that charges was killed."""


class Retry(Exception):  # noqa: N818 - not an error: the task waits
    """The charge has to wait ``wait_us``, a memory stall: asleep, or busy with reclaim (``spins``)."""

    def __init__(self, wait_us: float, *, spins: bool = False) -> None:
        super().__init__()
        self.wait_us = wait_us
        self.spins = spins


class Spans:
    """Time that a process spent in one way, in any of its tasks: the union, and nothing beyond the end."""

    __slots__ = ("_end", "_name", "_tally", "_until")

    def __init__(self, tally: Tally, name: str, end_us: int) -> None:
        self._tally = tally
        self._name = name
        self._end = end_us
        self._until = 0.0

    def add(self, start_us: float, end_us: float) -> None:
        """A span; none starts before the one that was added before it."""
        end_us = min(end_us, self._end)
        self._count(max(end_us - max(start_us, self._until), 0.0))
        self._until = max(self._until, end_us)

    def cut(self, now: float) -> None:
        """The process is dead: what would have been after now is not."""
        self._count(min(now - self._until, 0.0))
        self._until = min(self._until, now)

    def _count(self, time_us: float) -> None:
        setattr(self._tally, self._name, getattr(self._tally, self._name) + time_us)


class Proc:
    """A process; ``dying`` from SIGKILL until its memory was given back."""

    __slots__ = (
        "chance", "dying", "ended", "hidden", "holdings", "kernel", "memcg", "parent_pid", "pid", "program",
        "reaped", "renewed", "returned", "sock", "stalled", "start_us", "stopping", "tally", "tasks",
        "throttled", "unmapping", "world",
    )  # fmt: skip

    def __init__(self, world: World, program: Program, tally: Tally, parent_pid: int = 1) -> None:
        self.world = world
        self.program = program
        self.tally = tally
        self.memcg: Memcg = world.groups[program.cgroup]
        self.pid = world.pid()
        self.chance = Chance(world.scenario.seed, self.pid)
        self.parent_pid = parent_pid
        self.start_us = world.now
        self.holdings: list[Holding] = []
        end_us = world.scenario.duration_us
        self.stalled = Spans(tally, "stalled_us", end_us)
        self.throttled = Spans(tally, "throttled_us", end_us)
        self.kernel = self.sock = 0
        self.tasks: list[Task] = []
        self.dying = False
        self.unmapping = False
        self.reaped = False
        """All that can be taken from it was, and another may be killed (``MMF_OOM_SKIP``)."""
        self.hidden = (0.0, 0.0)
        """From when on it exits, as others see it, and until when all that it holds is still charged."""
        self.returned = 0
        """Pages that its exit has given back so far."""
        self.renewed = False
        """Its unit is being restarted: it begins anew as soon as it is gone, whatever its supervisor does."""
        self.stopping = False
        """Its supervisor wants it gone: it is not started again."""
        self.ended = False
        """It ends by itself, or since its supervisor wants it: no death."""
        self.memcg.procs.append(self)
        world.procs[self.pid] = self

    @property
    def resident(self) -> int:
        """RSS in pages."""
        return sum([held.resident for held in self.holdings])

    @property
    def swapped(self) -> int:
        """Pages in swap (``swapents``)."""
        return sum([held.swapped for held in self.holdings])

    @property
    def pgtables(self) -> int:
        """Pages of page tables: one per 512 pages mapped, and the levels above."""
        return (self.resident + self.swapped) // 512 + 4

    def kill(self, *, took_us: float = 0.0, reap_us: int | None = None) -> None:
        """SIGKILL: its tasks end where they are, and its memory comes back when it was unmapped.

        ``reap_us``: in so long somebody else takes its memory, if its exit hangs.
        """
        if self.dying:
            return
        self.dying = True
        self.tally.deaths += not self.ended
        self.stalled.cut(self.world.now)
        self.throttled.cut(self.world.now)
        for task in self.tasks:
            task.stop()
        parts = (self.resident + self.swapped) // UNMAPPED + 1
        begins_us = self.world.now + int(took_us + self.world.machine.exit_us) + self.program.exit_held_us
        self.world.at(begins_us, self._unmap, parts + 1)
        if reap_us is not None and self.program.exit_held_us:
            self.world.at(self.world.now + reap_us, self._reap)

    def _reap(self, _token: int) -> None:
        """``mm/oom_kill.c:__oom_reap_task_mm``: anonymous memory goes, what the kernel holds for it stays.

        Locked memory goes where the kernel does so (``reaps_locked``); else it was passed over
        (``can_madv_lru_vma``).
        """
        if self.unmapping or self.reaped:
            return
        self.reaped = True
        before = self.memcg.usage
        for held in self.holdings:
            if held.kind != "locked" or self.world.machine.traits.reaps_locked is not False:
                release(self.world, held, held.resident, held.swapped)
        self.returned += before - self.memcg.usage
        self.world.say(Kind.REAPED, self.memcg.path, proc=self, amount=before - self.memcg.usage)

    def _unmap(self, left: int) -> None:
        """``unmap_vmas``: pages come back by and by, and who waits for them goes on with the first.

        Those of the last part are back by now, and so many parts are left.
        """
        world, before = self.world, self.memcg.usage
        if self.unmapping:
            for held in self.holdings:
                release(world, held, held.resident // left, held.swapped // left)
            self.returned += before - self.memcg.usage
        else:
            self.hidden = self._hidden()
        self.unmapping = True
        if left == 1:
            self._gone()
            return
        pages = (self.resident + self.swapped) / (left - 1)
        world.at(world.now + int(pages * world.machine.free_us * world.slow), self._unmap, left - 1)

    def _hidden(self) -> tuple[float, float]:
        """From when on others see that it exits, and until when nothing has come back.

        Where no processor is free nobody else runs before the next tick. Pages are taken from the page tables
        first, up to ``GATHERED`` of them, and then given back: half of the time each.
        """
        world = self.world
        unmap_us = min(self.resident, GATHERED) * world.machine.free_us / 2
        # A sum of shares is hardly ever a whole number.
        turn_us = min(world.jiffy_us, unmap_us) if world.running + 0.5 > world.cores else 0.0
        seen_us = world.now + turn_us
        return seen_us, seen_us + (unmap_us - turn_us) * world.slow

    def _gone(self) -> None:
        """``exit_mmap``: give everything back but what outlives a process: page cache, tmpfs and dentries."""
        world, memcg, before = self.world, self.memcg, self.memcg.usage
        for held in self.holdings:
            release(world, held, held.resident, held.swapped)
            memcg.holdings.remove(held)
        world.uncharge(memcg, self.kernel + self.sock)
        memcg.kernel -= self.kernel
        memcg.sock -= self.sock
        memcg.procs.remove(self)
        del world.procs[self.pid]
        world.say(Kind.GONE, memcg.path, proc=self, amount=self.returned + before - memcg.usage)
        rest_us = 0 if self.renewed else self.program.restart_us
        if rest_us is not None and not self.stopping and self.parent_pid == 1:
            world.at(world.now + rest_us, self._restart)

    def _restart(self, _token: int) -> None:
        self.world.start(self.program, self.tally, True)


def release(world: World, held: Holding, resident: int, swapped: int) -> None:
    """Give anonymous pages of a holding back, from memory and from swap."""
    memcg = held.memcg
    held.drop(resident, seen=resident * held.seen // max(held.resident, 1))
    if held.backed > held.resident:
        free_slots(world, held, held.backed - held.resident)
    memcg.anon -= resident
    memcg.locked -= resident if held.kind == "locked" else 0
    world.uncharge(memcg, resident)
    if swapped:
        unswap(world, held, swapped)


class Task(ABC):
    """One part of a program at work. A subclass says in :meth:`work` what it does next."""

    __slots__ = (
        "chance", "counted_us", "cpu", "faulted", "inside", "io", "looks", "occupied", "over_high",
        "paced_us", "parked", "proc", "reclaim", "share", "stalled", "stalled_for", "token", "tries", "vain",
        "wait", "world",
    )  # fmt: skip

    def __init__(self, proc: Proc) -> None:
        self.proc = proc
        self.world = proc.world
        self.token = 0
        self.cpu = self.reclaim = self.wait = self.io = 0.0
        self.over_high = 0
        self.vain = 0
        """Passes of direct reclaim, one after the other, that freed nothing (``no_progress_loops``)."""
        self.tries = 0
        """Passes for the same charge at memory.max that freed nothing (of ``nr_retries`` those used up)."""
        self.looks = 0
        """Priorities of the pass it is in at which all that could go was still to be written."""
        self.share = 0.0
        self.stalled = self.parked = False
        self.occupied = Occupied(self.world.now, self.proc.memcg.pressure.period)
        self.counted_us = 0.0
        """What pressure counts of that while it stalls."""
        self.inside = False
        """In the kernel, where a charge is tried again: none of its own code is needed for that."""
        self.faulted = False
        """Its code had to be read first."""
        self.stalled_for = 0.0
        self.paced_us: float | None = None
        """When it is to begin the next chunk, if it keeps a pace."""
        self.chance = proc.chance
        proc.tasks.append(self)

    @abstractmethod
    def work(self) -> float | None:
        """Do the next chunk; how long to sleep after it, ``None`` when all is done."""

    @property
    def chunk_us(self) -> int:
        """How much it does at a time: little where its code may be gone again soon."""
        return min(self.world.chunk_us, FAULTED_US) if self.faulted else self.world.chunk_us

    @property
    def took_us(self) -> float:
        """How long this chunk takes: longer where processors are shared."""
        return (self.cpu + self.reclaim) * self.world.slow + self.wait + self.io

    def rest_us(self, period_us: float) -> float:
        """How long to sleep after this chunk, for which there is a period: until the next one is due.

        A pace is kept by the clock: what came late is made up for, up to ``MADE_UP_US``.
        """
        world = self.world
        ends_us = world.now + ((self.cpu + self.reclaim) * world.slow + self.wait + self.io)  # took_us
        due_us = (world.now if self.paced_us is None else self.paced_us) + period_us
        latest_us = ends_us - MADE_UP_US
        self.paced_us = due_us = due_us if due_us > latest_us else latest_us
        return due_us - ends_us if due_us > ends_us else 0.0

    def start(self) -> None:
        """Go on at once."""
        self.world.at(self.world.now, self.fire, self.token)

    def stop(self) -> None:
        """Nothing more."""
        self.token += 1
        self._settle(0.0, stalled=False)

    def fire(self, token: int) -> None:
        """The chunk before is through: do the next, and come back when that one is."""
        if token != self.token:
            return
        self._settle(0.0, stalled=False)
        world = self.world
        if world.frozen and self.proc.memcg.live_frozen():
            self.parked = True
            return
        self.cpu = self.reclaim = self.wait = self.io = 0.0
        try:
            if not self.inside:
                if world.code < world.executable:
                    world.execute(self)
                self.inside = True
            idle = self.work()
            self.inside = self.faulted = False
        except Died:
            return
        except Retry as retry:
            if retry.spins:
                self.reclaim += retry.wait_us
            else:
                self.wait += retry.wait_us
            idle = 0.0
        if idle is not None:
            self._pay(idle)

    def _pay(self, idle: float) -> None:
        """Let the time pass that the chunk took: first what stalled, then what ran."""
        world = self.world
        slow = world.slow
        stall = self.reclaim * slow + self.wait
        ran = self.cpu * slow
        rest = ran + self.io + idle
        whole = world.now + (int(stall + rest) or 1)
        if stall:
            self.proc.stalled.add(world.now, world.now + stall)
            self._impatient(stall)
            self._settle(min(self.reclaim * slow / stall, 1.0), stalled=True)
            if rest >= 1.0:
                share = min(ran / rest, 1.0)
                world.at(world.now + int(stall), lambda token: self._runs(token, share), self.token)
        elif rest:
            self.stalled_for = 0.0
            self._settle(ran / rest if ran < rest else 1.0, stalled=False)
        world.at(whole, self.fire, self.token)

    def _runs(self, token: int, share: float) -> None:
        if token == self.token:
            self._settle(share, stalled=False)

    def _settle(self, share: float, *, stalled: bool) -> None:
        """Tell the pressure of every cgroup above what this task does from now on."""
        change = share - self.share
        if not change and stalled == self.stalled:
            return
        world = self.world
        world.running += change
        if not (stalled or self.stalled):  # mostly: nothing of what follows is needed then
            self.occupied.goes_on(world.now, share)
            for pressure in self.proc.memcg.pressures:
                if pressure.stalled or pressure.watched:
                    pressure.advance(world.now)
                pressure.running += change
            self.share = share
            return
        mine, was = (0.0 if stalled else share), (0.0 if self.stalled else self.share)
        more = stalled - self.stalled
        self.occupied.goes_on(world.now, 1.0 if stalled else share)
        own_us = self.occupied.last_us if more > 0 else self.counted_us if not more else 0.0
        for pressure in self.proc.memcg.pressures:
            if pressure.stalled or more or pressure.watched:
                pressure.advance(world.now)
            pressure.running += mine - was
            pressure.stalled += more
            pressure.own_us += own_us - self.counted_us
        self.counted_us = own_us
        self.share, self.stalled = share, stalled

    def _impatient(self, stall: float) -> None:
        """A supervisor that sees an allocation take too long kills the process."""
        patience = self.proc.program.patience_us
        before, self.stalled_for = self.stalled_for, self.stalled_for + stall
        if patience is not None and before < patience <= self.stalled_for:
            self.world.at(self.world.now + int(patience - before), self._given_up, self.token)

    def _given_up(self, token: int) -> None:
        if token == self.token:
            self.world.say(Kind.KILL, self.proc.memcg.path, proc=self.proc, detail="it stalled for too long")
            self.proc.kill()
