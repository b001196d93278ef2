"""Globs over paths: names as fnmatch has them, levels as the IR words them."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard import globs
from memwarden.guard.globs import Matcher, Matchers, Name
from memwarden.testing.strategies import cgroup_names
from tests.rules.machines import cgroup, snapshot


def matches(glob, path, scope=None):
    return Matcher((glob,), scope).matches(path)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("/system.slice/*.service", "/system.slice/sshd.service", True),
        ("/system.slice/*.service", "/system.slice/a/sshd.service", False),
        ("/system.slice/*.service", "/x/system.slice/sshd.service", False),
        ("/system.slice", "/system.slice", True),
        ("/system.slice/", "/system.slice", True),
        ("//system.slice", "/system.slice", True),
        ("/system.slice", "/system.slice/a", False),
        ("/", "/", True),
        ("/", "/a", False),
        ("/*", "/a", True),
        ("/*", "/", False),
        ("/**", "/a/b/c", True),
        ("/**", "/", False),
        ("**", "/a", True),
        ("**", "/", False),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/a", False),
        ("/a/**/z", "/a/z", True),
        ("/a/**/z", "/a/b/c/z", True),
        ("/a/**/z", "/a/b/c/z/y", False),
        ("/a/**/b/**/c", "/a/b/b/x/c/c", True),
        ("postgresql*.service", "/system.slice/postgresql@16-main.service", True),
        ("postgresql*.service", "/postgresql.service", True),
        ("postgresql*.service", "/postgresql.service/sub", False),
        ("kubepods.slice/*", "/a/kubepods.slice/pod", True),
        ("/pod[0-9]", "/pod7", True),
        ("/pod[!0-9]", "/pod7", False),
        ("/pod?", "/pod7", True),
        ("/pod?", "/pod", False),
        ("/a**b", "/axxb", True),
    ],
)
def test_paths(glob, path, expected):
    assert matches(glob, path) is expected


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        (".", "/pods/a", True),
        (".", "/pods", False),
        ("./", "/pods/a", True),
        ("./*", "/pods/a/x", True),
        ("./*", "/pods/b/x", False),
        ("./**", "/pods/a/x/y", True),
        ("./../b", "/pods/b", False),
    ],
)
def test_relative_to_the_scope(glob, path, expected):
    assert matches(glob, path, "/pods/a") is expected


def test_a_scope_is_no_pattern():
    assert matches("./x", "/pod[1]*/x", "/pod[1]*")
    assert not matches("./x", "/pod1/x", "/pod[1]*")


def test_relative_to_nothing_matches_nothing():
    assert not matches(".", "/")
    assert not matches("./*", "/a")
    assert matches(".", "/", "/")


@given(st.text("ab*?[]!-c", max_size=12), st.text("abc[]!-*", max_size=8))
def test_names_are_those_of_fnmatch(pattern, name):
    assert Name(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


@given(cgroup_names(), cgroup_names())
def test_any_name_matches_itself_when_it_holds_no_pattern(first, second):
    path = f"/{first}/{second}"
    assert matches("/**", path)
    assert matches("*", path)
    if not set(path) & set("*?["):
        assert matches(path, path)


def test_hostile_patterns_end_in_time():
    assert not Name("*a" * 40 + "b").matches("a" * 255)
    assert not matches("/**/a" * 40 + "/b", "/a" * 200)


def paths(found):
    return [one.path for one in found]


def test_any_of_several():
    machine = snapshot(tuple(cgroup(path) for path in ("/", "/b", "/a", "/a/x")))
    assert paths(Matcher(("/a", "b")).among(machine)) == ["/b", "/a"]
    assert Matcher(()).among(machine) == ()
    # Plain paths are looked up, each once and where it exists.
    assert paths(Matcher(("/a", "/none", "/", "/a/")).among(machine)) == ["/a", "/"]


def test_relative_globs_look_only_below_their_scope():
    machine = snapshot(tuple(cgroup(path) for path in ("/", "/a", "/a/x", "/a/x/y", "/b", "/b/x")))
    assert paths(Matcher((".", "./**"), "/a").among(machine, "/a")) == ["/a", "/a/x", "/a/x/y"]
    assert paths(Matcher((".", "./x"), "/b").among(machine, "/b")) == ["/b", "/b/x"]
    assert Matcher(("./*",), "/none").among(machine, "/none") == ()


def test_matchers_are_made_once_and_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(globs, "_MANY", 2)
    matchers = Matchers()
    plain = matchers.of(("/a*",), "/s")
    assert matchers.of(("/a*",)) is matchers.of(("/a*",), "/other") is plain
    for scope in ("/s", "/t"):
        assert matchers.of(("./a",), scope).matches(f"{scope}/a")
    assert len(matchers._made) == 1
    for number in range(5):
        assert plain.among(snapshot((cgroup("/a"), cgroup(f"/{number}"))))
    assert len(plain._known) <= 4


def test_paths_that_are_only_asked_for_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(globs, "_MANY", 2)
    matcher = Matcher(("/a*",))
    assert [matcher.matches(f"/{name}") for name in ("a1", "b", "a2", "c", "a1")] == [
        True, False, True, False, True,
    ]  # fmt: skip
    assert len(matcher._known) <= 2
    # As many as there are cgroups are remembered besides.
    everybody = snapshot(tuple(cgroup(f"/{number}") for number in range(5)))
    matcher.among(everybody)
    for number in range(20):
        matcher.matches(f"/run-{number}")
    assert len(matcher._known) <= 7


def test_matchers_of_cgroups_that_come_and_go_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(globs, "_MADE", 3)
    matchers = Matchers()
    for number in range(10):
        path = f"/pod-{number}"
        assert matchers.of((path, f"{path}/**")).matches(f"{path}/x")
    assert len(matchers._made) <= 3
