"""The guard inside a simulation, unchanged: it saves the database that the kernel would kill."""

from memwarden.cli import policy
from memwarden.cli.inside import Inside
from memwarden.sim.result import Kind
from memwarden.sim.run import simulate
from memwarden.sim.scenario import Grow, Machine, Program, Scenario, WorkingSet
from memwarden.state.traits import KernelTraits
from memwarden.units import MIB

DATABASE = "/system.slice/database.service"
SERVES = WorkingSet(400 * MIB, 100 * MIB, 0.8, 40 * MIB, requests_per_s=200)
LEAKS = tuple(
    Program(
        f"leak{n}",
        f"/tenants.slice/leak{n}.service",
        (Grow(7 * MIB, 150 * MIB),),
        start_us=5_000_000 + 700_000 * n,
    )
    for n in range(4)
)
SCENARIO = Scenario(
    "big-db",
    Machine(
        ram_bytes=963 * MIB, kernel_bytes=60 * MIB, traits=KernelTraits(mglru=True, recursive_protection=True)
    ),
    (),
    (Program("database", DATABASE, (SERVES,)), *LEAKS),
    duration_us=40_000_000,
)


def test_alone_the_kernel_kills_the_largest_which_is_the_database():
    result = simulate(SCENARIO)
    assert [event.program for event in result.events if event.kind is Kind.OOM_KILL] == ["database"]


def test_the_default_policy_kills_leaks_and_the_database_serves_on():
    guard = Inside(policy.usable("default").policy)
    result = simulate(SCENARIO, guard)
    assert not [event for event in result.events if event.kind is Kind.OOM_KILL]
    killed = {event.program for event in result.events if event.kind is Kind.KILL}
    assert killed
    assert killed <= {"leak0", "leak1", "leak2", "leak3"}
    database = result.work[0]
    assert database.deaths == 0
    assert database.requests >= 0.99 * database.requests_due
    assert any("kill /tenants.slice/leak" in note.text for note in result.notes)
    assert {note.id for note in result.notes} == {
        event.detail for event in result.events if event.kind is Kind.DECISION
    }


def test_a_policy_that_is_dry_decides_and_does_nothing():
    dry = policy.usable("default").policy._replace(dry_run=True)
    result = simulate(SCENARIO, Inside(dry))
    assert [event.program for event in result.events if event.kind is Kind.OOM_KILL] == ["database"]
    assert not [event for event in result.events if event.kind is Kind.KILL]
    assert any("kill" in note.text for note in result.notes)
