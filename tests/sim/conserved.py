"""What holds at every instant of a simulated machine."""

from memwarden.sim.run import Run
from memwarden.sim.view import POOLS


def check(world):
    """Every page is somewhere, once."""
    assert world.free == world.ram - world.kernel - world.zram - sum(m.own for m in world.groups.values())
    for memcg in world.groups.values():
        assert memcg.usage == sum(below.own for below in memcg.subtree), memcg.path
        assert memcg.swap == sum(below.swap_own for below in memcg.subtree), memcg.path
        held = [one for one in memcg.holdings if one.kind != "shmem"]
        assert memcg.anon == sum(one.resident for one in held), memcg.path
        assert memcg.locked == sum(one.resident for one in held if one.kind == "locked"), memcg.path
        assert memcg.shmem == sum(one.resident for one in memcg.holdings if one.kind == "shmem"), memcg.path
        assert memcg.swap_own == sum(one.swapped + one.backed for one in memcg.holdings), memcg.path
        assert memcg.zswapped == sum(one.zswapped for one in memcg.holdings), memcg.path
        assert memcg.leaving == sum(one.leaving for one in memcg.holdings), memcg.path
        for one in memcg.holdings:
            assert one.leaving == sum(pages for _, pages in one.writes) <= one.swapped - one.zswapped
        files = memcg.files.values()
        assert memcg.inactive_file == sum(part.inactive for part in files), memcg.path
        assert memcg.active_file == sum(part.active for part in files), memcg.path
        assert memcg.dirty == sum(part.dirty for part in files), memcg.path
        assert memcg.writeback == sum(part.writeback for part in files), memcg.path
        pools = [getattr(memcg, name) for name in POOLS]
        assert min(pools) >= 0, (memcg.path, pools)
        assert memcg.usage <= memcg.max or memcg.max < memcg.peak, memcg.path
        for part in files:
            assert world.files[part.name].cached <= world.files[part.name].size
    assert 0 <= world.swap_used == world.root.swap <= world.swap_total
    assert world.free >= 0
    assert world.unclean == sum(m.dirty + m.writeback for m in world.groups.values())
    assert world.dirtied == {one for m in world.groups.values() for one in m.files.values() if one.dirty}
    assert world.frozen == sum(m.frozen for m in world.groups.values())
    assert world.code <= world.executable


def run(scenario, guard=None, *, each=check, limit=60_000):
    """Run to the end with a check after everything that happens; the run and its result."""
    simulation = Run(scenario, guard)
    world, steps = simulation.world, 0
    while world.advance(scenario.duration_us):
        each(world)
        steps += 1
        assert steps < limit, f"{world.now} us after {limit} steps"
    return simulation, simulation.run(None)
