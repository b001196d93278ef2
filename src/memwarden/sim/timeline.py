"""The time line of a result: samples, not closer together than memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.result import GroupSample, Sample, Usage
from memwarden.sim.world.memcg import NO_LIMIT, PAGE
from memwarden.units import MAX

if TYPE_CHECKING:
    from memwarden.sim.scenario import Scenario
    from memwarden.sim.world.memcg import Memcg
    from memwarden.sim.world.world import World

SAMPLES: Final = 3000
"""Points of a time line at the most."""
CELLS: Final = 100_000
"""Points times cgroups at the most."""


def spacing_us(scenario: Scenario, groups: int) -> int:
    """How far apart samples are: as asked for, or as far as keeps the time line small."""
    points = min(SAMPLES, max(CELLS // groups, 100))
    return max(scenario.sample_us, scenario.duration_us // points, 1)


def sample(world: World) -> Sample:
    """The machine now."""
    psi = world.root.pressure.read(world.now)
    assert psi.some is not None
    assert psi.full is not None
    return Sample(
        time_us=world.now,
        free_bytes=world.free * PAGE,
        available_bytes=world.available * PAGE,
        swap_free_bytes=world.swap_free * PAGE,
        some_us=psi.some.total_us,
        full_us=psi.full.total_us,
        some_avg10=psi.some.avg10_pct,
        full_avg10=psi.full.avg10_pct,
        groups=_groups(world),
    )


def _groups(world: World) -> dict[str, GroupSample]:
    """Every cgroup, with what is below it: those below come first, and are summed up."""
    usages: dict[str, Usage] = {}
    for path, memcg in reversed(world.groups.items()):
        mine = _own(memcg)
        if memcg.children:
            below = [usages[child.path] for child in memcg.children]
            mine = Usage(*map(sum, zip(mine, *below, strict=True)))
        usages[path] = mine
    return {path: _group(world, memcg, usages[path]) for path, memcg in world.groups.items()}


def _own(memcg: Memcg) -> Usage:
    """What a cgroup holds itself."""
    unclean = memcg.dirty + memcg.writeback
    return Usage(
        (memcg.anon + memcg.leaving) * PAGE,
        (memcg.inactive_file + memcg.active_file + unclean + memcg.shmem) * PAGE,
        unclean * PAGE,
        memcg.shmem * PAGE,
        memcg.locked * PAGE,
        (memcg.kernel + memcg.slab + memcg.zswap_pool) * PAGE,
        memcg.sock * PAGE,
        memcg.swap_own * PAGE,
    )


def _group(world: World, memcg: Memcg, usage: Usage) -> GroupSample:
    pressure = memcg.pressure
    if pressure.some_us or pressure.stalled or pressure.watched:  # else nothing was ever to be counted
        pressure.advance(world.now)
    return GroupSample(
        usage,
        memcg.min * PAGE if memcg.min != NO_LIMIT else MAX,
        memcg.low * PAGE if memcg.low != NO_LIMIT else MAX,
        memcg.high * PAGE if memcg.high != NO_LIMIT else MAX,
        memcg.max * PAGE if memcg.max != NO_LIMIT else MAX,
        int(pressure.some_us),
        int(pressure.full_us),
    )
