"""Looks while files of cgroups cannot be read for the moment, as in a shortage of the kernel's own memory."""

from __future__ import annotations

import errno
import os

import pytest

from memwarden.collect.glances import WHOLE_US
from memwarden.collect.leniency import NOT_NOW
from memwarden.errors import InputError, ReadError
from memwarden.host import cgroup, files
from memwarden.host.directory import OpenDirectory
from memwarden.host.live import Live
from memwarden.state.gaps import Gap, GapReason
from tests.collect.test_glances import Watched, anon


def failing_read(errno_name):
    def read(self, name):
        raise ReadError(name, errno_name)

    return read


def fail_for(monkeypatch, errno_name, places):
    """Have the kernel fail at some paths, of files as of directories, as long as they are in ``places``."""
    pread, listed, opened = os.pread, files.subdirectories, os.open

    def check(path):
        if path in places:
            raise OSError(getattr(errno, errno_name), "failing")

    def here(fd):
        path = os.readlink(f"/proc/self/fd/{fd}")
        return path[path.index("/sys/fs/cgroup") :] if "/sys/fs/cgroup" in path else ""

    def failing_pread(fd, *more):
        check(here(fd))
        return pread(fd, *more)

    def failing_list(fd):
        check(here(fd))
        return listed(fd)

    def failing_open(name, flags, *more, dir_fd=None):
        if dir_fd is not None and flags & os.O_DIRECTORY:
            check(f"{here(dir_fd)}/{name}")
        return opened(name, flags, *more, dir_fd=dir_fd)

    monkeypatch.setattr(os, "pread", failing_pread)
    monkeypatch.setattr(cgroup, "pread", failing_pread)
    monkeypatch.setattr(os, "open", failing_open)
    monkeypatch.setattr(files, "subdirectories", failing_list)


@pytest.mark.parametrize("keep", [0, 100])
def test_files_that_fail_for_the_moment_say_what_they_said_and_the_look_goes_on(tmp_path, monkeypatch, keep):
    here = Watched(tmp_path, keep=keep)
    for path in ("a.slice", "a.slice/x", "a.slice/y", "b.slice", "b.slice/z"):
        here.group(path, memory_min=4096)
    here.look()
    failing = {"/sys/fs/cgroup/memory.pressure", "/sys/fs/cgroup/b.slice/z/memory.stat"}

    def change(number):
        for path in ("b.slice", "b.slice/z", "a.slice", "a.slice/x"):
            here.group(path, current=number, anon=number)

    fail_for(monkeypatch, "ENOMEM", failing)
    change(9000)
    found = here.look()
    assert [anon(found, path) for path in ("/a.slice/x", "/b.slice", "/b.slice/z")] == [9000, 9000, 4096]
    assert found["/b.slice/z"].current_bytes == 9000
    failing.add("/sys/fs/cgroup/b.slice/z/memory.min")
    change(9001)
    found = here.look(WHOLE_US)  # everything is read anew
    assert [anon(found, path) for path in ("/a.slice/x", "/b.slice/z")] == [9001, 4096]
    assert found["/b.slice/z"].min_bytes == 4096
    failing.clear()
    found = here.look()  # nothing moved since
    assert (anon(found, "/b.slice/z"), found["/b.slice/z"].min_bytes) == (9001, 4096)


def test_who_is_met_while_files_fail_is_read_at_the_next_look(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    failing = {"/sys/fs/cgroup/a.slice/x/memory.stat"}
    fail_for(monkeypatch, "ENOMEM", failing)
    here.clock.sleep_us(100_000)
    look = here.focused.look()
    assert look.cgroups["/a.slice/x"].stat is None
    assert Gap("/sys/fs/cgroup/a.slice/x/memory.stat", GapReason.NOT_SUPPORTED, NOT_NOW) in look.gaps
    failing.clear()
    assert anon(here.look(), "/a.slice/x") == 4096


@pytest.mark.parametrize("failing", ["b.slice", "b.slice/new"])
def test_who_cannot_be_listed_for_the_moment_is_met_at_the_next_look(tmp_path, monkeypatch, failing):
    here = Watched(tmp_path)
    here.look()
    places = {f"/sys/fs/cgroup/{failing}"}
    fail_for(monkeypatch, "EINTR", places)
    here.group("b.slice/new")
    here.group("b.slice", current=9000)
    found = here.look(WHOLE_US)
    assert "/b.slice/z" in found
    assert "/b.slice/new" not in found
    places.clear()
    assert "/b.slice/new" in here.look()


def test_a_figure_of_the_machine_that_fails_for_the_moment_is_a_gap(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    here.look()
    monkeypatch.setattr(Live, "read", failing_read("ENOMEM"))
    here.group("b.slice", current=9000)
    look = here.focused.look()
    assert look.vmstat is None
    assert look.cgroups["/b.slice"].current_bytes == 9000


def test_nobody_is_chosen_where_a_process_is_not_seen_for_the_moment(tmp_path, monkeypatch):
    here = Watched(tmp_path)
    (here.root.proc / "7").mkdir()
    look = here.focused.look()
    monkeypatch.setattr(OpenDirectory, "read", failing_read("ENOMEM"))
    with pytest.raises(InputError, match="cannot be told at this moment"):
        here.focused.meet(look, frozenset("/"))
