"""What is compared between guests and the simulator, and that a wrong simulator is told."""

from __future__ import annotations

import pytest

from lab.fidelity import errors, page, runs, simulated
from lab.fidelity.further import FURTHER
from lab.fidelity.measures import Measures, of_guest, of_simulation
from lab.fidelity.scenarios import BY_NAME, MIB, SCENARIOS, Group, Load, Scenario
from lab.kernels import SERIES
from memwarden.sim.run import simulate
from memwarden.sim.scenario import (
    Disk,
    Forks,
    Grow,
    Machine,
    Mlock,
    Program,
    ReadFile,
    Sawtooth,
    Tmpfs,
    WriteFile,
)
from memwarden.sim.scenario import Group as SimGroup
from memwarden.sim.scenario import Scenario as SimScenario

SPEEDS = {
    "each": {
        "fault_us": [8.0, 9.0, 30.0],
        "read_bps": [40.96e6],
        "cached_bps": [409.6e6],
        "write_bps": [40.96e6],
        "random_us": [300.0],
        "reclaim_us": [1.0],
        "swap_us": [120.0],
        "pass_us": [700.0],
        "exit_us": [2000.0],
        "free_us": [0.5],
        "swap_write_4k_us": [150.0],
        "swap_write_128k_us": [3250.0],
        "swap_read_4k_us": [400.0],
    },
    "cpus": 2,
    "ram_bytes": 600 * MIB,
    "free_bytes": 500 * MIB,
    "min_free_kbytes": 4096,
    "swappiness": 60,
}
ROW = Scenario("row", "", (Group("/a", (("high", 100),)),), (Load("leak", "/a", ("leak", 1, 2, 1)),), 9)
RIGHT = Measures(
    victims=("leak",),
    order=("max", "oom_kill"),
    reclaim_us=1_000_000,
    throttled_us=None,
    oom_us=2_000_000,
    peaks={"/a": 64 * MIB},
    finals={"/a": 0},
    stalls_us={"/a": 1_000_000},
    speeds={0.02: 1.0 * MIB},
)


def outside(simulation, *runs):
    return [one.quantity for one in errors.compare("6.1", ROW, runs or [RIGHT], simulation) if not one.within]


def test_the_same_is_right():
    assert outside(RIGHT) == []


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"victims": ("read",)}, "victims"),
        ({"victims": ()}, "victims"),
        ({"order": ("oom_kill", "max")}, "order"),
        ({"oom_us": 2_310_000}, "OOM"),
        ({"oom_us": None}, "OOM"),
        ({"stalls_us": {"/a": 1_600_000}}, "stall"),
        ({"stalls_us": {"/a": 600_000}}, "stall"),
        ({"speeds": {0.02: 1.2 * MIB}}, "throttled speed"),
    ],
)
def test_what_is_wrong_is_outside_its_bar(change, quantity):
    assert outside(RIGHT._replace(**change)) == [quantity]


def test_the_bars_are_those_of_the_issue():
    assert outside(RIGHT._replace(oom_us=2_290_000, stalls_us={"/a": 1_490_000})) == []


def test_little_stall_is_no_error():
    quiet = RIGHT._replace(stalls_us={"/a": 150_000})
    assert outside(quiet._replace(stalls_us={"/a": 0}), quiet) == []


def test_what_most_runs_had_is_what_happened():
    other = RIGHT._replace(victims=("read",), oom_us=None)
    assert outside(RIGHT, RIGHT, other, RIGHT) == []


@pytest.mark.parametrize(("had", "wrong"), [(0, ["victims"]), (1, ["victims"]), (2, []), (5, [])])
def test_where_a_guest_differs_by_itself_two_of_five_are_enough(had, wrong):
    mine = RIGHT._replace(victims=("read", "leak"))
    runs = [mine] * had + [RIGHT] * (5 - had)
    assert outside(mine, *runs) == wrong
    (seen,) = [one.guest for one in errors.compare("7.2", ROW, runs, mine) if one.quantity == "victims"]
    assert seen == {
        0: "leak", 1: "leak (in 4); read, leak (in 1)", 2: "leak (in 3); read, leak (in 2)", 5: "read, leak"
    }[had]  # fmt: skip


def test_shares_of_siblings():
    row = ROW._replace(groups=(Group("/p"), Group("/p/a")), shares=True)
    guest = RIGHT._replace(
        peaks=dict.fromkeys(("/p", "/p/a"), 9), finals={"/p": 1, "/p/a": 40}, stalls_us={}, speeds={}
    )
    found = errors.compare("6.1", row, [guest], guest._replace(finals={"/p": 1, "/p/a": 30}))
    assert [(one.quantity, one.what, one.error) for one in found if not one.within] == [
        ("share", "/p/a", 0.25)
    ]


GUESTS_RUN = {
    "first_us": {"/a high": 10, "/a low": 1, "/a throttled": 30, "/a oom_kill": 90, "/a max": 50},
    "ends": [["b", 95, 9], ["a", 91, 137], ["c", 1, 256]],
    "groups": {
        "/a": {
            "peak_bytes": 5,
            "kernel_peak_bytes": 0,
            "final_bytes": 3,
            "stall_us": {"some": 7},
            "events": {"oom_kill": 2},
        }
    },
    # From 100 to 104 MiB in 2 s, to 108 MiB in 4 s more.
    "samples": [[0, 100 * MIB, 0], [2_000_000, 104 * MIB, 0], [6_000_000, 108 * MIB, 0]],
}


def test_a_guests_run():
    found = of_guest(ROW._replace(curve=True), GUESTS_RUN)
    assert found.victims == ("a", "b")
    assert found.order == ("throttled", "max", "oom_kill")
    assert (found.reclaim_us, found.throttled_us, found.oom_us) == (10, 30, 90)
    assert (found.peaks, found.finals, found.stalls_us) == ({"/a": 5}, {"/a": 3}, {"/a": 7})
    # 2 to 4 MiB over: 2 MiB/s; 4 to 6 and 6 to 8: 1 MiB/s.
    assert {low: round(speed / MIB, 6) for low, speed in found.speeds.items()} == {0.02: 2, 0.04: 1, 0.06: 1}


def test_the_machine_is_what_was_measured():
    machine = simulated.machine("5.10", SPEEDS, swap=True)
    assert machine.fault_us == 9.0
    assert machine.kernel_bytes == 100 * MIB
    # A page takes 100 us at 40.96 MB/s: 200 us of 300 are latency.
    assert machine.disk.latency_us == 200
    assert (machine.read_us, machine.copy_us) == (100, 10)
    # Of 120 us one is for looking at the page. Of 2000 us of a death 512 pages took 0.5 us each.
    assert (machine.swap_us, machine.pass_us, machine.exit_us, machine.free_us) == (119, 700, 1744, 0.5)
    # 31 pages more take 3100 us, so one takes 100; 300 us of the 400 of a read are latency.
    assert machine.swap is not None
    assert machine.swap.disk == Disk(read_bps=40_960_000, write_bps=40_960_000, latency_us=300)
    assert machine.swap.synchronous  # the guest's is memory
    assert machine.traits.charge_batch_pages == 32
    assert simulated.machine("6.12", SPEEDS, swap=False).swap is None


def test_every_row_is_a_scenario():
    parts = {
        row.name: [type(program.parts[-1]) for program in simulated.scenario("6.1", SPEEDS, row).programs]
        for row in SCENARIOS
    }
    assert parts["mixed"] == [ReadFile, WriteFile, Grow]
    assert parts["sawtooth"] == [Sawtooth]
    group = simulated.scenario("6.1", SPEEDS, BY_NAME["oom-group"]).groups[0]
    assert (group.oom_group, group.max_bytes) == (True, 24 * MIB)


def test_the_further_rows_are_scenarios():
    parts = {
        row.name: [program.parts[-1] for program in simulated.scenario("6.1", SPEEDS, row).programs]
        for row in FURTHER
    }
    assert parts["tmpfs-at-max"][2] == Tmpfs(6.0 * MIB, 160 * MIB)
    assert parts["mlock-at-max"][1] == Mlock(160 * MIB, 6.0 * MIB)
    assert parts["forks-at-max"] == [Forks(40, 10.0, 3 * MIB)]
    row = next(row for row in FURTHER if row.name == "swap-high")
    group = simulated.scenario("6.1", SPEEDS, row).groups[0]
    assert (group.max_bytes, group.swap_high_bytes) == (24 * MIB, 64 * MIB)


def test_a_row_with_swap_high_has_its_curve_of_swap():
    row = ROW._replace(groups=(Group("/a", (("max", 50), ("swap.high", 100))),), curve=True)
    samples = [[at, 50 * MIB, 0, (100 + at) * MIB] for at in (1, 2, 3, 4)]
    for one in samples:
        one[0] *= 1_000_000
    found = of_guest(row, GUESTS_RUN | {"samples": samples})
    # From 2 to 4 MiB above 100 MiB of swap in two seconds.
    assert found.speeds == {0.02: pytest.approx(MIB)}


def test_children_are_counted_and_who_made_them_is_named():
    row = ROW._replace(loads=(Load("fork", "/a", ("forks", 4, 10, 3, 1)),))
    guest = of_guest(row, GUESTS_RUN | {"ends": [["fork", 7, 9]]})
    assert (guest.victims, guest.kills) == (("fork",), {"/a": 2})
    world = simulate(
        SimScenario(
            "s",
            Machine(ram_bytes=600 * MIB, kernel_bytes=50 * MIB, thp=False),
            (SimGroup("/a", max_bytes=16 * MIB, oom_group=True),),
            (Program("fork", "/a", (Forks(8, 10.0, 3 * MIB),)),),
            duration_us=2_000_000,
        )
    )
    mine = of_simulation(row, world)
    assert mine.victims == ("fork",)
    # The sixth child of 3 MiB finds no room in 16 MiB: with the parent seven die, and the victim whose group
    # it is is counted twice.
    assert mine.kills == {"/a": 8}


def test_the_number_of_kills_has_a_bar():
    row = ROW._replace(loads=(Load("fork", "/a", ("forks", 4, 10, 3, 1)),))
    guest = RIGHT._replace(kills={"/a": 20})
    found = [errors.compare("6.1", row, [guest], guest._replace(kills={"/a": mine})) for mine in (22, 24)]
    assert [[one.quantity for one in some if not one.within] for some in found] == [[], ["kills"]]


def test_what_a_program_has_charged_before_it_does_anything_is_as_measured():
    for kept in filter(None, (runs.measured(series.name) for series in SERIES)):
        reader, keeper = (
            kept["runs"]["reader"][0]["groups"]["/a"],
            kept["runs"]["siblings-min"][0]["groups"]["/p/a"],
        )
        own = reader["stat"]["anon"] + keeper["stat"].get("kernel", 92 << 10)
        assert own == pytest.approx(simulated.OWN_BYTES["read"], rel=0.2)


def test_what_a_leaker_has_charged_besides_is_as_measured():
    for kept in filter(None, (runs.measured(series.name, runs.SUITES[1]) for series in SERIES)):
        stat = kept["runs"]["machine-oom"][0]["groups"]["/a"]["stat"]
        anon, tables = stat["anon"] - 100 * MIB, 100 * MIB // simulated.TABLE
        # 5.10 counts in batches, and has no kernel in memory.stat.
        assert anon == pytest.approx(simulated.OTHERS_DATA_BYTES, abs=24 * 1024)
        if "kernel" in stat:
            kernel = simulated.OTHERS_BYTES - simulated.OTHERS_DATA_BYTES
            assert stat["kernel"] - tables == pytest.approx(kernel, abs=4096)


def test_the_table_names_every_kernel_that_was_measured():
    text = page.PAGE.read_text()
    kept = [runs.measured(series.name) for series in SERIES]
    assert [one["release"] in text for one in kept if one] == [True] * len([one for one in kept if one])


def test_the_document_is_what_the_simulator_gives():
    assert page.PAGE.read_text() == page.render(page.all_errors()), "run: make fidelity"


@pytest.mark.parametrize("suite", runs.SUITES)
def test_measurements_are_of_the_rows_and_programs_that_are_here(suite):
    for series in SERIES:
        kept = runs.measured(series.name, suite)
        if kept:
            assert kept["inputs"] == runs.inputs(kept["release"], suite), "run: python -m lab fidelity"
            assert list(kept["runs"]) == [row.name for row in suite.scenarios]


@pytest.mark.parametrize("suite", runs.SUITES)
def test_every_row_is_run_often_enough_for_a_median(suite):
    assert {row["times"] for row in runs.plan(suite)["scenarios"]} == {5}
