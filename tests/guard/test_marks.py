"""Marks by name and by extended attribute."""

from __future__ import annotations

import pytest

from memwarden.guard.ir import Preferences
from memwarden.guard.marks import NORMAL, Marked, Marker, by_attributes
from tests.guard.ticks import group
from tests.rules.machines import process, snapshot

BOTH = ("systemd", "oomd")


def marker(**names):
    return Marker(Preferences(**names))


def mark(path, marker_, cgroups=(), processes=(), **options):
    machine = snapshot((group("/"), group(path), *cgroups), tuple(processes))
    return marker_.of_cgroup(machine.cgroups[path], machine, **options)


@pytest.mark.parametrize("which", ["prefer", "avoid", "omit"])
def test_marks_by_name(which):
    some = marker(**{which: ("/a", "web.service", "comm:java")})
    assert mark("/a", some) == (which, "/a")
    assert mark("/a/b/c", some) == (which, "/a")
    assert mark("/x/web.service", some) == (which, "web.service")
    assert mark("/x", some) == NORMAL
    assert mark("/x", some, processes=[process(7, comm="java", cgroup="/x")]) == (which, "comm:java")
    assert mark("/x", some, processes=[process(7, comm="java", cgroup="/x")], whole=False) == NORMAL
    assert mark("/x", some, processes=[process(7, comm="java", cgroup="/y")]) == NORMAL


def test_the_most_careful_name_decides():
    some = marker(prefer=("/a",), avoid=("/a",), omit=("/a/b",))
    assert mark("/a/b", some).mark == "omit"
    assert mark("/a", some).mark == "avoid"


def test_a_name_decides_before_an_attribute():
    machine = snapshot((group("/a", marks=("user.oomd_omit",), owner_uid=0),))
    assert marker(prefer=("/a",)).of_cgroup(machine.cgroups["/a"], machine).mark == "prefer"
    assert marker().of_cgroup(machine.cgroups["/a"], machine).mark == "omit"


def test_marks_of_processes():
    some = marker(prefer=("comm:java",), avoid=("/a",))
    machine = snapshot((group("/b", marks=("trusted.oomd_avoid",)),))
    assert some.of_process(process(7, comm="java", cgroup="/x"), machine) == ("prefer", "comm:java")
    assert some.of_process(process(7, cgroup="/a/b"), machine) == ("avoid", "/a")
    assert some.of_process(process(7, cgroup="/b"), machine) == ("avoid", "trusted.oomd_avoid")
    assert some.of_process(process(7, cgroup=None), machine) == NORMAL


@pytest.mark.parametrize(
    ("marks", "owner", "watched", "expected"),
    [
        # systemd test-oomd-util.c, oomd_fetch_cgroup_oom_preference
        (("user.oomd_avoid", "user.oomd_omit"), 0, 0, "omit"),
        (("user.oomd_avoid",), 0, 0, "avoid"),
        (("user.oomd_omit",), 0, 0, "omit"),
        (("user.oomd_avoid", "user.oomd_omit"), 1000, 0, "normal"),
        (("user.oomd_avoid",), 1000, 1000, "avoid"),
        (("user.oomd_omit",), 1000, 1000, "omit"),
        (("user.oomd_avoid",), 1000, 1001, "normal"),
        (("user.oomd_avoid",), None, 0, "normal"),
        (("user.oomd_avoid=", "user.oomd_omit="), 0, 0, "normal"),
        (("trusted.oomd_avoid",), 0, 0, "normal"),
        ((), 0, 0, "normal"),
        (None, 0, 0, "normal"),
    ],
)
def test_systemds_attributes(marks, owner, watched, expected):
    one = group("/a", marks=marks, owner_uid=owner)
    assert by_attributes(one, ("systemd",), watched_uid=watched).mark == expected


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (("trusted.oomd_prefer",), "prefer"),
        (("user.oomd_prefer",), "prefer"),
        (("user.oomd_prefer=",), "prefer"),
        (("trusted.oomd_avoid",), "avoid"),
        (("user.oomd_avoid=",), "avoid"),
        (("trusted.oomd_avoid", "user.oomd_prefer"), "prefer"),
        (("user.oomd_omit",), "normal"),
        ((), "normal"),
    ],
)
def test_oomds_attributes_count_whoever_set_them(marks, expected):
    assert by_attributes(group("/a", marks=marks, owner_uid=1000), ("oomd",)).mark == expected


@pytest.mark.parametrize(
    ("marks", "owner", "expected"),
    [
        (("user.oomd_avoid",), 1000, "normal"),
        (("user.oomd_avoid",), 0, "avoid"),
        (("trusted.oomd_avoid",), 1000, "avoid"),
        (("user.oomd_prefer",), 1000, "prefer"),
        (("user.oomd_omit", "user.oomd_prefer"), 0, "omit"),
        (("user.oomd_avoid", "user.oomd_prefer"), 0, "prefer"),
    ],
)
def test_with_both_no_user_hides_from_root(marks, owner, expected):
    assert by_attributes(group("/a", marks=marks, owner_uid=owner), BOTH).mark == expected


def test_no_tool_no_attribute():
    assert (
        by_attributes(group("/a", marks=("user.oomd_omit", "trusted.oomd_prefer"), owner_uid=0), ()) == NORMAL
    )


def test_what_is_omitted_below():
    some = marker(omit=("web.service", "comm:java"))
    inner = [group("/a/b"), group("/a/b/web.service"), group("/a/c", marks=("user.oomd_omit",), owner_uid=0)]
    machine = snapshot((group("/a"), *inner))
    assert some.omitted_below(machine.cgroups["/a"], machine) == "/a/b/web.service"
    assert some.omitted_below(machine.cgroups["/a/b"], machine) == "/a/b/web.service"
    assert some.omitted_below(machine.cgroups["/a/c"], machine) is None
    assert marker().omitted_below(machine.cgroups["/a"], machine) == "/a/c"


def test_what_is_omitted_by_name():
    assert marker(omit=("/a",)).omitted_by_name("/a/b") == "/a"
    assert marker(omit=("/a",), avoid=("/b",)).omitted_by_name("/b") is None
    assert marker(avoid=("/a",)).omitted_by_name("/a") is None


def test_who_is_preferred_and_what_is_above():
    cgroups = (
        group("/"),
        group("/a"),
        group("/a/b", marks=("user.oomd_prefer",)),
        group("/a/c"),
        group("/d"),
    )
    machine = snapshot(cgroups)
    assert marker().preferred(machine) == {"/", "/a", "/a/b"}
    assert marker(prefer=("/d",), avoid=("/a/b",)).preferred(machine) == {"/", "/d"}
    assert marker(xattrs=("systemd",)).preferred(machine) == set()


def test_a_mark_is_a_word_and_what_set_it():
    assert Marked("avoid", "x") == ("avoid", "x")
