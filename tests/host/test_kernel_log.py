"""The kernel log of this machine, the journal, and files that grow."""

from __future__ import annotations

import os
import stat
from errno import EAGAIN, EIO, EPIPE

import pytest

from memwarden.errors import InputError, UnsupportedError
from memwarden.host import kernel_log, kmsg
from memwarden.host.follow import follow
from memwarden.kernel import kmsg as parser
from memwarden.testing.clock import ManualClock

KMSG = kmsg.Kmsg


def readable(path):
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


needs_kmsg = pytest.mark.skipif(not readable(kmsg.PATH), reason="/dev/kmsg cannot be read here")


def record(sequence):
    return b"6,%d,%d,-;text %d\n" % (sequence, sequence * 10, sequence)


def device(steps, path):
    """A Kmsg whose reads give these records or errors, then nothing more for now."""
    queue = list(steps)

    def read(fd, size):
        step = queue.pop(0) if queue else EAGAIN
        if isinstance(step, int):
            raise OSError(step, os.strerror(step))
        return step

    return KMSG(str(path), read=read)


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "kmsg").touch()
    return tmp_path / "kmsg"


def test_records_until_there_are_no_more(empty):
    log = device([record(5), record(6)], empty)
    assert list(log.records()) == [record(5), record(6)]
    assert log.lost == 0
    log.close()


def test_overwritten_records_are_counted(empty):
    # devkmsg_read gives EPIPE once and goes on with the oldest record there is.
    log = device([record(5), EPIPE, record(9), EAGAIN, EPIPE, record(20)], empty)
    assert list(log.records()) == [record(5), record(9)]
    assert log.lost == 3
    assert list(log.records()) == [record(20)]
    assert log.lost == 13
    log.close()


def test_what_the_ring_lost_before_we_came_is_not_counted(empty):
    log = device([EPIPE, record(900)], empty)
    assert list(log.records()) == [record(900)]
    assert log.lost == 0
    log.close()


def test_the_end_of_a_file_is_the_end(empty):
    log = kmsg.Kmsg(str(empty))
    assert list(log.records()) == []
    log.close()


def test_what_was_said_before_can_be_left_out(empty):
    empty.write_bytes(record(5))
    log = kmsg.Kmsg(str(empty))
    log.skip()
    with empty.open("ab") as file:
        file.write(record(6))
    assert list(log.records()) == [record(6)]
    log.close()


def test_other_errors_and_losses_reach_the_reader(empty, monkeypatch):
    monkeypatch.setattr(kmsg, "Kmsg", lambda: device([record(1), EPIPE, record(5)], empty))
    log = kernel_log.live()
    assert list(log) == [record(1), record(5)]
    assert log.notes == ["the kernel log: 3 records were overwritten before they could be read"]
    monkeypatch.setattr(kmsg, "Kmsg", lambda: device([record(1), EIO], empty))
    with pytest.raises(InputError, match=r"^the kernel log cannot be read: Input/output error$"):
        list(kernel_log.live())


@pytest.mark.live
@needs_kmsg
def test_the_live_log():
    log = kernel_log.live()
    records = [parser.parse(chunk.decode("utf-8", "surrogateescape")) for chunk in log]
    assert records
    assert [each.sequence for each in records] == sorted(each.sequence for each in records)
    assert log.name == "the kernel log"


@pytest.mark.live
@needs_kmsg
def test_following_gives_what_is_there_first():
    chunks = iter(kernel_log.live(follow=True))
    assert next(chunks).endswith(b"\n")
    chunks.close()


@pytest.mark.live
@needs_kmsg
def test_syslog_where_the_device_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_log.kmsg, "PATH", str(tmp_path / "none"))
    monkeypatch.setattr(kmsg.Kmsg.__init__, "__defaults__", (str(tmp_path / "none"),))
    try:
        text = kmsg.syslog()
    except OSError as error:
        pytest.skip(f"syslog(2) is not permitted here: {error.strerror}")
    assert text.startswith(b"<")
    log = kernel_log.live()
    assert b"".join(log)[:64] == text[:64]
    assert log.notes == [
        f"{tmp_path}/none cannot be opened (No such file or directory); the kernel log was read by syslog(2)"
    ]


def test_no_permission_for_either(monkeypatch, tmp_path):
    def refused():
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(kmsg, "syslog", refused)
    monkeypatch.setattr(kmsg.Kmsg.__init__, "__defaults__", (str(tmp_path / "none"),))
    with pytest.raises(
        UnsupportedError, match=r"^the kernel log may not be read here .*; try with sudo, or give a"
    ):
        kernel_log.live()


@pytest.fixture
def program(tmp_path):
    """``program(script)``: a journalctl that is this shell script."""

    def make(script):
        path = tmp_path / "journalctl"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def test_the_journal_is_asked_without_a_shell(program):
    log = kernel_log.journal("--boot=-1; reboot", program=program('printf "%s|" "$@"'))
    assert b"".join(log) == b"-k|-o|export|--no-pager|--boot=-1; reboot|"
    assert (log.name, log.notes) == ("the journal", [])


def test_no_journalctl(tmp_path):
    with pytest.raises(
        UnsupportedError, match=r"none cannot be run here \(No such file or directory\); give a log"
    ):
        kernel_log.journal(program=str(tmp_path / "none"))


def test_a_journalctl_that_fails(program):
    log = kernel_log.journal(program=program("echo No journal files were found. >&2; exit 1"))
    with pytest.raises(InputError) as caught:
        list(log)
    assert str(caught.value) == (
        "journalctl failed with exit code 1: No journal files were found.; "
        "give a log file, or read the ring buffer with --live"
    )


def test_a_journalctl_that_fails_half_way(program):
    log = kernel_log.journal(program=program("echo MESSAGE=x; exit 3"))
    assert b"".join(log) == b"MESSAGE=x\n"
    assert log.notes == ["journalctl failed with exit code 3; what it printed before was read"]


def test_many_complaints_do_not_block(program):
    log = kernel_log.journal(program=program("head -c 1000000 /dev/zero >&2; echo MESSAGE=x"))
    assert b"".join(log) == b"MESSAGE=x\n"


def test_a_journalctl_that_nobody_reads_to_the_end_is_ended(program):
    before = os.listdir("/proc/self/fd")
    chunks = iter(kernel_log.journal(program=program("yes")))
    assert next(chunks)
    chunks.close()
    assert os.listdir("/proc/self/fd") == before


class ScriptedClock(ManualClock):
    """Each wait runs the next step of a test."""

    def __init__(self, *steps):
        super().__init__()
        self.steps = list(steps)

    def sleep_us(self, duration_us):
        super().sleep_us(duration_us)
        self.steps.pop(0)()


def followed(path, *steps):
    """What following gives until the steps are used up."""
    clock = ScriptedClock(*steps, lambda: None)
    chunks = []
    for chunk in follow(str(path), clock):
        chunks.append(chunk)
        if not clock.steps:
            break
    return b"".join(chunks)


def test_follow_what_is_added(tmp_path):
    path = tmp_path / "log"
    path.write_text("one\n")

    def add():
        with path.open("a") as file:
            file.write("two\n")

    assert followed(path, add, lambda: None, add) == b"one\ntwo\ntwo\n"


def test_follow_over_truncation_and_rotation(tmp_path):
    path = tmp_path / "log"
    path.write_text("before\n")

    def truncate():
        path.write_text("cut\n")

    def rotate():
        with path.open("a") as file:
            file.write("last\n")
        path.rename(tmp_path / "log.1")

    def fresh():
        path.write_text("new\n")

    assert followed(path, truncate, rotate, fresh, lambda: None) == b"before\ncut\nlast\nnew\n"


def test_lines_written_right_before_a_rotation_are_not_lost(tmp_path):
    path = tmp_path / "log"
    path.write_text("")

    def rotate():
        with path.open("a") as file:
            file.write("last words\n")
        path.rename(tmp_path / "log.1")
        path.write_text("new\n")

    assert followed(path, rotate) == b"last words\nnew\n"


def test_follow_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none: cannot be opened to follow it; does the file exist\?$"):
        next(follow(str(tmp_path / "none"), ManualClock()))


def test_a_log_that_is_none_is_not_followed_for_ever(monkeypatch):
    """In a container /dev/kmsg may be /dev/null, which poll calls ready each time."""
    opened = kmsg.Kmsg
    monkeypatch.setattr(kmsg, "Kmsg", lambda: opened("/dev/null"))
    assert list(kernel_log.live(follow=True)) == []
