"""Knobs that are written while the machine runs.

``mm/memcontrol.c:memory_max_write``, ``memory_high_write`` (v6.12): the writer reclaims what is above the new
limit; above memory.max it then calls the OOM killer until usage fits or nobody is left. min, low, swap.high
and swap.max only take effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.memory import oom
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.result import Kind
from memwarden.sim.world.memcg import Memcg, pages_of

if TYPE_CHECKING:
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


class Writer:
    """Who writes a knob, or memory.reclaim: pays for the reclaim with its own time."""

    def __init__(self) -> None:
        self.reclaim = self.wait = 0.0

    @property
    def took_us(self) -> float:
        """How long it was at it."""
        return self.reclaim + self.wait


def write(world: World, change: Change) -> Writer:
    """Write a knob; what the writer paid."""
    memcg = world.groups[change.cgroup]
    field, value = FIELDS[change.knob], change.value
    writer = Writer()
    world.say(Kind.CHANGED, memcg.path, detail=f"{change.knob}={change.value}")
    if field == "frozen":
        freeze(world, memcg, frozen=bool(value))
        return writer
    setattr(memcg, field, bool(value) if field == "oom_group" else pages_of(value))
    world.note_protection()
    if field == "high":
        reclaim_to(world, memcg, memcg.high, writer)
    elif field == "max":
        reclaim_to(world, memcg, memcg.max, writer)
        _oom_loop(world, memcg)
    return writer


def reclaim_to(world: World, memcg: Memcg, pages: int, writer: Writer) -> int:
    """Reclaim until usage is down to so many pages, or 17 rounds were in vain; how many were freed."""
    tries, freed = ROUNDS, 0
    while memcg.usage > pages:
        got = shrink(world, memcg, memcg.usage - pages, writer)
        freed += got
        if not got:
            if not tries:
                break
            tries -= 1
    return freed


def _oom_loop(world: World, memcg: Memcg, _token: int = 0) -> None:
    """Kill, and look again a jiffy later, while usage is above the new limit."""
    if memcg.usage <= memcg.max:
        return
    memcg.count("oom")
    if not any(proc.dying for below in memcg.subtree for proc in below.procs) and not oom.kill(world, memcg):
        return
    world.at(world.now + world.jiffy_us, lambda token: _oom_loop(world, memcg, token))


def freeze(world: World, memcg: Memcg, *, frozen: bool) -> None:
    """``cgroup.freeze``: tasks stop when they next come to user space, and go on when nothing holds them."""
    if memcg.frozen == frozen:
        return
    memcg.frozen = frozen
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
