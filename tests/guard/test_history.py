"""What is remembered: windows, increments, inodes, partial snapshots, calm moments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.guard.history import COUNTERS, History
from memwarden.state.snapshot import HostFacts
from tests.guard.ticks import MIB, MS, S, group, leak, past, psi, tick


def stalls(*totals_us, every=100 * MS, path="/a"):
    return past(
        *(
            tick(
                at * every,
                group(path, memory_pressure=psi(full_us=total)),
                memory_pressure=psi(full_us=total),
            )
            for at, total in enumerate(totals_us)
        )
    )


def test_stall_in_a_window_is_the_rise_of_the_total():
    history = stalls(0, 10_000, 40_000, 90_000)
    assert history.stalled_us("/a", "memory", "full", 100 * MS) == 50_000
    assert history.stalled_us("/a", "memory", "full", 200 * MS) == 80_000
    assert history.stalled_us("/", "memory", "some", 300 * MS) == 90_000


def test_at_the_edge_of_the_window_it_counts_pro_rata():
    # Half of the 30 ms between the second and the third sample, and all 50 ms after that.
    assert stalls(0, 10_000, 40_000, 90_000).stalled_us("/a", "memory", "full", 150 * MS) == 65_000


def test_a_short_past_tells_what_it_knows():
    assert stalls(0, 10_000).stalled_us("/a", "memory", "full", 10 * S) == 10_000
    assert stalls(0).stalled_us("/a", "memory", "full", S) is None
    assert History().stalled_us("/", "memory", "full", S) is None
    assert History().stalled_us("/a", "memory", "full", S) is None


def test_what_was_not_read_for_a_window_is_not_known():
    history = stalls(0, 10_000)
    history.add(tick(2 * S), whole=False)
    assert history.stalled_us("/a", "memory", "full", S) is None
    # The window ends where the last sample is.
    assert history.stalled_us("/a", "memory", "full", 3 * S) == 10_000


def test_a_kernel_without_pressure_is_unknown_and_not_calm():
    history = past(tick(0, group("/a")), tick(S, group("/a")))
    assert history.stalled_us("/a", "memory", "full", S) is None
    assert history.stalled_us("/", "cpu", "full", S) is None
    assert history.increment("/a", "pgscan", S) is None
    assert history.increment("/a", "events.oom", S) is None
    assert history.held("/a") is None
    assert history.growth("/a") is None
    assert history.growth("/none") is None


def test_a_line_that_is_not_printed_is_unknown():
    history = past(*(tick(at, cpu_pressure=psi()._replace(full=None)) for at in (0, S)))
    assert history.stalled_us("/", "cpu", "full", S) is None
    assert history.stalled_us("/", "cpu", "some", S) == 0


@pytest.mark.parametrize(
    "counter", ["pgscan", "refault_file", "pswpout", "events.high", "events_local.oom", "io_bytes"]
)
def test_increments_of_a_cgroup(counter):
    def at(seconds, count):
        return tick(
            seconds * S,
            group(
                "/a",
                stat={"pgscan": count, "workingset_refault_file": count, "pswpout": count},
                events={"high": count},
                events_local={"oom": count},
                io_bytes={"8:0": (count - 1, 1)},
            ),
        )

    history = past(at(0, 100), at(1, 130), at(2, 137))
    assert counter in COUNTERS
    assert history.increment("/a", counter, S) == 7
    assert history.increment("/a", counter, 2 * S) == 37
    assert history.since_last("/a", counter) == (7, S)
    assert history.since_last("/a", counter).per_second == 7.0


def test_increments_of_the_machine():
    def at(seconds, count):
        return tick(
            seconds * S,
            vmstat={
                "pgscan_kswapd": count, "pgscan_direct": 2 * count, "pgscan_proactive": 1000 * count,
                "workingset_refault_anon": count, "pswpout": count, "oom_kill": count,
            },
        )  # fmt: skip

    history = past(at(0, 0), at(1, 5))
    # What somebody asked for (pgscan_proactive) is no sign of shortage.
    assert history.increment("/", "pgscan", S) == 15
    assert history.increment("/", "refault_anon", S) == 5
    assert history.increment("/", "refault_file", S) is None
    assert history.increment("/", "events.oom_kill", S) == 5
    assert history.increment("/", "events_local.oom_kill", S) is None


def test_both_refaults_were_one_counter_once():
    history = past(*(tick(at * S, group("/a", stat={"workingset_refault": 10 * at})) for at in (0, 1)))
    assert history.increment("/a", "refault_file", S) == 10


def test_an_event_is_not_divided_at_the_edge():
    history = past(*(tick(at * 8 * S, group("/a", events={"oom": at})) for at in (0, 1)))
    assert history.increment("/a", "events.oom", 5 * S) == 1


def test_pages_are_divided_and_rounded_down():
    history = past(*(tick(at * 8 * S, group("/a", stat={"pgscan": 10 * at})) for at in (0, 1)))
    # Five eighths of 10.
    assert history.increment("/a", "pgscan", 5 * S) == 6


def test_a_counter_that_went_backwards_gives_nothing():
    history = past(*(tick(at * S, group("/a", stat={"pgscan": 10 - at})) for at in (0, 1)))
    assert history.increment("/a", "pgscan", S) is None
    assert history.since_last("/a", "pgscan") is None


def test_the_last_two_looks():
    history = past(tick(0, group("/a", stat={"pgscan": 1})))
    assert history.since_last("/a", "pgscan") is None
    assert history.since_last("/none", "pgscan") is None
    history.add(tick(S, group("/a")))
    history.add(tick(3 * S, group("/a", stat={"pgscan": 7})))
    assert history.since_last("/a", "pgscan") == (6, 3 * S)
    history.add(tick(4 * S, group("/a")))
    # Not read at the last look.
    assert history.since_last("/a", "pgscan") is None


def test_another_inode_has_no_past():
    history = past(tick(0, group("/a", inode=7, held=5)), tick(S, group("/a", inode=8, held=500)))
    assert history.increment("/a", "pgscan", 2 * S) is None
    assert history.held("/a") == 500 * MIB
    assert history.growth("/a") is None


def test_a_cgroup_that_vanished_is_forgotten_but_not_one_that_was_not_read():
    history = stalls(0, 10_000)
    history.add(tick(300 * MS), whole=False)
    assert history.stalled_us("/a", "memory", "full", S) == 10_000
    history.add(tick(400 * MS))
    assert history.stalled_us("/a", "memory", "full", S) is None


def test_a_cgroup_that_is_never_read_is_forgotten_in_the_end():
    history = past(tick(0, group("/a", held=1)), keep_us=10 * S)
    history.add(tick(10 * S), whole=False)
    assert history.held("/a") == MIB
    history.add(tick(10 * S + 1), whole=False)
    assert history.held("/a") is None


def test_another_boot_and_time_that_went_back_begin_anew():
    for later in (tick(2 * S, host=HostFacts(boot_id="other")), tick(S // 2)):
        history = past(tick(0, group("/a", held=1)), tick(S, group("/a", held=1)))
        history.mark_calm(tick(S, group("/a", held=1)))
        history.add(later)
        assert (history.held("/a"), history.calm_us, history.now_us) == (
            None, None, later.instant.monotonic_us,
        )  # fmt: skip


def test_the_same_instant_again_is_no_sample():
    history = stalls(0, 10_000)
    history.add(tick(100 * MS, group("/a", memory_pressure=psi(full_us=99_000))))
    assert history.stalled_us("/a", "memory", "full", S) == 10_000


def test_what_the_machine_holds_and_how_it_grows():
    history = past(*leak(mib_per_s=40))
    assert history.held("/") == history.held("/a") == 112 * MIB
    for path in ("/", "/a"):
        assert history.growth(path).rate_bps == pytest.approx(40 * MIB)


def test_growth_of_what_was_not_read_lately_is_unknown():
    history = past(*leak())
    history.add(tick(20 * S), whole=False)
    assert history.growth("/a") is None


def test_taken_since_the_last_calm_moment():
    calm = tick(
        0, group("/db", held=400), group("/leak", held=10), group("/gone", held=5), group("/bare"), held=500
    )
    history = past(calm)
    assert history.taken_bytes("/db") is None
    history.mark_calm(calm)
    assert history.calm_us == 0
    now = (
        group("/db", held=390), group("/leak", held=150), group("/new", held=30), group("/bare", held=3),
        group("/gone", held=7, inode=99),
    )  # fmt: skip
    history.add(tick(S, *now, held=700))
    assert history.taken_bytes("/db") == -10 * MIB
    assert history.taken_bytes("/leak") == 140 * MIB
    # Younger than the calm moment, by name or by inode: all of it.
    assert history.taken_bytes("/new") == 30 * MIB
    assert history.taken_bytes("/gone") == 7 * MIB
    # Was not readable then.
    assert history.taken_bytes("/bare") is None
    assert history.taken_bytes("/none") is None
    assert history.taken_bytes("/") == 200 * MIB


def test_a_partial_calm_moment_keeps_what_it_did_not_see():
    history = past(tick(0, group("/a", held=10), group("/b", held=10), group("/c", held=10)))
    history.mark_calm(tick(0, group("/a", held=10), group("/b", held=10)))
    history.mark_calm(tick(0, group("/a", held=15)), whole=False)
    history.add(tick(S, group("/a", held=20), group("/b", held=20), group("/c", held=20)))
    assert [history.taken_bytes(path) for path in ("/a", "/b", "/c")] == [5 * MIB, 10 * MIB, None]


def test_gaps_within_a_window():
    history = History(keep_us=5 * S)
    for at, late in ((0, 0), (1, 300_000), (2, 900_000), (3, 100_000)):
        history.add(tick(at * S), late_us=late)
    assert history.gap_us(10 * S) == 900_000
    assert history.gap_us(S) == 100_000
    for at in range(4, 9):
        history.add(tick(at * S))
    assert history.gap_us(100 * S) == 100_000


def test_figures_beyond_63_bits_are_unknown():
    huge = group("/a", stat={"pgscan": 1 << 63, "pswpout": 5})
    history = past(tick(0, huge), tick(S, huge))
    assert history.increment("/a", "pgscan", S) is None
    assert history.increment("/a", "pswpout", S) == 0


def busy(seconds, every=100 * MS, keep_us=130 * S):
    return past(
        *(
            tick(
                at,
                group("/a", held=100 + at / S % 7, memory_pressure=psi(full_us=at // 2)),
                group("/idle", held=1),
            )
            for at in range(0, seconds * S, every)
        ),
        keep_us=keep_us,
    )


def test_memory_is_bounded_and_windows_stay_right():
    history = busy(300)
    rows = {path: len(one.rows) // 26 for path, one in history._pasts.items()}
    # 32 wait for thinning and 2 s are dense (20). Beyond, four cells per doubling of age from 0.4 s to 128 s,
    # that is 8.3 times, with two samples each: 67. Four are younger than that, one is the horizon's.
    assert rows["/a"] <= 124
    # Two seconds dense, both ends of what did not change, what waits.
    assert rows["/idle"] <= 60
    for window in (S, 10 * S, 60 * S, 120 * S):
        assert history.stalled_us("/a", "memory", "full", window) == window // 2
    assert history.stalled_us("/idle", "memory", "full", S) is None


def test_thinning_keeps_the_peaks():
    def at(number):
        return tick(number * 100 * MS, group("/a", held=900 if number == 100 else 100))

    history = past(*(at(number) for number in range(600)))
    assert max(history._pasts["/a"].known(1)[1]) == 900 * MIB


def test_a_long_calm_leaves_both_of_its_ends():
    history = past(*(tick(at * S, group("/a", held=1)) for at in range(1, 101)))
    times = list(history._pasts["/a"].known(1)[0])
    assert times[0] == S
    assert len(times) < 40


@given(
    st.lists(st.tuples(st.integers(1, 5_000_000), st.floats(0, 1)), min_size=2, max_size=80),
    st.integers(1, 20_000_000),
    st.integers(0, 20_000_000),
)
def test_a_windows_stall_is_never_more_than_the_window_and_grows_with_it(steps, window, more):
    at = total = 0
    history = History()
    for gap, share in steps:
        at += gap
        total += int(gap * share)
        history.add(tick(at, group("/a", memory_pressure=psi(full_us=total))))
    found = history.stalled_us("/a", "memory", "full", window)
    wider = history.stalled_us("/a", "memory", "full", window + more)
    assert 0 <= found <= min(window, total)
    assert found <= wider


def drop(after_us=None):
    """Ticks at which memory is given back and taken again, and what is left below the earlier peak."""
    history = History()
    for at, held in enumerate((100, 400, 400, 0, 0, 0, 0, 4, 8, 12, 16)):
        history.add(tick(at * 100 * MS, group("/a/b", held=held), group("/a", held=held), held=held))
        if after_us == at * 100 * MS:
            history.mark_kill("/a/b")
            history.mark_kill("/gone")
    return [history.growth(path)[-2:] for path in ("/a/b", "/a", "/")]


def test_after_a_kill_the_peak_before_does_not_count():
    assert drop() == [(True, (400 - 16) * MIB)] * 3
    assert drop(300 * MS) == [(False, 0)] * 3
    # The victim is marked when it is killed, and its memory falls after that.
    assert drop(100 * MS) == [(False, 0)] * 3


def test_once_a_kill_has_settled_peaks_count_again():
    history = History()
    for at in range(100):
        history.add(tick(at * 100 * MS, group("/a", held=at % 20)))
        if at == 30:
            history.mark_kill("/a")
    assert history.growth("/a").recovers is False  # at the top of a tooth of 2 s, of 19
    for at in range(100, 110):
        history.add(tick(at * 100 * MS, group("/a", held=at % 20)))
    assert history.growth("/a")[-2:] == (True, 10 * MIB)


def test_after_a_kill_by_the_kernel_too():
    history = History()
    for at, held in enumerate((100, 400, 400, 0, 0, 0, 0, 4, 8, 12, 16)):
        killed = {"oom_kill": int(at >= 2)}
        history.add(tick(at * 100 * MS, group("/a", held=held, events=killed), held=held, vmstat=killed))
    assert [history.growth(path).recovers for path in ("/a", "/")] == [False, False]


@given(st.lists(st.integers(0, 100), min_size=60, max_size=160), st.integers(1, 18), st.integers(20, 150))
def test_thinning_leaves_short_windows_exact_and_long_ones_within_a_quarter(stalls_ms, short, long):
    totals = [sum(stalls_ms[: at + 1]) * MS for at in range(len(stalls_ms))]
    history = stalls(*totals)
    long = min(long, len(totals) - 1)
    exact = [totals[-1] - totals[-1 - ticks] for ticks in (short, long)]
    assert history.stalled_us("/a", "memory", "full", short * 100 * MS) == exact[0]
    # The edge is in a cell of at most a quarter of its age beyond 2 s; all or nothing of it may have stalled.
    cell = max(long * 100 * MS - 2 * S, 0) // 4 + 100 * MS
    found = history.stalled_us("/a", "memory", "full", long * 100 * MS)
    assert abs(found - exact[1]) <= cell


LOOKS = st.lists(
    st.tuples(
        st.sampled_from([20 * MS, 20 * MS, 100 * MS, 700 * MS, 5 * S, 40 * S]),
        st.lists(
            st.sampled_from(["same", "grown", "stalled", "oom", "gone", "anew"]), min_size=2, max_size=2
        ),
        st.booleans(),
        st.booleans(),
    ),
    max_size=40,
)


@given(LOOKS)
def test_who_is_as_it_was_has_the_same_past_as_if_it_had_been_read_again(looks):
    lazy, eager = History(), History()
    now, inode, state = 0, 100, {"/a": [1, MIB, 0, 0], "/b": [2, MIB, 0, 0]}
    known: dict[str, object] = {}
    for number, (step, fates, whole, asked) in enumerate(looks):
        now, inode = now + step, inode + 2
        there = {}
        for path, fate in zip(("/a", "/b"), fates, strict=True):
            mine = state[path]
            if fate == "gone":
                known.pop(path, None)
                continue
            if fate == "anew":
                mine[:] = [inode + (path == "/b"), MIB, 0, 0]
            mine[1] += MIB * (fate == "grown")
            mine[2] += 10 * MS * (fate == "stalled")
            mine[3] += fate == "oom"
            events = dict.fromkeys(("low", "high", "max", "oom", "oom_kill", "oom_group_kill"), mine[3])
            fresh = group(
                path,
                held=mine[1],
                inode=mine[0],
                current_bytes=mine[1],
                memory_pressure=psi(full_us=mine[2]),
                events=events,
            )
            if known.get(path) != fresh:
                known[path] = fresh
            there[path] = fresh
        lazy.add(tick(now)._replace(cgroups={path: known[path] for path in there}), whole=whole)
        eager.add(tick(now)._replace(cgroups=there), whole=whole)
        if not asked and number < len(looks) - 1:
            continue  # a question has the samples written down
        for path in ("/a", "/b"):
            for window in (50 * MS, S, 10 * S, 60 * S):
                assert lazy.increment(path, "events.oom", window) == eager.increment(
                    path, "events.oom", window
                )
                stalled = [one.stalled_us(path, "memory", "full", window) for one in (lazy, eager)]
                assert stalled[0] == stalled[1]
            assert lazy.held(path) == eager.held(path)
            if now <= 2 * S:  # older samples are thinned out when there are many, and these have fewer
                assert lazy.growth(path) == eager.growth(path)
            rose = [one.since_last(path, "events.oom") for one in (lazy, eager)]
            assert rose[0] == rose[1]
            averages = [one.average_bytes(path) for one in (lazy, eager)]
            assert averages[0] == pytest.approx(averages[1])


def test_the_looks_of_two_seconds_are_remembered_and_three_in_any_case():
    history = History()
    for at in range(0, 100 * S, 50 * MS):
        history.add(tick(at))
    assert list(history._times) == list(range(98 * S - 50 * MS, 100 * S, 50 * MS))
    same = group("/same", held=1)
    for at in range(2):
        history.add(tick(100 * S + 5 * at * S)._replace(cgroups={"/same": same}))
    assert history.growth("/same") is None  # two samples
    history.add(tick(110 * S)._replace(cgroups={"/same": same}))
    assert history.growth("/same").rate_bps == 0
    assert list(history._times) == [100 * S, 105 * S, 110 * S]


def test_who_changed_of_late_is_known_by_name():
    same, history = group("/same"), History()
    for at in range(4):
        history.add(tick(at * S)._replace(cgroups={"/same": same, "/other": group("/other")}))
    assert history.changed(2 * S) == {"/other"}
    assert history.changed(3 * S) == {"/same", "/other"}
