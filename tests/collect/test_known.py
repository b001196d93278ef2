"""A cgroup that was read before: what is taken over, what is parsed again, what takes another survey."""

from __future__ import annotations

import pytest

from memwarden.collect.cgroup_survey import Known
from memwarden.collect.cgroup_v2 import FILES
from memwarden.errors import ReadError
from memwarden.state.cgroup import Cgroup

BY_NAME = {file.name: file for file in FILES}


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


BEFORE = b"anon 4096\nfile 8192\n"


@pytest.mark.parametrize(
    ("now", "figures"),
    [
        (b"anon 1234\nfile 8192\n", {"anon": 1234, "file": 8192}),
        (b"anon 12345\nfile 8192\n", {"anon": 12345, "file": 8192}),
        (b"file 4096\nanon 8192\n", {"anon": 8192, "file": 4096}),
        (b"anon 0\nof_kernel_9 1\n", {"anon": 0}),
    ],
)
def test_statistics_that_are_turned_later_are_those_of_the_last_reading(now, figures):
    one = known(memory_stat=BEFORE)
    assert one.update([now])
    first = one.cgroup.stat
    assert one.update([BEFORE])
    assert (first, one.cgroup.stat) == (figures, {"anon": 4096, "file": 8192})


@pytest.mark.parametrize(
    "now", [b"anon 4096\nfile 81x2\n", b"anon 4096\nfile \n", b"anon 4096\nfile 1 2\n", b""]
)
def test_statistics_that_are_turned_later_are_refused_at_once(now):
    one = known(memory_stat=BEFORE)
    assert not one.update([now])
    assert one.datas == [BEFORE]
