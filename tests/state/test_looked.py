"""What a look tells of itself: how it differs from the one before, and whom to ask for marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memwarden.state import looked
from memwarden.state.cgroup import Cgroup
from memwarden.state.looked import others

PATHS = ("/", "/a", "/b", "/c")
FIRST = looked.of({path: Cgroup(path, 1) for path in PATHS})


def test_a_look_after_another_names_those_that_changed():
    now = {**FIRST, "/b": Cgroup("/b", 1, current_bytes=5)}
    second = FIRST.after(now, ["/b"])
    assert second == now
    assert others(FIRST, second) == ["/b"]
    assert others(second, second) == []
    third = second.after(now, [])
    assert others(second, third) == []
    assert others(FIRST, third) == ["/b"]  # a look was missed: all are compared
    assert others({}, second) == list(PATHS)


def test_what_is_noted_is_believed_of_the_look_before_alone():
    second = FIRST.after(dict(FIRST), ["/a"])  # not so, and nobody looks
    assert others(FIRST, second) == ["/a"]
    assert others(dict(FIRST), second) == []


MARKS = st.sampled_from((None, (), ("user.oomd_avoid",)))
AMOUNTS = st.sampled_from((None, 0, 4096))
CGROUPS = st.tuples(st.sampled_from(PATHS), MARKS, AMOUNTS, AMOUNTS)


@given(st.lists(st.lists(CGROUPS, max_size=4), max_size=6))
def test_who_is_marked_or_protected_is_among_the_special(looks):
    now = FIRST
    for look in looks:
        changed = {
            path: Cgroup(path, 1, marks=marks, min_bytes=least, low_bytes=low)
            for path, marks, least, low in look
        }
        now = now.after({**now, **changed}, changed)
        expected = {path for path, one in now.items() if one.marks or one.min_bytes or one.low_bytes}
        assert {one.path for one in looked.special(now)} == expected
        assert now.special == expected
        assert looked.of(now).special == expected


def test_where_nobody_noted_it_everybody_is_asked():
    plain = dict(FIRST)
    assert list(looked.special(plain)) == list(plain.values())
