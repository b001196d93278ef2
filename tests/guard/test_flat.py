"""A policy goes to another process and comes back as it was."""

from __future__ import annotations

import json
import marshal

import pytest
from hypothesis import given

from memwarden.guard import ir
from memwarden.guard.flat import RECORDS, flatten, unflatten
from memwarden.state.intents import CgroupId
from tests.guard.policy import records


@given(records.POLICIES)
def test_any_policy(policy):
    assert unflatten(marshal.loads(marshal.dumps(flatten(policy)))) == policy


def test_classes_come_back_and_not_only_what_is_equal_to_them():
    policy = ir.Policy("p", (ir.Rule("r", (ir.Group("g", (ir.Exists(("/a",)),)),), ()),))
    again = unflatten(flatten(policy))
    assert type(again.rules[0].groups[0].detectors[0]) is ir.Exists


def test_it_is_plain():
    json.dumps(flatten(ir.Policy("p", ())))
    assert set(RECORDS) >= {"Policy", "Rule", "Group", "DoKill", "Stall"}


@pytest.mark.parametrize("value", [object(), b"", {1: 2}, {"a"}, CgroupId("/a", 1)])
def test_what_no_policy_is_made_of_is_refused(value):
    with pytest.raises(TypeError, match="is not part of a policy"):
        flatten((value,))
