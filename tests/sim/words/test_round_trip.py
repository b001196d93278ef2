"""Any scenario is written as TOML that loads to the same one, without a word of complaint but warnings."""

from __future__ import annotations

from hypothesis import given, settings

from memwarden.sim.words.load import load
from memwarden.sim.words.render import render
from memwarden.words.document import Text
from tests.sim import scenarios


@settings(max_examples=150)
@given(scenarios.SCENARIOS)
def test_what_is_written_is_read_again(scenario):
    loaded = load(Text("s.toml", render(scenario)), name="other")
    assert [str(one) for one in loaded.problems if not one.warning] == []
    assert loaded.scenario == scenario
