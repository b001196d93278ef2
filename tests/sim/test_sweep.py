"""Ranges, and the knee: by the paper's definition, worked out by hand."""

from __future__ import annotations

import pytest

from memwarden.errors import UsageError
from memwarden.sim.sweep import Point, knee, kneedle, safe, sweep
from memwarden.units import GIB, MIB


def points(stalls, kills=None):
    kills = kills or [0] * len(stalls)
    return [
        Point(at, str(at), stall, 0, 0, None, dead, ("p",) if dead else ())
        for at, (stall, dead) in enumerate(zip(stalls, kills, strict=True))
    ]


def test_a_range_has_both_its_ends():
    found = sweep("/web/memory.high=1G..4G:512M")
    assert found.key == "/web/memory.high"
    assert found.values == tuple(range(GIB, 4 * GIB + 1, 512 * MIB))
    assert found.texts[:2] == ("1GiB", "1536MiB")


@pytest.mark.parametrize(
    ("said", "values", "texts"),
    [
        ("seed=1..3:1", (1, 2, 3), ("1", "2", "3")),
        ("duration=1s..2s:500ms", (1_000_000, 1_500_000, 2_000_000), ("1s", "1500ms", "2s")),
        ("program.p.grow.rate=1MiB/s..2MiB/s:1MiB/s", (MIB, 2 * MIB), ("1MiB/s", "2MiB/s")),
        ("machine.ram=1G..2G:3G", (GIB,), ("1GiB",)),
        ("program.p.oom_score_adj=-500..500:500", (-500, 0, 500), ("-500", "0", "500")),
        ("memory.swap.max=0..2M:1M", (0, MIB, 2 * MIB), ("0B", "1MiB", "2MiB")),
        ("duration=0..1s:1s", (0, 1_000_000), ("0s", "1s")),
        ("machine.swappiness=0..200:200", (0, 200), ("0", "200")),
        ("machine.fault=300ns..500ns:200ns", (300, 500), ("300ns", "500ns")),
    ],
)
def test_other_quantities(said, values, texts):
    found = sweep(said)
    assert (found.values, found.texts) == (values, texts)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("memory.high", "is no range"),
        ("memory.high=1G..2G", "has no STEP; write it as memory.high=1G..4G:128M"),
        ("memory.high=..2G:1M", "has no FROM"),
        ("memory.high=1G..:1M", "has no TO"),
        ("memory.high=1G-2G:1M", "is no range"),
        ("=1G..2G:1M", "is no range"),
        ("duration=-5s..5s", 'FROM, "-5s", is below zero; write 0 or more'),
        ("seed=1..3:-1", "STEP is not more than nothing"),
        ("memory.high=1G..2Q:1M", 'TO, "2Q", is no quantity'),
        ("memory.high=0.1G..1G:1M", 'FROM, "0.1G" is finer than 1 B; round it'),
        ("memory.high=0..1G:0", "STEP is not more than nothing"),
        ("memory.high=0..1:1G", "are not of one kind"),
        ("memory.high=1G..2s:1M", "are not of one kind"),
        ("duration=1s..5:1s", "are not of one kind"),
        ("memory.high=2G..1G:1M", "FROM is more than TO"),
        ("memory.high=1G..2G:0B", "STEP is not more than nothing"),
        ("memory.high=0B..1G:1B", "has 1073741825 values; take a larger STEP"),
    ],
)
def test_what_is_no_range(said, problem):
    with pytest.raises(UsageError, match=problem):
        sweep(said)


def test_the_knee_of_the_papers_first_figure_shape():
    # y = 1/x at 1..10, scaled: height above the diagonal is (1 - (y - .1) / .9) - (x - 1) / 9:
    # x=2: 1-.444-.111 = .444; x=3: 1-.259-.222 = .519; x=4: 1-.167-.333 = .500. The greatest is at x=3.
    assert kneedle(range(1, 11), [1 / x for x in range(1, 11)]) == 2


def test_a_straight_line_has_no_knee():
    assert kneedle([0, 1, 2, 3], [3, 2, 1, 0]) is None


def test_no_knee_where_nothing_changes_or_too_little_is_known():
    assert kneedle([0, 1, 2], [5, 5, 5]) is None
    assert kneedle([0, 1], [5, 0]) is None
    assert knee([]) is None


def test_a_bend_that_the_curve_never_falls_below_by_a_step_is_none():
    # Heights: 0, .1 (x = 1/4, y = 65 of 100), 0, 0, 0; one mean step is .25.
    assert kneedle([0, 1, 2, 3, 4], [100, 65, 50, 25, 0]) is None


def test_a_bend_in_a_curve_that_hardly_falls_is_no_knee():
    # Heights over the diagonal: 0, .55, .45, .25, 0; but 100 before it is not twice the 96 at it.
    assert kneedle([0, 1, 2, 3, 4], [100, 96, 95.5, 95.2, 95]) == 1
    assert knee(points([1000, 960, 955, 952, 950])) is None
    assert knee(points([1000, 500, 480, 470, 460])) == 1


def test_the_curve_is_the_worst_at_a_value_or_above_it():
    # 0, 10, 0, 0, 0 is 10, 10, 0, 0, 0 then: heights 0, -.25, .5, .25, 0; the knee is where it has fallen.
    assert knee(points([0, 10, 0, 0, 0])) == 2


def test_from_where_on_nobody_dies():
    assert safe(points([0] * 5, [1, 0, 1, 0, 0])) == 3
    assert safe(points([0] * 2, [1, 1])) is None
    assert safe(points([0] * 2)) == 0
