"""The thread that writes: in order, bounded, and nobody waits for it who does not want to."""

from __future__ import annotations

import os

import pytest

from memwarden.host import threads
from memwarden.host import writer as writer_module
from memwarden.host.clock import SystemClock
from memwarden.host.writer import FULL, Writer
from memwarden.testing.clock import ManualClock

LONG_US = 60_000_000
"""A thread that has something to do is done long before."""


class Disk:
    """Hangs until it is let go, then has every line; the real ones are in lab/guest/faults."""

    name = "disk"

    def __init__(self):
        self.lines = []
        self._read, self._write = os.pipe()

    def append(self, line):
        os.read(self._read, 1)
        self.lines.append(line)

    def let_go(self):
        if self._write >= 0:
            os.close(self._write)
        self._write = -1


@pytest.fixture
def disk():
    made = Disk()
    yield made
    made.let_go()


@pytest.fixture
def hung(disk):
    """A writer whose first write hangs, a clock, and what was said to have failed."""
    clock, failed = ManualClock(7_000_000), []
    writer = Writer("/state", clock)
    writer.put(lambda: disk.append(b"first"), 5, failed.append)
    writer.wake()
    yield writer, clock, failed
    writer.close()


def test_whoever_hands_over_does_not_wait(hung, disk):
    writer, clock, failed = hung
    for line in (b"second", b"third"):
        writer.put(lambda line=line: disk.append(line), 5, failed.append)
    assert writer.stuck_us() == 0
    clock.sleep_us(3_000_000)
    writer.collect()
    assert writer.stuck_us() == 3_000_000
    assert not writer.wait(0)
    assert not writer.wait(1000)
    disk.let_go()
    assert writer.wait(LONG_US)
    assert disk.lines == [b"first", b"second", b"third"]
    assert writer.stuck_us() == 0
    assert failed == []


def test_what_moves_is_not_stuck(hung, disk):
    writer, clock, failed = hung
    clock.sleep_us(3_000_000)
    disk.let_go()
    assert writer.wait(LONG_US)
    writer.put(lambda: None, 0, failed.append)  # nobody wakes the thread
    writer.collect()
    assert writer.stuck_us() == 0
    clock.sleep_us(1)
    assert writer.stuck_us() == 1
    assert writer.wait(LONG_US)


def test_nothing_is_begun_before_the_thread_is_woken():
    begun, writer = [], Writer("/state", SystemClock())
    writer.put(lambda: begun.append(1), 0, begun.append)
    assert begun == []
    writer.wake()
    assert writer.wait(LONG_US)
    assert begun == [1]
    writer.close()


def test_no_more_than_so_many_may_wait(hung, disk, monkeypatch):
    writer, _, failed = hung
    monkeypatch.setattr(writer_module, "MOST", 2)
    for _ in range(3):
        writer.put(lambda: disk.append(b"more"), 0, failed.append)
    assert failed == [FULL] * 2
    disk.let_go()
    assert writer.wait(LONG_US)
    assert disk.lines == [b"first", b"more"]
    writer.put(lambda: disk.append(b"again"), 0, failed.append)
    assert writer.wait(LONG_US)
    assert disk.lines[2:] == [b"again"]
    assert len(failed) == 2


def test_no_more_than_so_many_bytes_may_wait_and_less_of_what_is_not_precious(hung, disk, monkeypatch):
    writer, _, failed = hung
    monkeypatch.setattr(writer_module, "MOST_BYTES", 20)
    writer.put(lambda: disk.append(b"large"), 5, failed.append, share=2)
    writer.put(lambda: disk.append(b"refused"), 1, failed.append, share=2)
    assert failed == [FULL]
    writer.put(lambda: disk.append(b"precious"), 99, failed.append)
    writer.put(lambda: disk.append(b"refused"), 1, failed.append)
    assert failed == [FULL] * 2
    disk.let_go()
    assert writer.wait(LONG_US)
    assert disk.lines == [b"first", b"large", b"precious"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (MemoryError(), "MemoryError()"),
    ],
)
def test_who_failed_is_told_when_it_is_collected_and_the_next_one_is_done(error, said):
    def fail():
        raise error

    done, failed, writer = [], [], Writer("/state", SystemClock())
    writer.put(fail, 1, failed.append)
    writer.put(lambda: done.append(1), 1, failed.append)
    assert writer.wait(LONG_US)
    assert (done, failed) == ([1], [said])
    writer.close()


def test_it_ends_after_what_it_still_has_to_do(monkeypatch):
    blocked, done = [], []
    started = []
    monkeypatch.setattr(threads._thread, "start_new_thread", lambda run, _words: started.append(run))
    monkeypatch.setattr(threads.signal, "pthread_sigmask", lambda *words: blocked.append(words))
    writer = Writer("/state", SystemClock())
    writer.put(lambda: done.append(1), 1, done.append)
    writer.close()
    started[0]()
    assert done == [1]
    assert blocked == [(threads.signal.SIG_BLOCK, threads.signal.valid_signals())]
