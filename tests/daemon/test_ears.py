"""What wakes the guard, on real descriptors: pipes, and files that poll calls ready."""

from __future__ import annotations

import os
import select

from memwarden.daemon.ears import QUIET_US, Ears
from memwarden.daemon.loop import Heard
from memwarden.testing.clock import ManualClock


def test_a_descriptor_that_is_ready_is_heard_and_can_be_forgotten():
    reader, writer = os.pipe()
    ears = Ears(ManualClock())
    ears.listen(reader, lambda events: Heard(reload=bool(events & select.POLLIN)))
    assert ears.wait(0) == Heard()
    os.write(writer, b"x")
    assert ears.wait(0) == Heard(reload=True)
    ears.forget(reader)
    ears.forget(reader)
    assert ears.wait(0) == Heard()
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


def test_an_events_file_that_spoke_is_left_alone_for_a_while():
    clock = ManualClock(1)
    ears = Ears(clock)
    # A pipe whose writer is gone is ready with POLLHUP: as good as a file that is removed.
    reader, writer = os.pipe()
    os.close(writer)
    ears.watch_events([reader])
    assert ears.wait(0).signalled
    assert ears.wait(0) == Heard()
    file = os.memfd_create("events")
    ears.watch_events([file])
    assert ears._heard(file, select.POLLPRI) == Heard(signalled=True)
    assert list(ears._quiet) == [file]
    ears.wait(0)
    assert list(ears._quiet) == [file]
    clock.sleep_us(QUIET_US)
    ears.wait(0)
    assert list(ears._quiet) == []
    ears.close()


def test_the_kernels_log_wakes_when_it_speaks_of_memory():
    class Log:
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
