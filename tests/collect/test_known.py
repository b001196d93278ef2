"""A cgroup that was read before: what is taken over, what is parsed again, what takes another survey."""

from __future__ import annotations

import pytest

from memwarden.collect import cgroup_survey, cgroup_v1
from memwarden.collect.cgroup_survey import Known
from memwarden.collect.cgroup_v2 import FILES, MARKS
from memwarden.errors import ReadError
from memwarden.kernel.deferred import Figures
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
        (ReadError("/a", "ENOMEM"), ReadError("/a", "ENOMEM"), True),
        (ReadError("/a", "ENOMEM"), b"1\n", False),
    ],
)
def test_what_takes_another_survey(before, after, enough):
    one = known(memory_current=before)
    assert one.update([after]) is enough
    assert one.cgroup.current_bytes is None


def test_what_cannot_be_read_for_the_moment_is_as_it_was():
    one = known(memory_current=b"1\n", memory_max=b"max\n")
    assert one.update([b"2\n", b"4096\n"])
    assert one.update([b"3\n", ReadError("/a", "ENOMEM")])
    assert (one.cgroup.current_bytes, one.cgroup.max_bytes) == (3, 4096)
    assert one.datas == [b"3\n", b"4096\n"]


def test_new_controllers_take_another_survey():
    assert not known(cgroup_controllers=b"cpu\n").update([b"cpu memory\n"])


IDLE = b"low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"


def test_those_that_say_the_same_hold_it_once(monkeypatch):
    monkeypatch.setattr(cgroup_survey, "_MEANT", {})
    monkeypatch.setattr(cgroup_survey, "_MOST_MEANT", 2)
    ones = [known(memory_events=b"low 9\n", memory_max=b"max\n") for _ in range(3)]
    # Bytes that are equal and not the same, as they are read.
    assert all(one.update([bytes([*IDLE]), b"4096\n"]) for one in ones)
    a, b, c = ones
    assert a.cgroup.events is b.cgroup.events
    assert a.datas[0] is b.datas[0] is c.datas[0]
    assert a.update([bytes([*IDLE[:-2], *b"1\n"]), b"8192\n"])  # each forgets one of the others
    assert (a.cgroup.events["oom_kill"], a.cgroup.max_bytes) == (1, 8192)
    assert (b.cgroup.events["oom_kill"], b.cgroup.max_bytes) == (0, 4096)
    assert len(cgroup_survey._MEANT) <= 2


def test_what_each_has_of_its_own_is_not_remembered(monkeypatch):
    monkeypatch.setattr(cgroup_survey, "_MEANT", {})
    one = known(memory_current=b"1\n", memory_stat=b"anon 1\n", cgroup_procs=b"1\n", memory_events=b"low 1\n")
    assert one.update([b"2\n", b"anon 2\n", b"2\n", b"low " + b"2" * 160 + b"\n"])
    assert cgroup_survey._MEANT == {}


def test_a_file_of_one_name_that_means_something_else_on_v1_is_not_shared():
    names = {file.name: file for file in (*FILES, MARKS)}
    other = {file.name for file in cgroup_v1.FILES if names.get(file.name, file) != file}
    assert other <= cgroup_survey._OWN


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


def test_figures_that_are_looked_up_later_share_the_bytes_they_were_read_as():
    one = known(memory_stat=b"anon 1\nfile 2\n")
    assert one.update([b"anon 3\nfile 4\n"])  # parsed at once: the form of this file was not known yet
    assert one.update([b"anon 5\nfile 6\n"])
    assert isinstance(one.cgroup.stat, Figures)
    assert one.datas[0] is one.cgroup.stat.data
    assert one.cgroup.stat["file"] == 6
