"""A recording in a few numbers: what is kept of it, and that it stays few."""

from __future__ import annotations

from memwarden.guard.course import MOST, Course, Stretch
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.snapshot import Instant, Snapshot


def snapshot(available=None, full_us=None, swap_free=None):
    meminfo = {"MemTotal": 100, "SwapTotal": 50}
    if available is not None:
        meminfo["MemAvailable"] = available
    if swap_free is not None:
        meminfo["SwapFree"] = swap_free
    full = None if full_us is None else PsiLine(0.0, 0.0, 0.0, full_us)
    pressure = None if full is None else Psi(some=full, full=full)
    return Snapshot(Instant(0), meminfo=meminfo, memory_pressure=pressure)


def course(*seen):
    made = Course()
    for time_us, one in seen:
        made.add(time_us, one)
    return made


def test_each_snapshot_ends_a_stretch():
    made = course((10, snapshot(80, 5, 50)), (20, snapshot(30, 9, 20)))
    assert made.stretches == [Stretch(10, 10, 20, 0, None), Stretch(10, 20, 70, 30, 4)]
    assert (made.total_bytes, made.swap_total_bytes) == (100, 50)


def test_what_a_recording_does_not_say():
    made = course((1, Snapshot(Instant(0))), (2, snapshot()), (3, snapshot(full_us=7)))
    assert made.stretches == [
        Stretch(1, 1, None, None, None),
        Stretch(1, 2, None, None, None),
        Stretch(2, 3, None, None, None),
    ]


def test_a_machine_that_was_started_anew_says_nothing_of_the_stall_between():
    made = course((10, snapshot(80, 5)), (3, snapshot(80, 2)), (5, snapshot(80, 3)))
    assert made.stretches[1:] == [Stretch(3, 3, 20, None, None), Stretch(3, 5, 20, None, 1)]


def test_a_long_one_keeps_the_highest_and_all_of_the_stall():
    count = 10 * MOST + 1
    made = course(*((at, snapshot(100 - at % 50, 2 * at)) for at in range(count)))
    assert MOST // 2 <= len(made.stretches) <= MOST
    assert (made.stretches[0].begin_us, made.stretches[-1].end_us) == (0, count - 1)
    assert max(one.used_bytes for one in made.stretches) == 49
    assert sum(one.stalled_us for one in made.stretches) == 2 * (count - 1)
    ends = [one.end_us for one in made.stretches[:-1]]
    assert ends == [one.begin_us for one in made.stretches[1:]]


def test_joined_of_unknown_and_known():
    nothing, something = Stretch(0, 1, None, None, None), Stretch(1, 2, 5, 6, 7)
    assert nothing.joined(something) == Stretch(0, 2, 5, 6, 7)
    assert something.joined(Stretch(2, 3, None, None, None)) == Stretch(1, 3, 5, 6, 7)
    assert nothing.joined(Stretch(1, 2, None, None, None)) == Stretch(0, 2, None, None, None)
