"""Marks on the directory of a cgroup."""

from __future__ import annotations

import pytest

from memwarden.kernel.cgroup_marks import Marks, parse
from tests.kernel.refused import refused


def test_names_are_sorted_and_strange_ones_ignored():
    text = "uid 1000\nuser.oomd_omit 1\nuser.oomd_kill 7\ntrusted.oomd_prefer 1\n"
    assert parse(text) == Marks(1000, ("trusted.oomd_prefer", "user.oomd_omit"))


@pytest.mark.parametrize("value", ["1", "yes", "Y", "true", "T", "ON"])
def test_what_systemd_takes_for_true(value):
    assert parse(f"uid 0\nuser.oomd_avoid {value}\n").names == ("user.oomd_avoid",)


@pytest.mark.parametrize("value", ["", "0", "no", "2", "1 ", "?"])
def test_another_value_counts_for_oomd_only(value):
    assert parse(f"uid 0\nuser.oomd_avoid {value}\n").names == ("user.oomd_avoid=",)


def test_without_an_owner_it_is_refused():
    assert refused(parse, "") == (1, "")
    assert refused(parse, "user.oomd_avoid 1\n") == (1, "user.oomd_avoid 1")
    assert refused(parse, "uid -1\n") == (1, "uid -1")
