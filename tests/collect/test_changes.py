"""A file that was parsed before: parsing only its changed lines gives what parsing all of it gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.collect.cgroup_survey import Known
from memwarden.collect.cgroup_v2 import FILES
from memwarden.errors import ParseError, ReadError
from memwarden.state.cgroup import Cgroup

BY_NAME = {file.name: file for file in FILES}
NUMBER = st.integers(0, 2**64 - 1)
STAT_KEYS = ("anon", "file", "kernel", "pgfault", "a_key_of_tomorrow", "another_one")


def put_all(file, text):
    values = [None] * len(Cgroup._fields)
    file.put(values, text.decode())
    return values


def check(file, old, new):
    """Changing from ``old`` to ``new`` ends like reading ``new`` alone."""
    values = put_all(file, old)
    try:
        expected = put_all(file, new)
    except ParseError:
        with pytest.raises(ParseError):
            file.put_changes(values, old, new)
    else:
        file.put_changes(values, old, new)
        assert values == expected


@st.composite
def stat_text(draw, keys):
    return "".join(f"{key} {draw(NUMBER)}\n" for key in keys).encode()


@given(st.data())
def test_flat_keyed_files(data):
    keys = data.draw(
        st.lists(st.sampled_from(STAT_KEYS), min_size=1, unique=True).filter(
            lambda k: {*k} & {*STAT_KEYS[:4]}
        )
    )
    old = data.draw(stat_text(keys))
    other = data.draw(st.sampled_from([keys, [*keys, "sock"], keys[::-1]]))
    lines = [
        data.draw(st.sampled_from([was, now]))
        for was, now in zip(old.splitlines(True), data.draw(stat_text(other)).splitlines(True), strict=False)
    ]
    if {line.split()[0].decode() for line in lines} & {*STAT_KEYS[:4]} and len({*lines}) == len(lines):
        check(BY_NAME["memory.stat"], old, b"".join(lines))


@given(
    st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=3),
    st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=3),
)
def test_numa_files(old, new):
    def text(figures):
        pairs = zip(("anon", "file", "tomorrow"), figures, strict=True)
        return "".join(f"{key} N0={a} N1={b}\n" for key, (a, b) in pairs).encode()

    check(BY_NAME["memory.numa_stat"], text(old), text(new))


@given(st.lists(NUMBER, min_size=2, max_size=2), st.lists(NUMBER, min_size=2, max_size=2))
def test_pressure_files(old, new):
    def text(totals):
        lines = zip(("some", "full"), totals, strict=True)
        return "".join(
            f"{kind} avg10={n % 101}.{n % 100:02} avg60=0.00 avg300=0.00 total={n}\n" for kind, n in lines
        ).encode()

    check(BY_NAME["memory.pressure"], text(old), text(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"anon 1\nfile 2\n", b"anon 1\nfile x\n"),
        (b"anon 1\nfile 2\n", b"anon 1\nfile\n"),
        (b"anon 1\nfile 2\n", b"file 2\nanon 1\n"),
        (b"anon 1\nfile 2\n", b"anon 1\n"),
        (b"anon 1\nfile 2\n", b""),
        (b"anon 1\nold 2\n", b"anon 1\nnew 2\n"),
        (b"anon 1\nold 2\n", b"anon 1\nold 3\n"),
    ],
)
def test_odd_changes(old, new):
    check(BY_NAME["memory.stat"], old, new)


def known(**texts):
    found = [(BY_NAME[name.replace("_", ".", 1)], text) for name, text in texts.items()]
    return Known(Cgroup(path="/a", inode=1), found)


def test_an_update_takes_what_changed():
    one = known(memory_current=b"1\n", memory_max=b"max\n")
    assert one.update([b"2\n", b"4096\n"])
    assert (one.cgroup.current_bytes, one.cgroup.max_bytes) == (2, 4096)
    assert one.datas == [b"2\n", b"4096\n"]


@pytest.mark.parametrize(
    ("before", "after", "enough"),
    [
        (b"1\n", ReadError("/a", "ENODEV"), False),
        (b"1\n", b"junk\n", False),
        (None, b"1\n", False),
        (ReadError("/a", "EACCES"), b"1\n", False),
        (ReadError("/a", "EACCES"), ReadError("/a", "ENOENT"), False),
        (ReadError("/a", "EACCES"), ReadError("/a", "EACCES"), True),
    ],
)
def test_what_takes_another_survey(before, after, enough):
    one = known(memory_current=before)
    assert one.update([after]) is enough
    assert one.cgroup.current_bytes is None


def test_new_controllers_take_another_survey():
    assert not known(cgroup_controllers=b"cpu\n").update([b"cpu memory\n"])
