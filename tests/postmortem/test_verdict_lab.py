"""Verdicts on what real kernels printed, against what the guest knows: who died, under which limit, why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge

LAB = Path(__file__).parent.parent / "golden" / "lab"
RECORDINGS = sorted(LAB.glob("*/*.kmsg"))
CAUSED = [path for path in RECORDINGS if json.loads(path.with_suffix(".json").read_text()).get("cause")]
"""Scenarios that name the cause they make; the others provoke something else (names, order, limits)."""


def judged(path):
    return [judge(report) for report in find_reports([path.read_bytes()], file=path.name)]


def name(path):
    return f"{path.parent.name}-{path.stem}"


@pytest.fixture(scope="module", params=RECORDINGS, ids=name)
def recorded(request):
    return json.loads(request.param.with_suffix(".json").read_text()), judged(request.param)


def test_the_lab_has_recorded():
    assert len(CAUSED) >= 40


def test_the_first_victim_follows_from_the_table(recorded):
    _, incidents = recorded
    checked = [incident.verdict.choice_checked for incident in incidents if incident.report.victims]
    assert False not in checked


def test_every_death_is_named(recorded):
    truth, incidents = recorded
    pids = {pid: name for name, pid in truth["pids"].items()}
    dead = [pids.get(victim.pid, victim.comm) for one in incidents for victim in one.report.victims]
    assert set(truth["killed"]) <= set(dead)


@pytest.mark.parametrize("path", CAUSED, ids=name)
def test_the_cause_is_what_the_scenario_made(path):
    truth = json.loads(path.with_suffix(".json").read_text())
    assert judged(path)[0].verdict.cause == truth["cause"]
