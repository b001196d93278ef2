"""What is compared between guests and the simulator, and that a wrong simulator is told."""

from __future__ import annotations

import pytest

from lab.fidelity import errors, page, runs, simulated
from lab.fidelity.measures import Measures, of_guest
from lab.fidelity.scenarios import BY_NAME, MIB, SCENARIOS, Group, Load, Scenario
from lab.kernels import SERIES
from memwarden.sim.scenario import Disk, Grow, ReadFile, Sawtooth, WriteFile

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


def test_a_guests_run():
    run = {
        "first_us": {"/a high": 10, "/a low": 1, "/a throttled": 30, "/a oom_kill": 90, "/a max": 50},
        "ends": [["b", 95, 9], ["a", 91, 137], ["c", 1, 256]],
        "groups": {
            "/a": {
                "peak_bytes": 5,
                "kernel_peak_bytes": 0,
                "final_bytes": 3,
                "stall_us": {"some": 7},
                "events": {},
            }
        },
        # From 100 to 104 MiB in 2 s, to 108 MiB in 4 s more.
        "samples": [[0, 100 * MIB, 0], [2_000_000, 104 * MIB, 0], [6_000_000, 108 * MIB, 0]],
    }
    found = of_guest(ROW._replace(curve=True), run)
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
    # Of 120 us two are for looking at the page twice.
    assert (machine.swap_us, machine.pass_us, machine.exit_us, machine.free_us) == (118, 700, 2000, 0.5)
    # 31 pages more take 3100 us, so one takes 100; 300 us of the 400 of a read are latency.
    assert machine.swap is not None
    assert machine.swap.disk == Disk(read_bps=40_960_000, write_bps=40_960_000, latency_us=300)
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


def test_what_a_program_has_charged_before_it_does_anything_is_as_measured():
    for kept in filter(None, (runs.measured(series.name) for series in SERIES)):
        reader, keeper = (
            kept["runs"]["reader"][0]["groups"]["/a"],
            kept["runs"]["siblings-min"][0]["groups"]["/p/a"],
        )
        own = reader["stat"]["anon"] + keeper["stat"].get("kernel", 92 << 10)
        assert own == pytest.approx(simulated.OWN_BYTES, rel=0.2)


def test_the_table_names_every_kernel_that_was_measured():
    text = page.PAGE.read_text()
    kept = [runs.measured(series.name) for series in SERIES]
    assert [one["release"] in text for one in kept if one] == [True] * len([one for one in kept if one])


def test_the_document_is_what_the_simulator_gives():
    assert page.PAGE.read_text() == page.render(page.all_errors()), "run: make fidelity"


def test_measurements_are_of_the_rows_and_programs_that_are_here():
    for series in SERIES:
        kept = runs.measured(series.name)
        if kept:
            assert kept["inputs"] == runs.inputs(kept["release"]), "run: python -m lab fidelity"


def test_every_row_is_run_often_enough_for_a_median():
    assert {row["times"] for row in runs.plan()["scenarios"]} == {5}
