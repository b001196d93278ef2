"""What is read at every wake-up, from a machine that has everything and from one that loses it."""

from __future__ import annotations

from memwarden.daemon.beats import MEMINFO, PRESSURE, Beats
from memwarden.errors import ReadError
from memwarden.guard.pulse import Beat
from memwarden.state.snapshot import Instant

FILES = {
    MEMINFO: b"MemTotal: 100 kB\nMemAvailable: 60 kB\nSwapFree: 5 kB\n",
    PRESSURE: b"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    b"full avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
}


class Machine:
    def __init__(self, **files):
        self.files = dict(FILES)

    def instant(self):
        return Instant(9)

    def read(self, path):
        if path not in self.files:
            raise ReadError(path, "ENOENT")
        return self.files[path]


def test_a_beat_has_its_figures():
    machine = Machine()
    beats = Beats(machine)
    assert beats.read(late_us=2, signalled=True) == Beat(9, 102400, 61440, 5120, 3, 7, 2, True)
    assert not beats.blind


def test_the_pressure_file_may_go_while_we_run():
    machine = Machine()
    beats = Beats(machine)
    del machine.files[PRESSURE]
    assert beats.read() == Beat(9, 102400, 61440, 5120)
    assert beats.blind
    machine.files[PRESSURE] = FILES[PRESSURE]
    beats.read()
    assert not beats.blind


def test_free_memory_is_glanced_at_where_the_kernel_and_the_files_mean_one_machine():
    machine = Machine()
    machine.files[MEMINFO] = b"MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 600 kB\nSwapFree: 5 kB\n"
    beats = Beats(machine)
    assert beats.free_bytes() == 0
    assert beats.heed_free(lambda: 510 << 10)  # a percent of the machine moves between the two
    assert beats.free_bytes() == 510 << 10
    assert not beats.heed_free(lambda: 511 << 10)
    assert beats.free_bytes() == 0


def test_free_memory_is_not_glanced_at_without_stalls_or_meminfo():
    machine = Machine()
    machine.files[MEMINFO] = b"MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 600 kB\nSwapFree: 5 kB\n"
    beats = Beats(machine)
    assert beats.heed_free(lambda: 500 << 10)
    del machine.files[PRESSURE]
    beats.read()
    assert beats.free_bytes() == 0
    del machine.files[MEMINFO]
    assert not beats.heed_free(lambda: 500 << 10)


def test_a_machine_that_says_nothing_has_no_beat():
    machine = Machine()
    machine.files[MEMINFO] = b"MemTotal: 100 kB\n"
    assert Beats(machine).read() is None
    del machine.files[MEMINFO]
    assert Beats(machine).read() is None
