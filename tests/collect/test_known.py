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
