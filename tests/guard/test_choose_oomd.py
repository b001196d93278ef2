"""Choosing as oomd does: the numbers of its own tests (``src/oomd/plugins/CorePluginsTest.cpp``).

Its fixtures know cgroups by the pids in them: 123 and 456 are in cgroup1, 789 in cgroup2, 111 in cgroup3,
888 in the cgroup1 of another slice.
"""

from __future__ import annotations

import pytest

from memwarden.guard.ir import Amount
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.intents import CgroupId
from memwarden.units import KIB, MIB
from tests.guard.choices import ZERO_TOO, by, candidates, chosen, live, ranked, seen, why_not

SIZE = ("oomd-growth", "/one_big/*")
PREFER = ("trusted.oomd_prefer",)
AVOID = ("trusted.oomd_avoid",)


def sized(*usages, slice_="/one_big", marks=(), sibling=None, **fields):
    """``cgroup1`` and so on of these usages, below one slice."""
    marks = (*marks, *[()] * len(usages))
    made = [live("/"), live(slice_)]
    for number, usage in enumerate(usages):
        made.append(live(f"{slice_}/cgroup{number + 1}", current_bytes=usage, marks=marks[number], **fields))
    if sibling is not None:
        made += [live("/sibling"), live("/sibling/cgroup1", current_bytes=sibling)]
    return made


@pytest.mark.parametrize(
    ("usages", "marks", "expected"),
    [
        ((60, 20, 20), (), 1),
        ((60, 20, 20), ((), PREFER), 2),
        ((30, 20, 20), (AVOID,), 2),
        ((60, 30, 20), ((), AVOID, AVOID), 1),
        ((60, 20, 20), (PREFER, PREFER, PREFER), 1),
        ((60, 20, 20, 30), (PREFER, PREFER, PREFER, AVOID), 1),
    ],
)
def test_by_size_and_preference(usages, marks, expected):
    view = seen(*sized(*usages, marks=marks))
    for units in ("matched", "recursive", "leaf"):
        assert chosen(by(*SIZE, units=units), view) == f"/one_big/cgroup{expected}"


def test_avoided_although_the_largest():
    view = seen(*sized(60, 30, 20, marks=(AVOID,)))
    assert ranked(by(*SIZE, units="recursive"), view) == [
        "/one_big/cgroup2",
        "/one_big/cgroup3",
        "/one_big/cgroup1",
    ]


def test_a_sibling_is_a_candidate_only_when_named():
    view = seen(*sized(60, 20, 20, sibling=100))
    assert chosen(by(*SIZE), view) == "/one_big/cgroup1"
    assert chosen(by("oomd-growth", "/one_big/*", "/sibling/*"), view) == "/sibling/cgroup1"


def averaged(pairs, marks=(), **options):
    """Usages whose running average is as given: the look before was such that 3/4 x + 1/4 usage is it."""
    before, now = [], []
    for number, (usage, average) in enumerate(pairs):
        path = f"/growth_big/cgroup{number + 1}"
        earlier = (average - usage / 4) * 4 / 3
        assert earlier >= 0
        before.append(live(path, current_bytes=earlier))
        now.append(live(path, current_bytes=usage, marks=marks[number] if marks else ()))
    return seen(*now, before=(before,), **options)


GROWTH = ("oomd-growth", "/growth_big/*")


def test_the_average_is_a_quarter_of_each_look():
    view = averaged([(40, 13), (50, 30)])
    assert view.history.average_bytes("/growth_big/cgroup1") == pytest.approx(13)
    assert view.history.average_bytes("/growth_big/cgroup2") == pytest.approx(30)
    only = seen(live("/a", current_bytes=1122334455)).history
    assert int(only.average_bytes("/a", from_zero=True)) == 280583613
    assert only.average_bytes("/a") == 1122334455
    assert only.average_bytes("/none") is None


def test_when_nobody_grows_the_largest():
    view = averaged([(21, 20), (20, 20), (30, 30)])
    assert chosen(by(*GROWTH), view) == "/growth_big/cgroup3"
    # Its test goes on with a cgroup3 that has no process left, so that the next best is taken.
    third = CgroupId("/growth_big/cgroup3", view.snapshot.cgroups["/growth_big/cgroup3"].inode)
    assert chosen(by(*GROWTH), view, failed=[third]) == "/growth_big/cgroup1"


@pytest.mark.parametrize(
    ("percentile", "ratio", "expected"),
    [(50, 1.25, 2), (20, 1.25, 1), (0, 0, 1), (67, 1.25, 3), (20, 10, 3)],
)
def test_growth_counts_among_the_largest_only(percentile, ratio, expected):
    # There cgroup1 is 40/7. With two looks 40/10 is the most: 4.0 against 1.67 and 1.0, in the same order.
    view = averaged([(40, 10), (50, 30), (60, 60)])
    parameters = [("growing_size_percentile", percentile), ("min_growth_ratio", ratio)]
    assert chosen(by(*GROWTH, parameters=parameters), view) == f"/growth_big/cgroup{expected}"


def test_a_preferred_one_that_grows_before_a_large_one():
    # 21/5 and 99/5 are more than four times the average, which no two looks give: from zero it is just 4.
    before = [live("/growth_big/cgroup3", current_bytes=1000 * MIB)]
    now = [
        live("/growth_big/cgroup1", current_bytes=21 * MIB, marks=PREFER),
        live("/growth_big/cgroup2", current_bytes=99 * MIB, marks=PREFER),
        live("/growth_big/cgroup3", current_bytes=1000 * MIB),
    ]
    view = seen(*now, before=(before,))
    choice = by(*GROWTH, parameters=[("average_from_zero", 1)])
    assert chosen(choice, view) == "/growth_big/cgroup2"


@pytest.mark.parametrize("mark", [(), PREFER])
def test_preferring_what_would_be_chosen_anyway_changes_nothing(mark):
    view = averaged([(21, 6), (99, 25), (30, 30)], marks=(mark, mark, ()))
    assert chosen(by(*GROWTH), view) == "/growth_big/cgroup2"


def test_a_cgroup_seen_for_the_first_time_seems_to_grow():
    one = [live("/growth_big/cgroup1", current_bytes=10), live("/growth_big/cgroup2", current_bytes=12)]
    view = seen(*one, live("/growth_big/cgroup3", current_bytes=9), before=(one, one, one, one))
    from_zero = by(*GROWTH, parameters=[("growing_size_percentile", 0), ("average_from_zero", 1)])
    assert chosen(from_zero, view) == "/growth_big/cgroup3"
    assert chosen(by(*GROWTH, parameters=[("growing_size_percentile", 0)]), view) == "/growth_big/cgroup2"


def test_size_goes_down_to_the_largest_leaf():
    view = seen(
        live("/"),
        live("/A", current_bytes=60),
        live("/A/Z", current_bytes=20),
        live("/A/X", current_bytes=40),
        live("/B", current_bytes=20),
    )
    assert chosen(by("oomd-growth", "/A", "/B", units="recursive"), view) == "/A/X"


def swapped(*usages, slice_="/one_big", sibling=None, total=None):
    made = [
        live(f"{slice_}/cgroup{number + 1}", swap_current_bytes=usage) for number, usage in enumerate(usages)
    ]
    if sibling is not None:
        made.append(live("/sibling/cgroup1", swap_current_bytes=sibling))
    return seen(*made, meminfo=None if total is None else {"SwapTotal": total})


@pytest.mark.parametrize("units", ["matched", "recursive", "leaf"])
def test_by_swap(units):
    view = swapped(20, 60, 40, sibling=70)
    assert chosen(by("swap", "/one_big/*", units=units), view) == "/one_big/cgroup2"
    assert chosen(by("swap", "/one_big/*", "/sibling/*", units=units), view) == "/sibling/cgroup1"


def test_nobody_without_swap():
    view = swapped(0, 0, 0)
    assert chosen(by("swap", "/one_big/*"), view) is None
    view = seen(live("/one_big/cgroup1"))
    assert chosen(by("swap", "/one_big/*"), view) is None


def test_a_threshold_of_all_swap():
    # 20 % of 100 kB are 20480 bytes; oomd takes who has as much, so the least to exceed is one byte less.
    assert Amount(ppm=200_000).of(100 * KIB) == 20 * KIB
    small = swapped(1, 2, 3, total=100 * KIB)
    large = swapped(20 * KIB, 60 * KIB, 40 * KIB, total=100 * KIB)
    choice = by("swap", "/one_big/*", least=Amount(ppm=200_000))
    assert chosen(choice, small) is None
    assert ranked(choice, large)[:2] == ["/one_big/cgroup2", "/one_big/cgroup3"]
    assert why_not(choice, large)["/one_big/cgroup1"] == "lower: swap 20.0 KiB, not more than 20.0 KiB"


def biased(*pairs):
    """Cgroups at the top with (swap, protection), SwapTotal 25 kB and MemTotal 100 kB."""
    made = [
        live(f"/cgroup{number + 1}", swap_current_bytes=swap, current_bytes=10_000, low_bytes=protection)
        for number, (swap, protection) in enumerate(pairs)
    ]
    return seen(live("/"), *made, meminfo={"SwapTotal": 25 * KIB, "MemTotal": 100 * KIB})


@pytest.mark.parametrize("units", ["matched", "recursive", "leaf"])
def test_by_swap_above_the_fair_share(units):
    view = biased((1900, 1500), (2000, 2000), (1500, 6000))
    choice = by("swap-biased", "/*", units=units)
    assert chosen(choice, view) == "/cgroup1"
    # 1900 - 0.25 * 1500, 2000 - 0.25 * 2000, 1500 - 0.25 * 6000
    figures = {each.target.path: dict(each.numbers)["swap-biased"] for each in candidates(choice, view)}
    assert figures == {"/cgroup1": 1525.0, "/cgroup2": 1500.0, "/cgroup3": 0.0}


def test_without_any_excess_one_is_killed_still():
    assert chosen(by("swap-biased", "/*"), biased((350, 1500), (350, 2000), (1000, 6000))) is not None
    assert chosen(by("swap-biased", "/*"), biased((0, 0), (0, 0))) is None


def test_totals_of_32_bits_wrap_as_in_oomd():
    # 3 GiB of swap are -1 GiB in an int; 8 GiB of memory are 0, and then there is no ratio at all.
    made = [live("/a", swap_current_bytes=100, current_bytes=10_000, low_bytes=10_000)]
    for memory, expected in ((1 << 30, 100 + 10_000), (8 << 30, 100)):
        view = seen(*made, meminfo={"SwapTotal": 3 << 30, "MemTotal": memory})
        choice = by("swap-biased", "/*", parameters=[("totals_int32", 1)])
        [found] = candidates(choice, view)
        assert found.score == expected


def pressed(*pairs, resource="io"):
    made = []
    for number, (avg10, avg60) in enumerate(pairs):
        line = PsiLine(avg10, avg60, 0.0, 0)
        made.append(live(f"/one_high/cgroup{number + 1}", **{f"{resource}_pressure": Psi(line, line)}))
    return made


@pytest.mark.parametrize(("key", "resource"), [("io-pressure", "io"), ("pressure", "memory")])
def test_by_pressure(key, resource):
    made = pressed((60, 60), (50, 70), (80, 80), resource=resource)
    line = PsiLine(99, 99, 99, 0)
    sibling = live("/sibling/cgroup1", **{f"{resource}_pressure": Psi(line, line)})
    view = seen(*made, sibling)
    assert chosen(by(key, "/one_high/*"), view) == "/one_high/cgroup3"
    assert chosen(by(key, "/one_high/*", "/sibling/*"), view) == "/sibling/cgroup1"
    assert dict(candidates(by(key, "/one_high/*"), view)[1].numbers)[key] == 60.0


def test_one_without_pressure_may_be_chosen():
    assert chosen(by("pressure", "/a"), seen(live("/a"))) == "/a"


def test_by_io_cost():
    def looks(*figures):
        return [
            live(f"/one_high/cgroup{number + 1}", io_bytes={"8:0": (each, 0)})
            for number, each in enumerate(figures)
        ]

    first = looks(1000, 5000, 10)
    assert chosen(by("io-cost", "/one_high/*"), seen(*first)) == "/one_high/cgroup1"  # all 0: by name
    assert chosen(by("io-cost", "/one_high/*"), seen(*looks(1010, 5030, 60), before=(first,))) == (
        "/one_high/cgroup3"
    )


def scanned(*figures):
    return [
        live(f"/one_high/cgroup{number + 1}", stat={"pgscan": each}) for number, each in enumerate(figures)
    ]


def test_by_page_scans():
    first, second = scanned(10000, 5000, 6000), scanned(10010, 5030, 6050)
    choice = by("pgscan", "/one_high/*")
    assert chosen(choice, seen(*first)) is None
    assert chosen(choice, seen(*second, before=(first,))) == "/one_high/cgroup3"
    sibling = [live("/sibling/cgroup1", stat={"pgscan": each}) for each in (20000, 20100)]
    view = seen(*second, sibling[1], before=((*first, sibling[0]),))
    assert chosen(by("pgscan", "/one_high/*", "/sibling/*"), view) == "/sibling/cgroup1"


def test_without_scans_since_the_last_look_nobody():
    first = scanned(10000, 5000, 6000)
    view = seen(*first, before=(first,))
    assert chosen(by("pgscan", "/one_high/*"), view) is None
    assert chosen(by("pgscan", "/one_high/*", least=ZERO_TOO), view) is not None


def test_page_scans_go_down():
    def tree(*figures):
        return [
            live(path, stat={"pgscan": each})
            for path, each in zip(("/A", "/A/Z", "/A/X", "/B", "/B/F"), figures, strict=True)
        ]

    view = seen(*tree(1100, 600, 500, 1000, 1000), before=(tree(20, 10, 10, 30, 30),))
    # A scanned 1080, B 970; of A, Z 590 and X 490.
    for units in ("recursive", "leaf"):
        assert chosen(by("pgscan", "/A", "/B", units=units), view) == (
            "/A/Z" if units == "recursive" else "/B/F"
        )


# Recursion. oomd's tests rank by name, descending; here usage stands for that.


def tree(*paths, **fields):
    """Cgroups that rank by name, Z before A."""
    all_ = sorted({"/".join(path.split("/")[:depth]) for path in paths for depth in range(2, 9)} - {""})
    extra = {f"/{path}": each for path, each in fields.items()}
    made = []
    for path in all_:
        last = path.rpartition("/")[2]
        own = {"stat": {"anon": 1}, "populated": True, "current_bytes": ord(last[0]) * 1000}
        made.append(live(path, **(own | extra.get(path, {}))))
    return made


def recursed(globs, *paths, units="recursive", failed=(), **fields):
    view = seen(*tree(*paths, **fields))
    targets = [CgroupId(path, view.snapshot.cgroups[path].inode) for path in failed]
    return chosen(by("current", *globs, units=units), view, failed=targets)


def test_it_goes_down_the_best_of_the_siblings():
    paths = ("/A/Z", "/A/X", "/B/F", "/B/E")
    assert recursed(["/A", "/B"], *paths) == "/B/F"
    assert recursed(["/A", "/B"], *paths, units="matched") == "/B"


def test_back_up_when_nothing_below_can_be_killed():
    paths = ("/Y/M", "/Y/N", "/P/Z", "/P/A")
    assert recursed(["/Y", "/P"], *paths) == "/Y/N"
    assert recursed(["/Y", "/P"], *paths, failed=["/Y/N"]) == "/Y/M"
    assert recursed(["/Y", "/P"], *paths, failed=["/Y/N", "/Y/M"]) == "/P/Z"
    assert recursed(["/Y", "/P"], *paths, failed=["/Y/N", "/Y/M", "/P/Z", "/P/A"]) is None


def test_oom_group_is_one():
    paths = ("/Y/M/A", "/Y/M/B", "/P/Z")
    assert recursed(["/Y", "/P"], *paths, **{"Y/M": {"oom_group": True}}) == "/Y/M"
    assert recursed(["/Y", "/P"], *paths, **{"Y/M": {"oom_group": True, "version": 1}}) == "/Y/M/B"


def test_preferences_count_at_each_level():
    paths = ("/Y/M", "/Y/N", "/P/Z", "/P/A")
    prefer, avoid = {"marks": PREFER}, {"marks": AVOID}
    assert recursed(["/Y", "/P"], *paths, P=prefer) == "/P/Z"
    assert recursed(["/Y", "/P"], *paths, **{"P": prefer, "P/A": prefer}) == "/P/A"
    assert recursed(["/Y", "/P"], *paths, **{"Y": avoid, "P/Z": avoid}) == "/P/A"
    assert recursed(["/Y", "/P"], *paths, **{"P/A": prefer}) == "/Y/N"


def test_empty_ones_are_skipped():
    assert recursed(["/A", "/B"], "/A/Z", "/A/X", "/B/F", **{"B/F": {"populated": False}}) == "/A/Z"
    assert recursed(["/A", "/B"], "/A/Z", "/A/X", "/B/F", **{"B/F": {"stat": {"anon": 0}}}) == "/A/Z"
    gone = {"stat": {"anon": 0}, "swap_current_bytes": 5}  # swapped out whole, and killing frees that
    assert recursed(["/A", "/B"], "/A/Z", "/A/X", "/B/F", **{"B/F": gone}) == "/B/F"


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["/A", "/B"], "/B/F"),
        (["/A/*", "/B", "/C"], "/A/Y/Q"),
        (["/A/*", "/Z", "/B", "/C"], "/Z/F"),
    ],
)
def test_globs_name_the_first_siblings(globs, expected):
    assert recursed(globs, "/A/X/W", "/A/Y/Q", "/B/F", "/C/G", "/Z/F") == expected
