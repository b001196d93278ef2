"""``memwarden simulate --from``: what the first scenario leaves to be known."""

from __future__ import annotations

import tomllib
from pathlib import Path

from memwarden.cli import simulate_from
from memwarden.cli.simulate_from import scenario
from memwarden.sim.scenario import Group
from memwarden.sim.words.load import load
from memwarden.words.document import Text

RECORDED = Path(__file__).parent.parent / "roots" / "replay" / "leak.rootar.gz"
"""A browser leaks in it until the kernel kills it; the guest has no name."""


def test_what_is_gone_in_the_last_snapshot_is_named(capsys):
    made = scenario(str(RECORDED), ())
    said = capsys.readouterr().err
    assert "/app.slice/browser.scope had " in said
    assert "it is not in the scenario, add it by hand" in said
    assert said.count("\n") == 1
    assert not any("browser" in one.cgroup for one in made.programs)


def test_the_root_of_a_container_loses_its_limit_and_that_is_said(capsys, monkeypatch):
    real = simulate_from._recorded

    def within(path):
        """As it would have been recorded within a container that has 8 GiB and has processes at its root."""
        *_, last = real(path)
        limits = {"max_bytes": 8 << 30, "high_bytes": 4 << 30}
        root = last.cgroups["/"]._replace(procs=(1,), stat={"anon": 1 << 28}, **limits)
        return [last._replace(cgroups={"/": root})]

    monkeypatch.setattr(simulate_from, "_recorded", within)
    made = scenario(str(RECORDED), ())
    assert [one for one in made.groups if one.path == "/"] == [Group("/")]
    assert [one.cgroup for one in made.programs if one.cgroup == "/"] == ["/"]
    said = capsys.readouterr().err
    assert "leak.rootar.gz: its root has memory.max 8.00 GiB, as a container's has" in said
    assert said.count("\n") == 1


def test_a_machine_without_a_name_is_this_machine(capsys):
    assert scenario(str(RECORDED), ()).text == "what ran on this machine when it was looked at"


def test_what_is_written_says_what_is_guessed_and_is_a_scenario(cli):
    ran = cli("simulate", "--from", RECORDED, "--write", "-")
    assert ran.code == 0
    assert ran.out.startswith("# Limits and sizes are measured.")
    assert tomllib.loads(ran.out)["scenario"]["name"] == "leak"
    assert load(Text("f.toml", ran.out), name="f").scenario == scenario(str(RECORDED), ())
