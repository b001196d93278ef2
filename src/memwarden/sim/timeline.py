"""The time line of a result: samples, not closer together than memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.sim.result import GroupSample, Sample, Usage
from memwarden.sim.view import limit_bytes, totals
from memwarden.sim.world.memcg import PAGE

if TYPE_CHECKING:
    from memwarden.sim.scenario import Scenario
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
    sums = totals(world)
    return Sample(
        time_us=world.now,
        free_bytes=world.free * PAGE,
        available_bytes=world.available * PAGE,
        swap_free_bytes=world.swap_free * PAGE,
        some_us=psi.some.total_us,
        full_us=psi.full.total_us,
        some_avg10=psi.some.avg10_pct,
        full_avg10=psi.full.avg10_pct,
        groups={path: _group(world, path, sums[path]) for path in world.groups},
    )


def _group(world: World, path: str, pages: dict[str, int]) -> GroupSample:
    memcg = world.groups[path]
    memcg.pressure.advance(world.now)
    cache = pages["inactive_file"] + pages["active_file"] + pages["dirty"] + pages["writeback"]
    usage = Usage(
        anon=(pages["anon"] + pages["leaving"]) * PAGE,
        file=(cache + pages["shmem"]) * PAGE,
        dirty=(pages["dirty"] + pages["writeback"]) * PAGE,
        shmem=pages["shmem"] * PAGE,
        unevictable=pages["locked"] * PAGE,
        kernel=(pages["kernel"] + pages["slab"] + pages["zswap_pool"]) * PAGE,
        sock=pages["sock"] * PAGE,
        swap=pages["swap_own"] * PAGE,
    )
    return GroupSample(
        usage,
        limit_bytes(memcg.min),
        limit_bytes(memcg.low),
        limit_bytes(memcg.high),
        limit_bytes(memcg.max),
        int(memcg.pressure.some_us),
        int(memcg.pressure.full_us),
    )
