"""What holds for every scenario: pages are conserved, protection protects, more limit is no worse."""

from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from memwarden.rules.protection import effective_protections
from memwarden.sim.memory import machine
from memwarden.sim.memory.protected import protections
from memwarden.sim.memory.shrink import shrink
from memwarden.sim.run import Run, simulate
from memwarden.sim.scenario import (
    Forks,
    Group,
    Grow,
    KernelMemory,
    Machine,
    Mlock,
    Program,
    ReadFile,
    Sawtooth,
    Scenario,
    Spike,
    SwapDevice,
    Tmpfs,
    WorkingSet,
    WriteFile,
    Zswap,
)
from memwarden.sim.view import snapshot
from memwarden.sim.world.memcg import PAGE
from memwarden.state.traits import KernelTraits
from memwarden.units import MAX, MIB
from tests.sim.conserved import check, run

PATHS = ("/a", "/a/x", "/a/y", "/b")


def make(record, *values, **named):
    """A record of these strategies; what is not named keeps its default."""
    drawn = st.tuples(st.tuples(*values), st.fixed_dictionaries(named))
    return drawn.map(lambda both: record(*both[0], **both[1]))


FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=16)

mib = st.integers(4, 120).map(lambda n: n * MIB)
rates = st.one_of(st.none(), st.integers(5, 200).map(lambda n: n * MIB))
limits = st.one_of(st.just(MAX), st.integers(16, 200).map(lambda n: n * MIB))
mins = st.one_of(st.just(0), mib, mib, st.just(MAX))
guards = st.one_of(st.just(0), mib, st.just(MAX))
parts = st.one_of(
    make(Grow, rates, mib),
    make(Sawtooth, mib, mib, st.just(4 * MIB)),
    make(Spike, mib, st.integers(1000, 1_000_000)),
    make(WorkingSet, mib, st.just(4 * MIB), st.just(0.8), st.just(16 * MIB)),
    make(ReadFile, st.sampled_from("fg"), mib, rates),
    make(WriteFile, st.sampled_from("gh"), mib, rates),
    make(Tmpfs, rates, mib),
    make(Mlock, st.integers(1, 40).map(lambda n: n * MIB)),
    make(KernelMemory, st.sampled_from(["sock", "dentries", "other"]), rates, mib),
    make(Forks, st.integers(1, 5), st.just(5.0), st.just(8 * MIB)),
)
groups = st.tuples(
    *(
        make(
            Group,
            st.just(path),
            guards,
            guards,
            limits,
            limits,
            st.just(MAX),
            limits,
            st.just(MAX),
            st.booleans(),
        )
        for path in PATHS
    )
)
machines = make(
    Machine,
    ram_bytes=st.integers(200, 500).map(lambda n: n * MIB),
    kernel_bytes=st.just(40 * MIB),
    swap=st.one_of(st.none(), st.just(SwapDevice(100 * MIB)), st.just(SwapDevice(100 * MIB, ram_ratio=3.0))),
    zswap=st.one_of(st.none(), st.just(Zswap())),
    thp=st.booleans(),
    traits=make(
        KernelTraits,
        mglru=st.booleans(),
        recursive_protection=st.booleans(),
        charge_batch_pages=st.sampled_from([32, 64]),
    ),
)
programs = st.lists(
    make(
        Program,
        name=st.just("p"),
        cgroup=st.sampled_from(PATHS),
        parts=st.lists(parts, min_size=1, max_size=3).map(tuple),
        oom_score_adj=st.sampled_from([0, 0, 500, -1000]),
        restart_us=st.one_of(st.none(), st.just(300_000)),
    ),
    min_size=1,
    max_size=4,
).map(lambda many: tuple(one._replace(name=f"p{at}") for at, one in enumerate(many)))
scenarios = make(
    Scenario,
    st.just("any"),
    machines,
    groups,
    programs,
    duration_us=st.just(2_000_000),
    seed=st.integers(0, 9),
)


@FEW
@given(scenarios)
def test_every_page_is_somewhere_once_at_every_event(scenario):
    run(scenario)


@FEW
@given(scenarios)
def test_the_same_seed_gives_the_same_result(scenario):
    assert simulate(scenario) == simulate(scenario)


@FEW
@given(scenarios)
def test_below_the_first_level_protection_is_never_above_usage_and_is_the_rules_own(scenario):
    scenario = scenario._replace(duration_us=500_000)

    def protected(world):
        check(world)
        for memcg, (least, low) in protections(world, world.root).items():
            if memcg.depth > 1 and not world.machine.traits.recursive_protection:
                assert least <= memcg.usage
                assert low <= memcg.usage

    simulation, _ = run(scenario, each=protected)
    world = simulation.world
    ours = {memcg.path: pages for memcg, pages in protections(world, world.root).items()}
    for path, (least, low) in effective_protections(snapshot(world)).items():
        usage = world.groups[path].usage
        if usage:
            assert min(ours[path][0], usage) * 4096 == min(least, usage * 4096), path
            assert min(ours[path][1], usage) * 4096 == min(low, usage * 4096), path


grown = st.one_of(make(Grow, rates, st.none()), make(ReadFile, st.just("f"), mib, rates), make(Mlock, mib))


def first_oom(limit_mib, parts, *, thp):
    """When a program first has an OOM under this memory.max, and the most it had in use until then (bytes).

    The machine has enough. More than all of both where there is no OOM.
    """
    scenario = Scenario(
        "limit",
        Machine(ram_bytes=2000 * MIB, thp=thp),
        (Group("/a", max_bytes=limit_mib * MIB),),
        (Program("p", "/a", tuple(parts)),),
        duration_us=5_000_000,
    )
    world = Run(scenario).world
    while world.advance(scenario.duration_us):
        if world.groups["/a"].events["oom"]:
            return world.now, world.groups["/a"].peak * PAGE
    return scenario.duration_us + 1, scenario.machine.ram_bytes


# Without huge pages: the rule is about memory, not about speed. Where one more huge page fits below the
# limit it is taken at once; where none fits small ones are taken, and they take longer. So the same program
# can fill the higher limit sooner, with the same memory or more.
@MANY
@given(st.lists(grown, min_size=1, max_size=2), st.integers(20, 100), st.integers(1, 100))
def test_a_higher_limit_never_brings_the_first_oom_earlier(parts, limit, more):
    assert first_oom(limit, parts, thp=False)[0] <= first_oom(limit + more, parts, thp=False)[0]


SOONER = [
    WorkingSet(9 * MIB, 4 * MIB, 0.8, 16 * MIB),
    Sawtooth(112.0 * MIB, 66 * MIB, 4 * MIB),
    Grow(53.0 * MIB),
]
"""With huge pages 20 MiB of these are full at 60.7 ms, and 21 MiB at 53.9 ms."""


@MANY
@given(st.lists(grown, min_size=1, max_size=2), st.integers(20, 100), st.integers(1, 100))
@example(SOONER, 20, 1)
def test_with_huge_pages_a_higher_limit_never_brings_the_first_oom_with_less_in_use(parts, limit, more):
    in_use = first_oom(limit, parts, thp=True)[1]
    assert in_use in (limit * MIB, 2000 * MIB)  # none comes before the limit is full
    assert in_use <= first_oom(limit + more, parts, thp=True)[1]


DENTRIES = Scenario(
    "dentries",
    Machine(ram_bytes=300 * MIB, kernel_bytes=40 * MIB, thp=False),
    (),
    (
        Program("p", "/b", (KernelMemory("dentries", None, 100 * MIB), ReadFile("f", 4 * MIB))),
        Program("q", "/a", (Grow(None, 170 * MIB),), start_us=1_000_000),
    ),
    duration_us=2_000_000,
)
"""Slab goes at twice the share of the lists, which are small here."""


@MANY
@given(scenarios, st.tuples(*(mins for _ in PATHS)))
@example(DENTRIES, (0, 0, 0, 90 * MIB))
def test_nothing_below_its_effective_min_is_reclaimed_from_above(scenario, bounds):
    """However much one reclaim takes, at each step of it: what it takes is above the min that it found."""
    # Only the machine reclaims from above here: no limits.
    free = tuple(Group(path, min_bytes=one) for path, one in zip(PATHS, bounds, strict=True))

    def reclaim(world, target, *rest, **more):
        least = {memcg: pages for memcg, (pages, _) in protections(world, target).items()}

        def uncharge(memcg, pages):
            assert memcg is target or memcg.usage - pages >= least[memcg], memcg.path
            taken(memcg, pages)

        taken = world.uncharge
        with mock.patch.object(world, "uncharge", uncharge):
            return shrink(world, target, *rest, **more)

    with mock.patch.object(machine, "shrink", reclaim):
        run(scenario._replace(groups=free))
