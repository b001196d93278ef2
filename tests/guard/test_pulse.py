"""The calm path: how long to sleep, and what is an alarm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard import pulse
from memwarden.guard.pulse import Beat, Pulse
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.snapshot import Instant, Snapshot
from memwarden.units import GIB, MIB

S = 1_000_000
TOTAL = 1000 * MIB


def beat(now_us: int, available_mib: float, **more) -> Beat:
    return Beat(
        now_us, TOTAL, int(available_mib * MIB), **{"swap_free_bytes": 0, "full_us": 0, "some_us": 0, **more}
    )


def test_sleep_is_half_of_how_long_memory_lasts_at_the_fastest():
    # 600 MiB at 200 MiB/s last for 3 s.
    assert Pulse(fill_bps=200 * MIB).feel(beat(S, 600)).sleep_us == 1_500_000


def test_sleep_has_bounds():
    assert Pulse(fill_bps=MIB).feel(beat(S, 900)).sleep_us == pulse.LONGEST_US
    assert Pulse(fill_bps=MIB, blind=True).feel(beat(S, 900)).sleep_us == pulse.LONGEST_BLIND_US
    assert Pulse(fill_bps=GIB * 100).feel(beat(S, 900)).sleep_us == pulse.SHORTEST_US


def test_a_machine_at_rest_is_calm_and_swept_once():
    watch = Pulse()
    replies = [watch.feel(beat(n * S, 900 - n % 2)) for n in range(1, 60)]
    assert {reply.alarm for reply in replies} == {""}
    assert [reply.sweep for reply in replies] == [True] + [False] * 58


def test_a_change_of_two_percent_is_swept_at_most_every_two_seconds():
    watch = Pulse()
    assert watch.feel(beat(S, 900)).sweep
    assert watch.feel(beat(100 * S, 880)).sweep
    assert not watch.feel(beat(102 * S - 1, 860)).sweep
    assert watch.feel(beat(102 * S, 860)).sweep
    assert not watch.feel(beat(104 * S, 879)).sweep
    assert watch.feel(beat(106 * S, 880)).sweep


def test_memory_that_lasts_for_less_than_a_minute_is_an_alarm():
    watch = Pulse()
    watch.feel(beat(S, 900))
    # 20 MiB in 1 s: 880 MiB last for 44 s.
    assert watch.feel(beat(2 * S, 880)).alarm == "at the rate it is filling, memory lasts for 44.0 s"


def test_what_was_lost_before_a_kill_is_no_rate():
    watch = Pulse()
    watch.feel(beat(S, 900))
    assert watch.feel(beat(2 * S, 300)).lasts_us == S // 2  # 600 MiB in 1 s
    # The kill gave 200 MiB back, which would still be 400 MiB in 2 s.
    watch.relieved()
    assert watch.feel(beat(3 * S, 500)).lasts_us is None
    assert watch.feel(beat(4 * S, 480)).lasts_us == 24 * S


def test_a_machine_that_says_it_has_no_memory_is_none_that_fills():
    watch = Pulse()
    for now_us in (S, 2 * S):
        watch.feel(nothing := beat(now_us, 0)._replace(total_bytes=0))
        assert watch.lasts_us(nothing) is None


def test_free_swap_counts_as_memory_that_lasts():
    watch = Pulse()
    watch.feel(beat(S, 900, swap_free_bytes=1000 * MIB))
    assert watch.feel(beat(2 * S, 880, swap_free_bytes=1000 * MIB)).alarm == ""


@pytest.mark.parametrize(
    ("full_us", "some_us", "alarm"),
    [
        (10_000, 0, ""),
        (10_001, 0, "all tasks stalled for 10 of 1000 ms"),
        (0, 100_000, ""),
        (0, 100_001, "some tasks stalled for 100 of 1000 ms"),
        (None, None, ""),
    ],
)
def test_stalls_since_the_last_beat(full_us, some_us, alarm):
    watch = Pulse()
    watch.feel(beat(S, 900))
    assert watch.feel(beat(2 * S, 900, full_us=full_us, some_us=some_us)).alarm == alarm


@pytest.mark.parametrize(
    ("full_us", "available", "late_us", "mild"),
    [
        (79_999, 900, 0, True),
        (80_000, 900, 0, False),
        (20_000, 880, 0, False),  # it is filling
        (20_000, 900, 600_000, False),
        (None, 900, 0, False),
    ],
)
def test_an_alarm_is_mild_where_tasks_stall_but_little(full_us, available, late_us, mild):
    watch = Pulse()
    watch.feel(beat(S, 900))
    known = {"full_us": full_us, "some_us": None if full_us is None else 0}
    reply = watch.feel(beat(2 * S, available, late_us=late_us, signalled=True, **known))
    assert reply.alarm
    assert reply.mild is mild


def test_the_first_beat_and_calm_are_not_mild():
    watch = Pulse()
    assert not watch.feel(beat(S, 900, signalled=True)).mild
    assert not Pulse().feel(beat(S, 900)).mild


def test_an_alarm_lasts_until_calm_has_proved_itself():
    watch = Pulse()
    watch.feel(beat(S, 900))
    assert watch.feel(beat(2 * S, 900, full_us=50_000)).alarm
    assert watch.feel(beat(5 * S - 1, 900, full_us=50_000)).alarm
    assert not watch.feel(beat(5 * S, 900, full_us=50_000)).alarm


def test_being_woken_late_and_triggers_are_alarms():
    assert Pulse().feel(beat(S, 900, late_us=600_000)).alarm == "we were woken 600 ms late"
    assert Pulse().feel(beat(S, 900, signalled=True)).alarm == "a trigger fired"


@pytest.mark.parametrize(("stalls", "lasting"), [(0, False), (None, True)])
def test_a_late_wake_up_is_one_look_where_nobody_stalled_for_memory(stalls, lasting):
    watch = Pulse()
    seen = {"full_us": stalls, "some_us": stalls}
    watch.feel(beat(S, 900, **seen))
    assert watch.feel(beat(4 * S, 900, late_us=600_000, **seen)).alarm == "we were woken 600 ms late"
    assert bool(watch.feel(beat(5 * S, 900, **seen)).alarm) == lasting


def test_a_late_wake_up_does_not_end_an_alarm_sooner():
    watch = Pulse()
    watch.feel(beat(S, 900))
    assert watch.feel(beat(2 * S, 900, signalled=True)).alarm == "a trigger fired"
    assert watch.feel(beat(3 * S, 900, late_us=600_000)).alarm == "a trigger fired"
    assert watch.feel(beat(5 * S - 1, 900)).alarm == "a trigger fired"
    assert watch.feel(beat(5 * S, 900)).alarm == ""


def test_a_clock_that_went_back_starts_anew():
    watch = Pulse()
    watch.feel(beat(100 * S, 900))
    assert watch.feel(beat(50 * S, 100, full_us=10_000_000)).alarm == ""


@given(st.lists(st.tuples(st.integers(1, 3 * S), st.integers(0, 1000)), min_size=1, max_size=50))
def test_sleep_always_has_bounds_and_an_alarm_is_never_swept(moves):
    watch, now = Pulse(fill_bps=100 * MIB), 0
    for step, available in moves:
        now += step
        reply = watch.feel(beat(now, available))
        assert pulse.SHORTEST_US <= reply.sleep_us <= pulse.LONGEST_US
        assert not (reply.alarm and reply.sweep)


def test_a_nap_lasts_as_long_as_free_memory_at_the_fastest():
    watch = Pulse(fill_bps=1000 * MIB)
    assert watch.feel(beat(S, 600)).sleep_us == S * 300 // 1000
    # 400 MiB of it are free: gone after 0.4 s; 200 MiB after 0.2 s, half of all after 0.3 s.
    assert watch.nap_us(S, 400 * MIB) == S * 400 // 1000
    watch.feel(beat(2 * S, 600))
    assert watch.nap_us(2 * S, 200 * MIB) == S * 300 // 1000


def test_naps_end_when_a_beat_is_due_by_time():
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 600))
    assert watch.nap_us(S, 400 * MIB) == 400_000
    assert watch.nap_us(2_800_000, 400 * MIB) == 200_000  # two seconds after the beat
    assert watch.nap_us(3 * S, 400 * MIB) == 0


@pytest.mark.parametrize(("free_mib", "naps"), [(391, True), (390, False), (409, True), (410, False)])
def test_naps_end_when_free_memory_moves_by_a_percent(free_mib, naps):
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 600))
    watch.nap_us(S, 400 * MIB)
    assert bool(watch.nap_us(S + 400_000, free_mib * MIB)) == naps


def test_no_nap_without_a_beat_nor_in_alarm_nor_where_reclaim_may_be_at_work():
    watch = Pulse()
    assert watch.nap_us(S, 900 * MIB) == 0
    watch.feel(beat(S, 900))
    assert watch.nap_us(S - 1, 900 * MIB) == 0
    assert watch.nap_us(S, 50 * MIB - 1) == 0
    assert watch.nap_us(S, 50 * MIB) > 0
    watch.feel(beat(2 * S, 900, signalled=True))
    assert watch.nap_us(2 * S, 900 * MIB) == 0


@pytest.mark.parametrize(
    ("free_mib", "naps"),
    # 10 MiB a second were lost before, 20 in two seconds: twice as many may go, and 10 more, a percent.
    [(900, True), (350, True), (349, False)],
)
def test_a_rest_in_an_alarm_ends_when_memory_fills_faster_than_before(free_mib, naps):
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 520))
    assert watch.feel(beat(3 * S, 500)).lasts_us == 50 * S
    assert watch.nap_us(3 * S, 400 * MIB, 2 * S) == 400_000
    assert bool(watch.nap_us(3 * S + 400_000, free_mib * MIB)) == naps


def test_glances_in_an_alarm_are_no_wake_ups_that_the_rate_is_taken_over():
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 520))
    watch.feel(beat(3 * S, 500))
    for n in range(20):
        assert watch.nap_us(3 * S + 100_000 * n, 400 * MIB, 4 * S)
    assert watch.feel(beat(5 * S, 480)).lasts_us == 48 * S


@pytest.mark.parametrize(
    ("rest_us", "free_mib"), [(pulse.SHORTEST_US, 400), (2 * S, 49)], ids=["a short one", "reclaim"]
)
def test_a_rest_without_glances(rest_us, free_mib):
    watch = Pulse(fill_bps=1000 * MIB)
    assert watch.nap_us(S, free_mib * MIB, rest_us) == 0  # nothing was felt yet
    watch.feel(beat(S, 500, signalled=True))
    assert watch.nap_us(S, free_mib * MIB, rest_us) == 0


def test_after_a_kill_nothing_is_known_of_the_rate_and_a_percent_ends_the_rest():
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 700))
    assert watch.feel(beat(2 * S, 500)).lasts_us is not None
    watch.relieved()
    assert watch.nap_us(2 * S, 400 * MIB, S) == 400_000
    assert watch.nap_us(2_400_000, 389 * MIB) == 0


def test_where_memory_does_not_fill_a_percent_of_it_ends_the_rest():
    watch = Pulse(fill_bps=1000 * MIB)
    watch.feel(beat(S, 500, signalled=True))
    assert watch.nap_us(S, 400 * MIB, 2 * S) == 400_000
    assert watch.nap_us(S + 400_000, 390 * MIB) == 390_000
    assert watch.nap_us(2 * S, 389 * MIB) == 0


def test_a_nap_never_lasts_longer_than_available_memory_though_more_is_free():
    # 100 MiB are free and 40 of them reserved: 60 MiB at 100 MiB/s are gone after 0.6 s.
    watch = Pulse(fill_bps=100 * MIB)
    watch.feel(beat(S, 60))
    assert watch.nap_us(S, 100 * MIB) == S * 600 // 1000


@given(st.integers(1, 1000), st.integers(0, 1000), st.lists(st.integers(-9, 9), max_size=9))
def test_no_nap_is_longer_than_memory_lasts_at_the_fastest(available, free, moves):
    fill = 100 * MIB
    watch, now, spare = Pulse(fill_bps=fill), S, free
    watch.feel(beat(S, available))
    nap = watch.nap_us(now, spare * MIB)
    for move in moves:
        if not nap:
            break
        assert nap <= max(pulse.SHORTEST_US, available * MIB * S // fill)
        now, spare = now + nap, free + move
        assert now <= S + pulse.LONGEST_US + pulse.SHORTEST_US
        nap = watch.nap_us(now, max(spare, 0) * MIB)


def test_the_rate_of_filling_is_seen_as_soon_with_naps_as_with_beats():
    # 40 MiB/s after 1.6 s in which nothing moved; looked at every 0.2 s.
    alarmed = []
    for naps in (False, True):
        watch, due = Pulse(fill_bps=2000 * MIB), True
        for n in range(60):
            now, free = S + n * 200_000, 500 - max(0, n - 8) * 8
            due = due or not naps or not watch.nap_us(now, free * MIB)
            if due and watch.feel(beat(now, free + 100)).alarm:
                alarmed.append(n)
                break
            due = not watch.nap_us(now, free * MIB)
    assert alarmed[1] - alarmed[0] <= 1


def test_the_beat_of_a_snapshot():
    pressure = Psi(PsiLine(0, 0, 0, 7), PsiLine(0, 0, 0, 5))
    meminfo = {"MemTotal": 3, "MemAvailable": 2, "SwapFree": 1}
    snapshot = Snapshot(Instant(9), meminfo=meminfo, memory_pressure=pressure)
    assert pulse.of_snapshot(snapshot, late_us=4) == Beat(9, 3, 2, 1, 5, 7, 4)
    assert pulse.of_snapshot(Snapshot(Instant(9), meminfo={"MemTotal": 3, "MemAvailable": 2})) == Beat(
        9, 3, 2, 0
    )
    assert pulse.of_snapshot(Snapshot(Instant(9), meminfo={"MemTotal": 3})) is None
    assert pulse.of_snapshot(Snapshot(Instant(9))) is None
