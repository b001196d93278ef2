"""Choosing on real machines: recordings of the lab's kernels, v1 among them, just before a shortage."""

from __future__ import annotations

import pytest

from memwarden.guard.ir import Amount, Choice, Ranking, Weight
from memwarden.guard.never import Guarded
from memwarden.guard.rankings import KEYS
from memwarden.guard.view import View
from memwarden.rules.eligible import Eligibility, eligibility
from tests.guard.choices import candidates, name
from tests.guard.ticks import past
from tests.rules.test_recordings import RECORDINGS, machine


@pytest.mark.parametrize("units", ["leaf", "recursive", "process"])
@pytest.mark.parametrize("recording", RECORDINGS)
def test_whoever_is_chosen_may_be_and_holds_the_most(recording, units):
    snapshot = machine(recording)
    view = View(snapshot, past(snapshot))
    guarded = Guarded()
    for key in KEYS:
        choice = Choice(units=units, ranking=Ranking((Weight(key),), Amount(bytes=-1)))
        found = candidates(choice, view, guarded)
        assert found, key
        victim = name(found[0].target)
        if found[0].why_not:
            continue
        dead = list(snapshot.members(victim)) if isinstance(victim, str) else [snapshot.processes[victim]]
        assert dead, key
        assert 1 not in [process.pid for process in dead]
        if units == "process":
            assert eligibility(dead[0]) is Eligibility.ELIGIBLE
        if units == "leaf" and key == "size":
            able = [each for each in found if not each.why_not or each.why_not.startswith("lower")]
            assert found[0].score == max(each.score for each in able)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_by_badness_the_process_that_the_kernel_would_take(recording):
    snapshot = machine(recording)
    choice = Choice(units="process", ranking=Ranking((Weight("oom-score"),), ties=("rss",)))
    [first, *_] = candidates(choice, View(snapshot, past(snapshot)), Guarded(()))
    able = [each for each in snapshot.processes.values() if eligibility(each) is Eligibility.ELIGIBLE]
    assert snapshot.processes[name(first.target)].oom_score == max(each.oom_score for each in able)
