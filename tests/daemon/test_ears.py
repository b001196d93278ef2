"""What wakes the guard, on real descriptors: pipes, and files that poll calls ready."""

from __future__ import annotations

import os
import select
from errno import EIO

import pytest

from memwarden.daemon.ears import QUIET_US, SILENT, Ears
from memwarden.daemon.events import EventsFile
from memwarden.daemon.loop import Heard
from memwarden.errors import UnsupportedError
from memwarden.host import psi
from memwarden.host.kmsg import Kmsg
from memwarden.testing.clock import ManualClock


def test_a_descriptor_that_is_ready_is_heard_and_can_be_forgotten():
    reader, writer = os.pipe()
    ears = Ears(ManualClock())
    ears.listen(reader, lambda events: Heard(reload=bool(events & select.POLLIN)))
    assert ears.wait(0) == SILENT
    os.write(writer, b"x")
    assert ears.wait(0) == Heard(reload=True)
    ears.forget(reader)
    ears.forget(reader)
    assert ears.wait(0) == SILENT
    os.close(reader)
    os.close(writer)


def test_nobody_is_waited_for_longer_than_poll_can_wait():
    ears, (reader, writer) = Ears(ManualClock()), os.pipe()
    ears.listen(reader, lambda _: Heard(stop=True))
    os.write(writer, b"x")
    assert ears.wait(1 << 62).stop
    os.close(reader)
    os.close(writer)


def test_several_voices_at_once_are_one_answer():
    ears, ends = Ears(ManualClock()), []
    for heard in (Heard(signalled=True), Heard(stop=True), Heard(reload=True)):
        reader, writer = os.pipe()
        os.write(writer, b"x")
        ears.listen(reader, lambda _events, heard=heard: heard)
        ends += [reader, writer]
    assert ears.wait(0) == Heard(True, True, True)
    for fd in ends:
        os.close(fd)


def test_a_pressure_file_that_takes_no_trigger_is_named(tmp_path):
    ears = Ears(ManualClock())
    assert ears.blind
    ears.arm(str(tmp_path / "no-such-file"))
    assert ears.blind
    assert len(ears.deaf) == 2
    assert "pressure is read at intervals instead" in ears.deaf[0]


def events(text):
    """A file in memory as memory.events."""
    fd = os.memfd_create("events")
    os.pwrite(fd, text, 0)
    return fd


def test_an_events_file_that_spoke_is_left_alone_for_a_while():
    clock = ManualClock(1)
    ears = Ears(clock)
    fd = events(b"max 7\noom_kill 1\n")
    ears.watch_events([EventsFile(fd, frozenset({"oom_kill"}))])
    os.pwrite(fd, b"max 9\noom_kill 1\n", 0)
    assert ears._heard(fd, select.POLLPRI) == Heard()  # page cache at a limit is no trouble
    os.pwrite(fd, b"max 9\noom_kill 2\n", 0)
    ears.wait(0)
    assert list(ears._quiet) == [fd]
    clock.sleep_us(QUIET_US)
    ears.wait(0)
    assert list(ears._quiet) == []
    assert ears._heard(fd, select.POLLPRI) == Heard(signalled=True)
    ears.watch_events([])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    ears.close()


def test_an_events_file_that_is_gone_is_let_go_of():
    reader, writer = os.pipe()  # cannot be read at an offset, as a removed file cannot be read at all
    ears = Ears(ManualClock(1))
    file = EventsFile(events(b"oom 0\n"), frozenset({"oom"}))
    os.dup2(reader, file.fileno())
    os.close(writer)
    ears.watch_events([file])
    assert ears.wait(0) == Heard(signalled=True)
    assert ears.wait(0) == SILENT
    os.close(reader)
    ears.close()


def test_triggers_of_cgroups_come_and_go_with_them(monkeypatch):
    ends = {}

    def arm(path, *, kind, stall_us, window_us):
        if "/old/" in path:
            raise UnsupportedError(f"{path}: none")
        reader, writer = os.pipe()
        ends[path] = writer
        return psi.Trigger(reader, path, stall_us, window_us, psi.Granted.AS_ASKED)

    monkeypatch.setattr(psi, "arm", arm)
    ears = Ears(ManualClock(1))
    one, other = ("/db", 7, "memory", "full"), ("/old", 8, "memory", "full")
    ears.watch_stalls("/cg", {one: (50_000, 1_000_000), other: (50_000, 1_000_000)})
    assert list(ends) == ["/cg/db/memory.pressure"]
    assert ears.deaf == ["/cg/old/memory.pressure: none"]
    assert ears._heard(next(iter(ears._triggers)), select.POLLPRI) == Heard(signalled=True)
    ears.watch_stalls("/cg", {one: (50_000, 1_000_000), other: (50_000, 1_000_000)})
    assert len(ears._triggers) == len(ears.deaf) == 1
    os.close(ends.popitem()[1])
    # Hung up as when the cgroup is removed: heard once, so that somebody looks, and let go of.
    assert ears.wait(0) == Heard(signalled=True)
    assert ears.wait(0) == SILENT
    assert ears.blind
    # Made anew, it has another inode.
    ears.watch_stalls("/cg", {("/db", 9, "memory", "full"): (50_000, 1_000_000)})
    assert not ears.blind
    ears.watch_stalls("/cg", {})
    assert ears.blind
    ears.close()
    for writer in ends.values():
        os.close(writer)


@pytest.mark.parametrize("kind", ["null", "pipe", "broken"])
def test_a_kernels_log_that_is_none_is_let_go_of(tmp_path, kind):
    """As in containers, where it is a link to /dev/null, or a pipe."""
    path, read = "/dev/null", os.read
    if kind == "pipe":
        path = str(tmp_path / "kmsg")
        os.mkfifo(path)
    elif kind == "broken":

        def read(fd, size):
            raise OSError(EIO, os.strerror(EIO))

    ears = Ears(ManualClock())
    ears.read_kernel_log(Kmsg(path, read=read))
    if kind == "pipe":
        os.close(os.open(path, os.O_WRONLY))
    assert ears.wait(0) == Heard()
    assert ears.wait(0) == SILENT
    why = "Input/output error" if kind == "broken" else "it ends, so it is none"
    assert ears.deaf == [f"the kernel's log is not followed: {why}"]


def test_the_kernels_log_wakes_when_it_speaks_of_memory():
    class Log:
        ended = False

        def __init__(self):
            self.reader, self.writer = os.pipe()
            self.lines = []

        def fileno(self):
            return self.reader

        def records(self):
            os.read(self.reader, 100)
            return self.lines

    log, ears = Log(), Ears(ManualClock())
    ears.read_kernel_log(log)
    for lines, heard in (([b"6,1,2;usb 1-1: new"], False), ([b"4,1,2;a invoked oom-killer: gfp"], True)):
        log.lines = lines
        os.write(log.writer, b"x")
        assert ears.wait(0).signalled is heard
    os.close(log.reader)
    os.close(log.writer)
