"""Entries that name cgroups and processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import InputError
from memwarden.guard import names
from memwarden.guard.globs import Matcher
from memwarden.guard.names import Names
from tests.rules.machines import process


def test_paths_are_named_by_themselves_or_from_above():
    some = Names(["/a", "b*", "cgroup~^/x/.*[0-9]$"])
    assert some.of_path("/a") == "/a"
    assert some.of_path("/a/c") is None
    assert some.of_path_or_above("/a/c") == "/a"
    assert some.of_path_or_above("/c/bd/e") == "b*"
    assert some.of_path("/x/y7") == some.of_path_or_above("/x/y7") == "cgroup~^/x/.*[0-9]$"
    assert some.of_path("/x/y7/z") is None
    assert some.of_path_or_above("/x/y7/z") == "cgroup~^/x/.*[0-9]$"
    assert some.of_path_or_above("/") is None


@pytest.mark.parametrize(
    ("entry", "fields", "expected"),
    [
        ("comm:java*", {"comm": "java-worker"}, True),
        ("comm:java", {"comm": "java-worker"}, False),
        ("comm~av", {"comm": "java"}, True),
        ("comm~^av", {"comm": "java"}, False),
        ("uid:1000", {"uid": 1000}, True),
        ("uid:1000", {"uid": 100}, False),
        ("uid~^10", {"uid": 1000}, True),
        ("uid~^10", {"uid": None}, False),
        ("adj<=-500", {"oom_score_adj": -500}, True),
        ("adj<=-500", {"oom_score_adj": -499}, False),
        ("adj<=-500", {"oom_score_adj": None}, False),
    ],
)
def test_processes(entry, fields, expected):
    some = Names([entry])
    assert some.speak_of_processes
    assert some.of_process(process(7, **fields)) == (entry if expected else None)


def test_entries_of_one_kind_are_independent():
    some = Names(["comm:a", "comm:b", "uid:1", "uid:2"])
    assert some.of_process(process(7, comm="b", uid=0)) == "comm:b"
    assert some.of_process(process(7, comm="c", uid=2)) == "uid:2"


PARTS = st.sampled_from(["a", "ab", "b.service", "*", "?b", "[ab]c", "[!a]*", "a*", "**"])
GLOBS = st.builds(
    lambda begin, parts: begin + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(PARTS, min_size=1, max_size=3),
)
PATHS = st.lists(st.sampled_from(["a", "ab", "b.service", "bc", "x", "*", "[ab]c"]), max_size=4)


@given(st.lists(GLOBS, max_size=6), st.lists(PATHS, min_size=1, max_size=6))
def test_the_first_that_fits_or_that_fits_above(entries, paths):
    some = Names(entries)
    for parts in paths:  # the answers for one are used for the next
        above = ["/" + "/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]
        fits = [next((entry for entry in entries if Matcher((entry,)).fits(path)), None) for path in above]
        assert some.of_path(above[0]) == fits[0]
        assert some.of_path_or_above(above[0]) == next((entry for entry in fits if entry), None)


def test_none_is_false():
    assert not Names([])
    assert all(Names([entry]) for entry in ("/a", "cgroup~a", "comm:a"))
    assert Names(["comm:a"]).of_path_or_above("/a") is None


@pytest.mark.parametrize("entry", ["comm~(", "cgroup~*", "uid~[", "uid:root", "adj<=low"])
def test_what_cannot_be_read_is_said_in_a_sentence(entry):
    with pytest.raises(InputError) as caught:
        Names([entry])
    assert str(caught.value).startswith(repr(entry))


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(names, "_CACHED", 3)
    some = Names(["/a1"])
    assert [some.of_path(f"/a{number}") for number in range(9)].count("/a1") == 1
    assert len(some._of_path) <= 3
    some = Names(["comm:a1"])
    assert [some.of_process(process(7, comm=f"a{number}")) for number in range(9)].count("comm:a1") == 1
    assert len(some._of_comm) <= 3
