"""What the detectors of oomd and systemd-oomd answer in their own tests: input and expectation are theirs.

oomd: ``oomd/plugins/CorePluginsTest.cpp``; CONTINUE is fired, STOP is not. systemd-oomd:
``src/oom/test-oomd-util.c``.
"""

from __future__ import annotations

import pytest

from memwarden.guard import ir
from memwarden.guard.detectors import compile_detector
from memwarden.units import KIB, MIB
from tests.guard.ticks import S, group, look, psi, tick

HIGH, LOW = psi((99.99, 99.99, 99.99)), psi((1.11, 1.11, 1.11))
PRESSURES = [
    ir.Pressure(8000, cgroups=("/high",), worst="weighted"),
    ir.PressureRising(8000, cgroups=("/high",)),
]


def fired(spec, *snapshots):
    return [finding.fired for finding in look(compile_detector(spec), *snapshots)]


@pytest.mark.parametrize("spec", PRESSURES, ids=["pressure_above", "pressure_rising_beyond"])
@pytest.mark.parametrize("resource", ["memory", "io"])
@pytest.mark.parametrize(
    ("cgroups", "expected"),
    [(("/high",), True), (("/low",), False), (("/high", "/low"), True), (("/*",), True), (("/none",), False)],
)
def test_pressure(spec, resource, cgroups, expected):
    name = f"{resource}_pressure"
    at = tick(0, group("/high", **{name: HIGH}), group("/low", **{name: LOW}))
    assert fired(spec._replace(cgroups=cgroups, resource=resource), at) == [expected]


@pytest.mark.parametrize("spec", PRESSURES, ids=["pressure_above", "pressure_rising_beyond"])
def test_pressure_of_the_machine(spec):
    assert fired(spec._replace(cgroups=("/",)), tick(0, memory_pressure=HIGH)) == [True]
    assert fired(spec._replace(cgroups=("/",)), tick(0, memory_pressure=LOW)) == [False]


MEMTOTAL = {"MemTotal": 8388608 * KIB}
GIB1, GIB2 = 1073741824, 2147483648


@pytest.mark.parametrize(
    ("usage", "above", "expected"),
    [
        (GIB2, ir.Amount(1536 * MIB), True),
        (GIB2, ir.Amount(ppm=100_000), True),
        (GIB1, ir.Amount(1536 * MIB), False),
        (GIB2, ir.Amount(ppm=800_000), False),
    ],
)
@pytest.mark.parametrize("anon", [False, True])
def test_memory_above(usage, above, expected, anon):
    stat = {"anon": usage if anon else 0}
    at = tick(0, group("/a", current_bytes=0 if anon else usage, stat=stat), meminfo=MEMTOTAL)
    assert fired(ir.Usage(above, anon, ("/a",)), at) == [expected]


def test_memory_above_takes_the_largest():
    at = tick(0, group("/a", current_bytes=GIB1), group("/b", current_bytes=GIB2), meminfo=MEMTOTAL)
    expected = {("/a",): False, ("/b",): True, ("/a", "/b"): True, ("/*",): True}
    assert {
        globs: fired(ir.Usage(ir.Amount(1536 * MIB), False, globs), at)[0] for globs in expected
    } == expected


@pytest.mark.parametrize("cgroups", [("/a",), ("/a", "/b")])
@pytest.mark.parametrize("since_start", [False, True])
def test_memory_reclaim(cgroups, since_start):
    ticks = [
        tick(at * S, group("/a", stat={"pgscan": 10 + at}), group("/b", stat={"pgscan": 0})) for at in (0, 1)
    ]
    assert fired(ir.Reclaiming(10 * S, cgroups, since_start), *ticks) == [since_start, True]


@pytest.mark.parametrize(
    ("total_kb", "used_kb", "expected"),
    [(20971512, 20971440, True), (20971512, 3310136, False), (0, 0, False)],
)
def test_swap_free_below_20_percent(total_kb, used_kb, expected):
    meminfo = {"SwapTotal": total_kb * KIB, "SwapFree": (total_kb - used_kb) * KIB}
    # oomd's threshold_pct 20, and systemd-oomd's 2000 of 10000 with the same figures.
    assert fired(ir.SwapFree(ir.Amount(ppm=200_000)), tick(0, meminfo=meminfo)) == [expected]


@pytest.mark.parametrize(("bps", "expected"), [(800_000, False), (1_200_000, True)])
def test_swap_free_with_a_rate_of_swap_out(bps, expected):
    meminfo = {"SwapTotal": 20971512 * KIB, "SwapFree": 72 * KIB}
    # pswpout counts pages of 4096 bytes, here over 4096 s.
    ticks = [tick(at * 4096 * S, meminfo=meminfo, vmstat={"pswpout": at * bps}) for at in (0, 1)]
    assert fired(ir.SwapFree(ir.Amount(ppm=200_000), swap_out_bps=1_000_000), *ticks) == [False, expected]


@pytest.mark.parametrize(
    ("cgroups", "exists"), [(("/a",), True), (("/none",), False), (("/none", "/a"), True), (("/*",), True)]
)
def test_exists(cgroups, exists):
    assert fired(ir.Exists(cgroups), tick(0, group("/a"))) == [exists]
    assert fired(ir.Exists(cgroups, negate=True), tick(0, group("/a"))) == [not exists]


@pytest.mark.parametrize(
    ("dying", "count", "lte", "expected"),
    [
        ((123,), 100, True, False),
        ((90,), 100, True, True),
        ((123,), 100, False, True),
        ((90,), 100, False, False),
        ((200, 300, 90), 100, True, True),
    ],
)
def test_nr_dying_descendants(dying, count, lte, expected):
    cgroups = [group(f"/{at}", dying_descendants=number) for at, number in enumerate(dying)]
    assert fired(ir.Dying(count, lte, ("/*",)), tick(0, *cgroups)) == [expected]


def test_nr_dying_descendants_of_the_root():
    assert fired(ir.Dying(29), tick(0, group("/", dying_descendants=30))) == [True]


@pytest.mark.parametrize(
    ("available_kb", "swap_used_kb", "expected"),
    [
        (20971512 - 3310136, 20971440, (False, True)),
        (20971512 - 20971440, 3310136, (True, False)),
    ],
)
def test_mem_available_below_and_swap_free_below(available_kb, swap_used_kb, expected):
    total = 20971512
    meminfo = {
        "MemTotal": total * KIB, "MemAvailable": available_kb * KIB,
        "SwapTotal": total * KIB, "SwapFree": (total - swap_used_kb) * KIB,
    }  # fmt: skip
    below = ir.Amount(ppm=200_000)
    at = tick(0, meminfo=meminfo)
    assert (fired(ir.Available(below), at)[0], fired(ir.SwapFree(below), at)[0]) == expected


def test_zeros_are_below_nothing():
    at = tick(0, meminfo={"MemTotal": 0, "MemAvailable": 0, "SwapTotal": 0, "SwapFree": 0})
    assert fired(ir.Available(ir.Amount(ppm=200_000)), at) == [False]
    assert fired(ir.SwapFree(ir.Amount(ppm=200_000)), at) == [False]


def test_reclaim_is_remembered_when_the_counter_rests():
    # systemd-oomd: pgscan 57 -> 57 keeps the last time, 42 -> 101 is a new one.
    scans = enumerate((42, 101, 101, 101, 101))
    ticks = [tick(at * S, group("/a", stat={"pgscan": scanned})) for at, scanned in scans]
    found = look(compile_detector(ir.Reclaiming(2 * S, ("/a",))), *ticks)
    assert [(one.value, one.fired) for one in found] == [
        (None, False), (0, True), (S, True), (2 * S, True), (3 * S, False),
    ]  # fmt: skip


def test_the_first_tick_of_a_rising_pressure_counts_as_falling_below_85():
    # The last avg10 is taken to have been 100: 84.99 < 100 * 0.85, 85.00 is not.
    spec = ir.PressureRising(8000)
    at = [tick(n * S, memory_pressure=psi((84.99, 90, 0))) for n in (0, 1)]
    assert fired(spec, *at) == [False, True]
    assert fired(spec, tick(0, memory_pressure=psi((85.00, 90, 0)))) == [True]


def test_falling_fast_is_below_the_last_by_its_ratio():
    values = (100, 95, 81, 80.5, 50)
    ticks = [tick(at * S, memory_pressure=psi((value, 90, 0))) for at, value in enumerate(values)]
    # 95 >= 85; 81 >= 80.75; 80.5 >= 68.85; 50 is not above 80.
    assert fired(ir.PressureRising(8000), *ticks) == [True, True, True, True, False]
    # With 0.95: 95 >= 95; 81 < 90.25; 80.5 >= 76.95.
    assert fired(ir.PressureRising(8000, fast_fall_ppm=950_000), *ticks) == [True, True, False, True, False]


def test_without_pressure_the_last_one_was_zero():
    ticks = [tick(0), tick(S, memory_pressure=psi((81, 90, 0)))]
    assert fired(ir.PressureRising(8000), *ticks) == [False, True]


def test_only_the_minute_has_to_have_held():
    spec = ir.PressureRising(8000, for_us=3 * S)
    minutes = [(99, 90), (99, 90), (50, 90), (99, 90), (99, 79), (99, 90)]
    ticks = [tick(at * S, memory_pressure=psi((*values, 0))) for at, values in enumerate(minutes)]
    found = look(compile_detector(spec), *ticks)
    assert [one.held_us for one in found] == [0, S, 2 * S, 3 * S, 0, 0]
    assert [one.fired for one in found] == [False, False, False, True, False, False]


def test_the_worst_by_weight_is_not_the_one_with_the_highest_average():
    # 3 * 61 + 0 + 0 = 183, against 3 * 50 + 2 * 50 + 50 = 300.
    new, old = psi((61, 0, 0)), psi((50, 50, 50))
    at = tick(0, group("/new", memory_pressure=new), group("/old", memory_pressure=old))
    spec = ir.Pressure(6000, cgroups=("/*",))
    (weighted,) = look(compile_detector(spec._replace(worst="weighted")), at)
    (highest,) = look(compile_detector(spec), at)
    assert (weighted.fired, weighted.where, weighted.value) == (False, "/old", 5000)
    assert (highest.fired, highest.where, highest.value) == (True, "/new", 6100)


def test_the_time_survives_a_change_of_which_is_worst():
    def at(seconds, first, second):
        return tick(
            seconds * S,
            group("/a", memory_pressure=psi((first, 0, 0))),
            group("/b", memory_pressure=psi((second, 0, 0))),
        )

    spec = ir.Pressure(6000, cgroups=("/*",), for_us=2 * S, worst="weighted")
    found = look(
        compile_detector(spec), at(0, 70, 0), at(1, 0, 80), at(2, 90, 0), at(3, 60, 60), at(4, 61, 0)
    )
    assert [one.fired for one in found] == [False, False, True, False, False]
    assert [one.where for one in found] == ["/a", "/b", "/a", "/a", "/a"]


def test_a_sum_over_cgroups_as_oomd_has_it():
    def at(seconds, **scanned):
        return tick(seconds * S, *(group(f"/{name}", stat={"pgscan": n}) for name, n in scanned.items()))

    ticks = at(0, a=5, b=100), at(1, a=8), at(2, a=9), at(3, a=9, b=50)
    # 105, 8, 9, 59: the sum falls when b goes, and rises when another comes.
    assert fired(ir.Reclaiming(0, ("/*",), since_start=True), *ticks) == [True, False, True, True]
    # Each for itself: a rises twice, the new b has not risen yet.
    assert fired(ir.Reclaiming(0, ("/*",)), *ticks) == [False, True, True, False]


def test_page_cache_is_used_memory_for_oomd():
    meminfo = {"MemTotal": 1000, "MemAvailable": 700, "MemFree": 100}
    at = tick(0, meminfo=meminfo)
    for root, used in (("available", 300), ("free", 900)):
        (found,) = look(compile_detector(ir.Usage(ir.Amount(500), root=root)), at)
        assert (found.value, found.fired) == (used, used > 500)


def test_earlyoom_counts_no_swap_as_exhausted_and_the_limit_as_below():
    none = tick(0, meminfo={"SwapTotal": 0, "SwapFree": 0})
    assert fired(ir.SwapFree(ir.Amount(ppm=100_000), without_swap=True, inclusive=True), none) == [True]
    # 10 % of what is available or anonymous: 100 of 1000.
    meminfo = {"MemTotal": 5000, "MemAvailable": 100, "AnonPages": 900, "SwapTotal": 1000, "SwapFree": 100}
    at = tick(0, meminfo=meminfo)
    below = ir.Amount(ppm=100_000)
    assert fired(ir.Available(below, "user", inclusive=True), at) == [True]
    assert fired(ir.Available(below, "user"), at) == [False]
    assert fired(ir.SwapFree(below, inclusive=True), at) == [True]
    assert fired(ir.SwapFree(below), at) == [False]
