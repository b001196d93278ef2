"""Knobs that are written while the machine runs.

``mm/memcontrol.c:memory_max_write``, ``memory_high_write`` (v6.12): the writer reclaims what is above the new
limit; above memory.max it then calls the OOM killer until usage fits or nobody is left. min, low, swap.high
and swap.max only take effect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from memwarden.sim.memory import oom
from memwarden.sim.memory.rounds import CLUSTER
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.memory.writeback import look_again
from memwarden.sim.result import Kind
from memwarden.sim.world.memcg import Memcg, pages_of
from memwarden.sim.world.process import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from memwarden.sim.scenario import Change
    from memwarden.sim.world.world import World

FIELDS: Final = {
    "memory.min": "min",
    "memory.low": "low",
    "memory.high": "high",
    "memory.max": "max",
    "memory.swap.high": "swap_high",
    "memory.swap.max": "swap_max",
    "memory.zswap.max": "zswap_max",
    "memory.oom.group": "oom_group",
    "cgroup.freeze": "frozen",
}
ROUNDS: Final = 16
"""``MAX_RECLAIM_RETRIES`` of a writer."""


class Writer(ABC):
    """Who writes a knob, or memory.reclaim: pays for the reclaim with its own time.

    It reclaims until nothing is missing, or 17 rounds were in vain, and then goes on. Where pages wait for
    the disk a round waits for them, as long as one of a charge does.
    """

    def __init__(self, world: World, memcg: Memcg, then: Callable[[Writer], None]) -> None:
        self.world = world
        self.memcg = memcg
        self.reclaim = self.wait = 0.0
        self.looks = 0
        self.freed = 0
        """Pages that it got so far."""
        self.passed_us = 0
        """How long it was at it so far."""
        self._tries = 0
        self._then = then

    @property
    def took_us(self) -> float:
        """How long it was at it, of what has not passed yet."""
        return self.reclaim + self.wait

    @abstractmethod
    def missing(self) -> int:
        """Pages that it still wants."""

    @abstractmethod
    def once(self, missing: int) -> int:
        """One reclaim; how many pages it freed."""

    def go_on(self, _token: int = 0) -> None:
        """From its start, or from where it had to wait."""
        while (missing := self.missing()) > 0 and self._tries <= ROUNDS:
            if freed := self.once(missing):
                self.freed += freed
                self.looks = 0
                continue
            try:
                self._tries += look_again(self, self.memcg)
            except Retry as retry:
                took_us = int(self.took_us + retry.wait_us)
                self.passed_us += took_us
                self.reclaim = self.wait = 0.0
                self.world.at(self.world.now + took_us, self.go_on)
                return
        self._then(self)


class Lowering(Writer):
    """Writes a limit: until usage is down to so many pages."""

    def __init__(self, world: World, memcg: Memcg, pages: int, then: Callable[[Writer], None]) -> None:
        super().__init__(world, memcg, then)
        self._pages = pages

    def missing(self) -> int:
        """What is above the limit."""
        return self.memcg.usage - self._pages

    def once(self, missing: int) -> int:
        """All that is above."""
        return shrink(self.world, self.memcg, missing, self)


class Reclaiming(Writer):
    """Writes memory.reclaim: until so much was freed (``mm/memcontrol.c:memory_reclaim``, v6.12).

    The kernel drains each processor's lists before its last attempt; there are none here.
    """

    def __init__(
        self,
        world: World,
        memcg: Memcg,
        asked: tuple[int, int | None],
        then: Callable[[Writer], None],
    ) -> None:
        super().__init__(world, memcg, then)
        self._want, self._swappiness = asked

    def missing(self) -> int:
        """What was not freed of what was asked for."""
        return self._want - self.freed

    def once(self, missing: int) -> int:
        """A quarter of what is missing, and what a reclaim takes at the least."""
        want = max(missing // 4, CLUSTER)
        return shrink(self.world, self.memcg, want, self, swappiness=self._swappiness)


def write(world: World, change: Change) -> None:
    """Write a knob."""
    memcg = world.groups[change.cgroup]
    field, value = FIELDS[change.knob], change.value
    world.say(Kind.CHANGED, memcg.path, detail=f"{change.knob}={change.value}")
    if field == "frozen":
        freeze(world, memcg, frozen=bool(value))
        return
    setattr(memcg, field, bool(value) if field == "oom_group" else pages_of(value))
    world.note_protection()
    if field == "high":
        Lowering(world, memcg, memcg.high, lambda _: None).go_on()
    elif field == "max":
        Lowering(world, memcg, memcg.max, lambda _: _oom_loop(world, memcg)).go_on()


def _oom_loop(world: World, memcg: Memcg, _token: int = 0) -> None:
    """Kill, and look again a jiffy later, while usage is above the new limit."""
    if memcg.usage <= memcg.max:
        return
    memcg.count("oom")
    if not any(oom.dying(memcg.subtree)) and not oom.kill(world, memcg):
        return
    world.at(world.now + world.jiffy_us, lambda token: _oom_loop(world, memcg, token))


def freeze(world: World, memcg: Memcg, *, frozen: bool) -> None:
    """``cgroup.freeze``: tasks stop when they next come to user space, and go on when nothing holds them."""
    if memcg.frozen == frozen:
        return
    memcg.frozen = frozen
    world.frozen += 1 if frozen else -1
    world.say(Kind.FROZEN if frozen else Kind.THAWED, memcg.path)
    if frozen:
        return
    for below in memcg.subtree:
        if below.live_frozen():
            continue
        for proc in below.procs:
            for task in proc.tasks:
                if task.parked and not proc.dying:
                    task.parked = False
                    task.start()
