"""Our own detectors: what each looks at, what it says, and what it does where the machine does not say."""

from __future__ import annotations

import typing

import pytest

from memwarden.guard import ir
from memwarden.guard.detectors import compile_detector
from memwarden.guard.detectors.threshold import words_of
from memwarden.guard.history import History
from memwarden.guard.view import View
from memwarden.state.snapshot import CgroupMode, Instant, Snapshot
from memwarden.units import MAX, MIB
from tests.guard.ticks import MS, S, group, leak, look, psi, tick


def see(spec, *snapshots, **options):
    return look(compile_detector(spec), *snapshots, **options)


def last(spec, *snapshots, **options):
    return see(spec, *snapshots, **options)[-1]


SPECS = [
    ir.Pressure(1), ir.PressureRising(1), ir.Stall(1), ir.Available(ir.Amount(1)),
    ir.Available(ir.Amount(1), whole="user"), ir.SwapFree(ir.Amount(1)),
    ir.SwapFree(ir.Amount(1), swap_out_bps=1), ir.Usage(ir.Amount(1)),
    ir.Usage(ir.Amount(ppm=1), cgroups=("/a",)), ir.Usage(ir.Amount(1), anon=True),
    ir.Headroom(ir.Amount(1)), ir.Headroom(ir.Amount(1), effective=False), ir.Events("oom"), ir.Refault(1),
    ir.SwapOut(1), ir.Reclaiming(S), ir.Reclaiming(S, ("/a",), True), ir.Growth(1), ir.Exhaustion(S),
    ir.Dying(1), ir.Exists(("/none",)), ir.Spinning(), ir.Stuck(1), ir.Blackout(1), ir.Constant(False),
]  # fmt: skip


def test_every_detector_is_compiled():
    assert {type(spec) for spec in SPECS} == set(typing.get_args(ir.Detector))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_a_machine_that_says_nothing_fires_nothing(spec):
    found = see(spec, tick(0, group("/a")), tick(S, group("/a", current_bytes=5)), tick(2 * S))
    assert [one.fired for one in found] == [False] * 3
    assert not any(one.text for one in found)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_a_detector_is_named_as_in_the_ir(spec):
    words = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in type(spec).__name__)
    assert last(spec, tick(0)).detector == words.strip("_")


def test_pressure_in_words():
    spec = ir.Pressure(6000, cgroups=("/workload.slice",), for_us=10 * S)
    at = [tick(t, group("/workload.slice", memory_pressure=psi((62.1, 0, 0)))) for t in (0, 10_200 * MS)]
    first, second = see(spec, *at)
    assert (first.fired, second.fired) == (False, True)
    assert second.text == "full memory pressure 62.10 % > 60.00 % at /workload.slice, held 10.2 s"
    assert second[:8] == ("pressure", True, 6210, 6000, "centi-percent", "/workload.slice", 10_200 * MS, None)


@pytest.mark.parametrize(("average", "value"), [(10, 1000), (60, 2000), (300, 3000)])
def test_each_average(average, value):
    at = tick(0, memory_pressure=psi((0, 0, 0), some=(10, 20, 30)))
    found = last(ir.Pressure(0, kind="some", average_s=average), at)
    assert (found.value, found.fired) == (value, True)


def test_at_the_threshold_is_not_above():
    at = tick(0, memory_pressure=psi((60, 0, 0)))
    found = last(ir.Pressure(6000), at)
    assert (found.fired, found.value, found.text) == (False, 6000, "")


def test_not_known_ends_the_time_that_it_held():
    spec = ir.Pressure(6000, for_us=S)
    high = [tick(at * S, memory_pressure=psi((99, 0, 0))) for at in range(4)]
    found = see(spec, high[0], tick(S), high[2], high[3])
    assert [one.held_us for one in found] == [0, 0, 0, S]
    assert [one.value for one in found] == [9900, None, 9900, 9900]


def test_a_protected_services_own_stall():
    name = "/system.slice/postgresql.service"

    def at(ms, stalled_ms):
        return tick(ms * MS, group(name, memory_pressure=psi(some_us=stalled_ms * MS)))

    spec = ir.Stall(50 * MS, S, kind="some", cgroups=("postgresql.service",))
    found = see(spec, at(0, 0), at(500, 50), at(1000, 60), at(2000, 60))
    assert [one.fired for one in found] == [False, False, True, False]
    assert found[2].text == f"some memory stall within 1.0 s: 60 ms > 50 ms at {name}"


def test_available_memory():
    at = tick(0, meminfo={"MemTotal": 1000 * MIB, "MemAvailable": 49 * MIB})
    found = last(ir.Available(ir.Amount(ppm=50_000)), at)
    assert (found.fired, found.text) == (True, "available memory 49.0 MiB < 50.0 MiB")


def test_swap_that_runs_out_fast():
    meminfo = {"SwapTotal": 1000 * MIB, "SwapFree": 90 * MIB}
    ticks = [tick(at * S, meminfo=meminfo, vmstat={"pswpout": at * 2560}) for at in (0, 1)]
    found = last(ir.SwapFree(ir.Amount(ppm=100_000), swap_out_bps=10 * MIB), *ticks)
    assert (found.fired, found.text) == (True, "free swap 90.0 MiB < 100 MiB, swapping out 10.0 MiB/s")
    full = last(ir.SwapFree(ir.Amount(90 * MIB), swap_out_bps=10 * MIB, inclusive=True), *ticks)
    assert full.fired


def test_no_swap_in_words():
    at = tick(0, meminfo={"SwapTotal": 0, "SwapFree": 0})
    assert last(ir.SwapFree(ir.Amount(1)), at).text == ""
    assert last(ir.SwapFree(ir.Amount(1), without_swap=True), at).text == "there is no swap"


def test_anonymous_memory_of_the_machine():
    found = last(ir.Usage(ir.Amount(5), anon=True), tick(0, meminfo={"AnonPages": 6}))
    assert (found.fired, found.value) == (True, 6)


MEMINFO = {"MemTotal": 1000 * MIB, "MemAvailable": 500 * MIB}


def bounded(path, limit, usage, cache=0):
    return group(
        path, max_bytes=limit * MIB, current_bytes=usage * MIB,
        stat={"inactive_file": cache * MIB, "anon": (usage - cache) * MIB},
    )  # fmt: skip


def test_headroom_and_effective_headroom():
    at = tick(0, bounded("/a", 100, 80, cache=30), bounded("/b", 400, 360), meminfo=MEMINFO)
    found = last(ir.Headroom(ir.Amount(30 * MIB), cgroups=("/*",)), at)
    # a: 100 - 80 + 30; b: 400 - 360.
    assert (found.fired, found.value, found.where) == (False, 40 * MIB, "/b")
    found = last(ir.Headroom(ir.Amount(30 * MIB), effective=False, cgroups=("/*",)), at)
    assert (found.fired, found.text) == (True, "headroom 20.0 MiB < 30.0 MiB at /a")


def test_headroom_as_a_part_of_the_limit():
    at = tick(0, bounded("/a", 100, 80), bounded("/b", 400, 360), meminfo=MEMINFO)
    found = last(ir.Headroom(ir.Amount(ppm=120_000), cgroups=("/*",)), at)
    # a has 20 of 12, b has 40 of 48.
    assert (found.fired, found.where, found.threshold) == (True, "/b", 48 * MIB)
    found = last(ir.Headroom(ir.Amount(ppm=600_000)), at)
    assert (found.fired, found.threshold, found.where) == (True, 600 * MIB, "/")


def test_whose_limit_it_is():
    inner = group("/a/b", max_bytes=MAX, current_bytes=MIB)
    at = tick(0, bounded("/a", 100, 80), inner, meminfo=MEMINFO)
    assert last(ir.Headroom(ir.Amount(21 * MIB), cgroups=("/a/b",)), at).text == (
        "effective headroom 20.0 MiB < 21.0 MiB at /a/b (limit at /a)"
    )
    at = tick(0, group("/b", max_bytes=MAX, current_bytes=MIB), meminfo=MEMINFO)
    assert last(ir.Headroom(ir.Amount(501 * MIB), cgroups=("/b",)), at).text == (
        "effective headroom 500 MiB < 501 MiB at /b (limit of the machine)"
    )


def test_without_any_limit_headroom_is_unlimited():
    at = tick(0, group("/b", max_bytes=MAX, current_bytes=MIB))
    found = last(ir.Headroom(ir.Amount(MIB), cgroups=("/b",)), at)
    assert (found.fired, found.value) == (False, MAX)


@pytest.mark.parametrize("local", [False, True])
def test_events(local):
    name = "events_local" if local else "events"
    ticks = [
        tick(at * S, group("/a", **{name: {"high": at}}), group("/b", **{name: {"high": 5 * at}}))
        for at in (0, 1)
    ]
    found = last(ir.Events("high", at_least=5, local=local), *ticks)
    assert (found.fired, found.text) == (True, "high events within 10.0 s: 5 >= 5 at /b")
    assert not last(ir.Events("high", at_least=6, local=local), *ticks).fired
    assert not last(ir.Events("high", local=not local), *ticks).fired


def test_refaults():
    def at(seconds, file, anon):
        return tick(seconds * S, vmstat={"workingset_refault_file": file, "workingset_refault_anon": anon})

    ticks = at(0, 0, 0), at(2, 4000, 1000)
    assert {what: last(ir.Refault(0, what=what), *ticks).value for what in ("any", "file", "anon")} == {
        "any": 2500.0, "file": 2000.0, "anon": 500.0,
    }  # fmt: skip
    assert last(ir.Refault(2499), *ticks).text == "refaults of file and anon pages 2500/s > 2499/s"
    # Half a window is known: what is not known is taken for nothing.
    assert last(ir.Refault(0), at(0, 0, 0), at(1, 1000, 0)).value == 500.0


def test_swapping_out():
    ticks = [tick(at * S, vmstat={"pswpout": at * 256}) for at in range(3)]
    found = last(ir.SwapOut(MIB - 1), *ticks)
    assert (found.fired, found.value) == (True, MIB)
    assert not last(ir.SwapOut(MIB), *ticks).fired


def test_reclaim_on_the_machine():
    ticks = [tick(at * S, vmstat={"pgscan_kswapd": scanned}) for at, scanned in enumerate((50, 50, 60, 60))]
    assert [one.fired for one in see(ir.Reclaiming(0), *ticks)] == [False, False, True, False]


def test_reclaim_in_a_cgroup_that_was_made_anew():
    ticks = [tick(at * S, group("/a", inode=5 + at, stat={"pgscan": 10 * at})) for at in (0, 1)]
    assert [one.fired for one in see(ir.Reclaiming(S, ("/a",)), *ticks)] == [False, False]


def test_growth_of_the_fastest():
    ticks = [
        tick(at * 100 * MS, group("/a", held=100 + at), group("/b", held=100 + 4 * at), group("/c", held=100))
        for at in range(6)
    ]
    found = last(ir.Growth(30 * MIB, cgroups=("/*",)), *ticks)
    assert (found.fired, found.where) == (True, "/b")
    assert found.value == pytest.approx(40 * MIB)
    # 256 KiB of lag over half a second.
    assert found.error == pytest.approx(MIB / 2, rel=0.01)
    assert not last(ir.Growth(40 * MIB - MIB // 4, cgroups=("/*",)), *ticks).fired


def room(ticks, available):
    """The same ticks with so much available memory, and no swap."""
    figures = {"MemTotal": 1000 * MIB, "MemAvailable": available * MIB, "SwapTotal": 0, "SwapFree": 0}
    return [one._replace(meminfo=one.meminfo | figures) for one in ticks]


def test_memory_ends_soon():
    ticks = room(leak(mib_per_s=40, count=5), 60)
    found = last(ir.Exhaustion(2 * S), *ticks)
    # 60 MiB at 40 MiB/s give or take 256 KiB / 0.4 s: 1.5 s, from 1.477 to 1.524.
    assert found.fired
    assert found.value == pytest.approx(1_500 * MS, rel=0.001)
    assert found.error == pytest.approx(23 * MS, rel=0.02)
    assert found.text == (
        "memory ends in 1.5 s <= 2.0 s "
        "(1.5 s to 1.5 s: 60.0 MiB left, growing 40.0 MiB/s give or take 640 KiB/s), held 100 ms"
    )
    assert not last(ir.Exhaustion(1_510 * MS), *ticks).fired


def test_noise_does_not_end_memory():
    noise = (100, 130, 90, 125, 95, 128)
    ticks = [tick(at * 100 * MS, held=held) for at, held in enumerate(noise)]
    found = last(ir.Exhaustion(2 * S), *room(ticks, 60))
    assert not found.fired
    assert found.error > 0


def test_only_the_error_would_end_it():
    ticks = [tick(at * 100 * MS, held=held) for at, held in enumerate((130, 90, 130, 90, 130, 90))]
    found = last(ir.Exhaustion(2 * S), *room(ticks, 60))
    assert (found.fired, found.value, found.error) == (False, MAX, None)


def test_memory_of_a_limited_cgroup_ends():
    ticks = [
        tick(
            at * 100 * MS,
            group("/a", held=100 + 4 * at, current_bytes=(100 + 4 * at) * MIB, max_bytes=150 * MIB),
            group("/b", held=100, current_bytes=100 * MIB, max_bytes=101 * MIB),
            held=200 + 4 * at,
        )
        for at in range(5)
    ]
    found = last(ir.Exhaustion(2 * S, cgroups=("/*",)), *room(ticks, 900))
    # 150 - 116 = 34 MiB at 40 MiB/s.
    assert (found.fired, found.where) == (True, "/a")
    assert found.value == pytest.approx(850 * MS, rel=0.001)


def test_dying_descendants_are_counted_where_they_are_known():
    at = tick(0, group("/a", dying_descendants=5), group("/b"), group("/c", dying_descendants=7))
    assert last(ir.Dying(5, cgroups=("/*",)), at).text == "dying descendants 7 > 5 at /c"
    assert last(ir.Dying(5, lte=True, cgroups=("/*",)), at).text == "dying descendants 5 <= 5 at /a"


def test_exists_in_words():
    at = tick(0, group("/a"))
    assert last(ir.Exists(("/a", "/b")), at).text == "cgroups that match /a or /b: 1 >= 1 at /a"
    assert last(ir.Exists(("/b",), negate=True), at).text == "cgroups that match /b: 0 < 1"


def test_without_a_hierarchy_nobody_knows_whether_a_cgroup_exists():
    absent = ir.Exists(("/a",), negate=True)
    unknown = last(absent, Snapshot(Instant(0)))
    assert (unknown.fired, unknown.value) == (False, None)
    assert last(absent, Snapshot(Instant(0), cgroup_mode=CgroupMode.V2)).fired


def spins(oom, kill, *, local=True):
    name = "events_local" if local else "events"
    ticks = []
    for at in (0, 1):
        files = {"events": {"oom_kill": kill * at}}
        files[name] = {"oom": oom * at, "oom_kill": kill * at}
        ticks.append(tick(at * S, group("/a", **files)))
    return ticks


@pytest.mark.parametrize("local", [True, False])
def test_a_cgroup_that_spins(local):
    found = last(ir.Spinning(), *spins(3, 0, local=local))
    assert (found.fired, found.text) == (True, "out of memory without a kill within 10.0 s: 3 >= 3 at /a")
    assert not last(ir.Spinning(), *spins(2, 0, local=local)).fired
    assert not last(ir.Spinning(), *spins(3, 1, local=local)).fired
    assert not last(ir.Spinning(), *spins(0, 0, local=local)).fired


def test_of_several_that_spin_it_is_the_one_that_does_most_and_of_equals_the_first():
    ticks = [
        tick(
            at * S,
            *(
                group(path, events_local={"oom": oom * at}, events={"oom_kill": 0})
                for path, oom in (("/a", 0), ("/b", 5), ("/c", 5), ("/d", 4))
            ),
        )
        for at in (0, 1)
    ]
    assert last(ir.Spinning(), *ticks)[:7] == ("spinning", True, 5, 3, "count", "/b", 0)


def test_whether_it_was_killed_is_not_known():
    ticks = [tick(at * S, group("/a", events_local={"oom": 5 * at})) for at in (0, 1)]
    found = last(ir.Spinning(), *ticks)
    assert (found.fired, found.value) == (False, None)


def held_at_high(path, at, *, stalled, high=True, every=S // 2, **fields):
    """A cgroup at the ``at``-th look: so much of each half second stalled, and memory.high was met or not."""
    return group(
        path,
        **fields,
        memory_pressure=psi(full_us=int(stalled * every) * at),
        events_local={"high": at if high else 7},
    )


def test_a_cgroup_that_is_stuck_at_memory_high():
    ticks = [
        tick(
            at * S // 2,
            held_at_high("/busy", at, stalled=0.5),
            held_at_high("/slow", at, stalled=1, high=False),  # waits for something else
            held_at_high("/stuck", at, stalled=0.95),
        )
        for at in range(8)
    ]
    found = see(ir.Stuck(900 * MS, for_us=2 * S), *ticks)
    # A whole second is known from the third look on; two seconds later it has held for so long.
    assert [one.fired for one in found] == [False] * 6 + [True] * 2
    assert found[-1][:7] == ("stuck", True, 950 * MS, 900 * MS, "us", "/stuck", 5 * S // 2)
    assert found[-1].text == (
        "full memory stall at memory.high within 1.0 s: 950 ms > 900 ms at /stuck, held 2.5 s"
    )
    assert not any(one.text for one in found[:6])


def test_a_limit_that_was_lifted_holds_nobody():
    high = [5 * MIB] * 3 + [MAX]
    ticks = [tick(at * S // 2, held_at_high("/a", at, stalled=1, high_bytes=high[at])) for at in range(4)]
    assert [one.fired for one in see(ir.Stuck(400 * MS), *ticks)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("swap_mib", "file_mib", "fires"),
    # 96 MiB are held, and a sixteenth of them is 6: what is more than that can be swapped or dropped.
    [(0, 5, True), (0, 7, False), (1, 5, True), (2, 5, False)],
)
def test_who_has_something_to_give_back_is_not_stuck(swap_mib, file_mib, fires):
    stat = {"anon": 80 << 20, "inactive_anon": 80 << 20, "inactive_file": file_mib << 20, "active_file": 0}
    meminfo = {"MemTotal": 1 << 30, "SwapTotal": 100 << 20, "SwapFree": swap_mib << 20}
    ticks = [
        tick(
            at * S,
            group(
                "/a",
                stat=stat,
                current_bytes=96 << 20,
                high_bytes=96 << 20,
                memory_pressure=psi(full_us=at * S),
                events_local={"high": at},
            ),
            meminfo=meminfo,
        )
        for at in range(3)
    ]
    assert last(ir.Stuck(900 * MS), *ticks).fired is fires


def test_each_cgroup_is_stuck_by_itself():
    # One after the other for two seconds each, and nobody for three.
    ticks = [
        tick(
            at * S,
            *(
                group(path, memory_pressure=psi(full_us=total * S), events_local={"high": total})
                for path, total in (("/a", min(at, 3)), ("/b", max(at - 3, 0)))
            ),
        )
        for at in range(7)
    ]
    found = see(ir.Stuck(900 * MS, for_us=3 * S), *ticks)
    assert [one.where for one in found[1:]] == ["/a"] * 3 + ["/b"] * 3
    assert not any(one.fired for one in found)
    assert see(ir.Stuck(900 * MS, for_us=2 * S), *ticks)[3].fired


def test_of_those_that_are_stuck_for_as_long_it_is_the_first():
    ticks = [
        tick(at * S // 2, *(held_at_high(path, at, stalled=1) for path in ("/a", "/b", "/c")))
        for at in range(4)
    ]
    assert last(ir.Stuck(900 * MS), *ticks).where == "/a"


def test_a_blackout():
    history = History()
    at = tick(0)
    history.add(at, late_us=1_500 * MS)
    found = compile_detector(ir.Blackout(S)).see(View(at, history))
    assert (found.fired, found.text) == (True, "woken too late within 10.0 s, by 1.5 s > 1.0 s")


def test_constants():
    assert [last(ir.Constant(fires), tick(0)).fired for fires in (True, False)] == [True, False]


def test_state_is_of_one_instance():
    spec = ir.Pressure(6000, for_us=S)
    first, second = compile_detector(spec), compile_detector(spec)
    ticks = [tick(at * S, memory_pressure=psi((99, 0, 0))) for at in (0, 1)]
    look(first, ticks[0])
    assert look(first, ticks[1])[0].fired
    assert not look(second, ticks[1])[0].fired


def test_relative_globs_take_the_scope():
    high, low = psi((99, 0, 0)), psi((1, 0, 0))
    at = tick(0, group("/a", memory_pressure=high), group("/b", memory_pressure=low))
    spec = ir.Pressure(6000, cgroups=(".",))
    assert last(spec, at, scope="/a").fired
    assert not last(spec, at, scope="/b").fired
    assert not last(spec, at).fired


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (MAX, "us", "never"),
        (MAX, "bytes", "max"),
        (999_000, "us", "999 ms"),
        (S, "us", "1.0 s"),
        (12, "per-second", "12/s"),
        (3, "count", "3"),
        (1536, "bytes-per-second", "1.50 KiB/s"),
        (5, "centi-percent", "0.05 %"),
    ],
)
def test_values_in_words(value, unit, words):
    assert words_of(value, unit) == words
