"""What can be meant can be written, and what is written is read as it was meant."""

from __future__ import annotations

import tomllib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.load import load
from memwarden.guard.policy.render import render
from memwarden.guard.policy.words import ACTIONS, DETECTORS, GUARD, PREFERENCES, RULE
from memwarden.words.document import Text
from memwarden.words.problems import Origin
from tests.guard.policy import records


def reread(toml, name="other"):
    loaded = load([Text("x.toml", toml)], name=name)
    assert [str(one) for one in loaded.problems] == []
    return loaded.policy


@given(records.POLICIES)
def test_any_policy(policy):
    assert reread(render(policy)) == policy


@pytest.mark.parametrize("record", get_args(ir.Detector), ids=lambda record: record.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_any_detector(record, data):
    group = ir.Group("g", (data.draw(records.of(record)),))
    policy = reread(render(ir.Policy("p", (ir.Rule("r", (group,), ()),))))
    assert policy.rules[0].groups == (group,)


@pytest.mark.parametrize("record", get_args(ir.Action), ids=lambda record: record.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_any_action(record, data):
    actions = tuple(data.draw(st.lists(records.of(record), min_size=1, max_size=2)))
    policy = reread(render(ir.Policy("p", (ir.Rule("r", (), actions),))))
    assert policy.rules[0].actions == actions


def test_every_record_has_a_word():
    assert {word.record for word in DETECTORS} == set(get_args(ir.Detector))
    assert {word.record for word in ACTIONS} == set(get_args(ir.Action))


@pytest.mark.parametrize("word", [*DETECTORS, *ACTIONS, GUARD, PREFERENCES, RULE], ids=lambda word: word.name)
def test_every_field_has_a_key(word):
    elsewhere = {"choice", "groups", "actions", "rules", "protect"}  # tables of their own
    own = {key.field for key in word.keys if not key.part} | {key.also[0] for key in word.keys if key.also}
    assert own - {"allow_kill_of"} == set(word.record._fields) - elsewhere


def test_every_field_of_a_choice_has_a_key():
    keys = next(word for word in ACTIONS if word.record is ir.DoKill).keys
    assert {key.field for key in keys if key.part == "choice"} == set(ir.Choice._fields) - {
        "ranking",
        "preferences",
    }
    assert {key.field for key in keys if key.part == "ranking"} == set(ir.Ranking._fields)


def test_no_key_and_no_word_is_there_twice():
    for words in (DETECTORS, ACTIONS):
        assert len({word.name for word in words}) == len(words)
    for word in [*DETECTORS, *ACTIONS, GUARD, PREFERENCES, RULE]:
        assert len({key.name for key in word.keys}) == len(word.keys)


def test_the_order_of_detectors_within_a_group_is_by_kind():
    detectors = (ir.Stall(1), ir.Constant(fires=True), ir.Stall(2))
    policy = reread(render(ir.Policy("p", (ir.Rule("r", (ir.Group("g", detectors),), ()),))))
    assert policy.rules[0].groups[0].detectors == (ir.Stall(1), ir.Stall(2), ir.Constant(fires=True))


def test_several_of_a_kind_stand_in_a_list():
    detectors = (ir.Stall(1000), ir.Stall(2000, kind="some"))
    toml = render(ir.Policy("p", (ir.Rule("r", (ir.Group("stall", detectors),), ()),)))
    assert 'stall = [\n  { above = "1ms" },\n  { above = "2ms", kind = "some" },\n]\n' in toml
    assert "allow_kill_of" in toml  # this policy has no built-in list
    assert "allow_kill_of" not in render(ir.Policy("p", (), never=BUILT_IN))


def test_long_tables_are_written_below_each_other():
    action = ir.DoKill(ir.Choice(cgroups=tuple(f"/a-rather-long-name-{number}/**" for number in range(9))))
    toml = render(ir.Policy("p", (ir.Rule("r", (), (action,)),)))
    assert "[rule.do.kill]\ncgroup = [" in toml
    assert reread(toml).rules[0].actions == (action,)


def test_preferences_that_most_actions_have_are_written_once():
    marks = ir.Preferences(prefer=("comm:x",))
    actions = (
        ir.DoKill(ir.Choice(preferences=marks)),
        ir.DoThrottle(ir.Choice(preferences=marks)),
        ir.DoFreeze(ir.Choice()),
    )
    toml = render(ir.Policy("p", (ir.Rule("r", (), actions),)))
    assert tomllib.loads(toml)["preferences"] == {"prefer": ["comm:x"]}
    assert toml.count("comm:x") == 1
    assert reread(toml).rules[0].actions == actions


def test_origins_stand_behind_what_they_are_of():
    policy = ir.Policy(
        "p", (ir.Rule("r", (), ()),), tick_us=5000, protect=("a.service",), never=("b.service",)
    )
    origins = {
        ("guard", "tick"): (Origin("a.toml", 3),),
        ("guard", "never"): (Origin("a.toml", 4), Origin("b.toml")),
        ("protect", "a"): (Origin("c.toml", 1),),
        ("rule", "r"): (Origin("d.toml", 9),),
    }
    toml = render(policy, origins=origins, protected={"a": ("a.service",)})
    lines = toml.splitlines()
    assert 'tick = "5ms"  # a.toml:3' in lines
    assert 'never = ["b.service"]  # a.toml:4, b.toml' in lines
    assert "[protect.a]  # c.toml:1" in lines
    assert "[[rule]]  # d.toml:9" in lines
    assert reread(toml) == policy
