"""The arena's scenarios in the simulator: what is kept is what it answers, and the page what is kept."""

import pytest

from lab.arena import columns, machine, policies, scenarios, simulated, simulated_page
from lab.arena.simulated import Deaths
from lab.arena.simulated_page import Guest
from lab.errors import LabError
from memwarden.cli.simulate import scenario as named

QUICK = ("kernel", "memwarden")
"""Columns that are simulated again here; ``python -m lab arena simulated`` does all."""
STAGES = [one.name for one in scenarios.SCENARIOS if not one.cgroups]


def test_every_cell_is_kept():
    wanted = {(column.name, stage.name) for stage in scenarios.SCENARIOS for column in columns.COLUMNS}
    assert set(simulated.read()) == wanted


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_kept_is_what_the_simulator_answers(stage):
    kept = simulated.read()
    for column in QUICK:
        found = simulated.run(column, stage)
        assert found == kept[column, stage], f"run `python -m lab arena simulated --scenario {stage}`"


def test_nobody_dies_under_memwarden_where_nobody_may():
    kept = simulated.read()
    for stage in scenarios.SCENARIOS:
        for column in ("memwarden", "memwarden+objective"):
            died = [name for name, _ in kept[column, stage.name].whole]
            assert set(died) <= set(stage.permitted), stage.name


def test_a_column_that_has_no_policy_is_an_error():
    assert policies.policy("kernel") is None
    with pytest.raises(LabError, match="no policy is known for the column killer"):
        policies.policy("killer")


def test_the_policies_are_the_columns():
    assert policies.policy("memwarden").name == "default"
    assert policies.policy("memwarden+objective") != policies.policy("memwarden")
    rules = policies.policy("systemd-oomd").rules
    assert [rule.name for rule in rules] == ["memory-used", "memory-pressure tenants.slice"]


@pytest.mark.parametrize(
    ("there", "here", "alike"),
    [
        ((("a", 1.0), ("b", 2.0)), (("a", 1.9), ("b", 3.0)), True),
        ((("a", 1.0), ("b", 2.0)), (("b", 1.0), ("a", 2.0)), False),
        ((("a", 1.0),), (), False),
        ((), (), True),
    ],
)
def test_the_same_die_in_the_same_order(there, here, alike):
    assert simulated_page.same(Guest(there, False, 0.0), Deaths(here, 0, 9.0)) is alike
    assert simulated_page.same(Guest(there, True, 0.0), Deaths(here, 0, 0.0)) is False
    assert simulated_page.same(Guest(there, True, 0.0), Deaths(here, 3, 0.0)) is alike


def test_what_differs_says_why_or_that_nobody_knows():
    there, here = Guest((("leak1", 1.0),), False, 0.5), Deaths((), 2, 0.25)
    text = simulated_page._section("x", "why", {("nohang", "x"): there}, {("nohang", "x"): here})
    assert "| nohang | leak1 1.0 s | 2 single processes | **differs** | 0.5 | 0.25 |" in text
    assert text.endswith("\nnohang: it is not known why.\n")
    alike = simulated_page._section("x", "why", {("nohang", "x"): there}, {("nohang", "x"): Deaths(*there)})
    assert "| same |" in alike
    assert "known" not in alike


def test_the_simulated_machine_is_the_one_that_was_measured():
    """Within what its file rounds to; what a page costs that is written depends on the program."""
    measured, ours = machine.measured(), named("arena-machine", ()).machine
    for name in ("reclaim_us", "swap_us", "copy_us", "read_us", "exit_us", "min_free_bytes", "swappiness"):
        assert getattr(ours, name) == pytest.approx(getattr(measured, name), rel=0.03), name
    assert ours.disk.read_bps == pytest.approx(measured.disk.read_bps, rel=0.03)
    assert ours.disk.write_bps == pytest.approx(measured.disk.write_bps, rel=0.03)
    assert ours.disk.latency_us == measured.disk.latency_us
