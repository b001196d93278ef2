"""Pictures: the same bytes for the same run, what they show, and one sentence where they cannot be drawn."""

from __future__ import annotations

import sys
from math import isnan

import pytest

from memwarden.cli.inside import Inside
from memwarden.cli.simulate import scenario
from memwarden.errors import UnsupportedError, UsageError
from memwarden.guard.policy.load import load
from memwarden.host.policy_files import read_policy
from memwarden.present import plot, plot_sweep
from memwarden.sim.result import Event, Kind
from memwarden.sim.run import simulate
from memwarden.sim.sweep import Point, Sweep
from memwarden.units import MAX, MIB, SECOND_US
from memwarden.words.document import Text

SMALL = """\
[scenario]
duration = "6s"

[machine]
ram = "1GiB"

[group."/max"]
memory.max = "64MiB"
memory.low = "16MiB"

[group."/high"]
memory.high = "32MiB"

[program.dies]
cgroup = "/max"
grow = { rate = "20MiB/s", limit = "100MiB" }

[program.crawls]
cgroup = "/high"
grow = { rate = "20MiB/s", limit = "100MiB" }
"""
SWAPS = """\
[scenario]
duration = "12s"

[machine]
ram = "1GiB"
swap = { size = "512MiB" }

[group."/swaps"]
memory.high = "48MiB"
memory.swap.high = "16MiB"

[program.leaks]
cgroup = "/swaps"
grow = { rate = "20MiB/s", limit = "100MiB" }

[group."/beside$_$"]

[program.beside]
cgroup = "/beside$_$"
grow = { rate = "20MiB/s", limit = "10MiB" }

[[change]]
at = "8s"
cgroup = "/swaps"
memory.swap.high = "200MiB"
"""
SWEEP = ("--sweep", "/max/memory.max=32M..128M:32M", "--jobs", "1")


@pytest.fixture
def draw(cli, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.toml").write_text(SMALL)

    def drawn(name, *words):
        path = tmp_path / name
        ran = cli("simulate", tmp_path / "s.toml", "--plot", path, "--force", *words)
        notes = [line for line in ran.err.splitlines() if "-M: earlyoom takes the size as" not in line]
        assert (ran.code, notes) == (0, [])
        return path.read_bytes()

    return drawn


def test_a_picture_has_limits_kinds_kills_and_throttling_and_is_the_same_again(draw):
    first = draw("a.svg")
    said = first.decode()
    for words in (
        "anon",
        "memory.max",
        "memory.low",
        "memory.high",
        "killed by the kernel",
        "throttled",
        ">dies<",
    ):
        assert words in said, words
    assert draw("b.svg") == first


def test_a_picture_for_a_printer_and_a_page_of_its_own(draw):
    assert draw("a.png", "--compare", "/max/memory.max=128M").startswith(b"\x89PNG")
    page = draw("a.html", "--compare", "default").decode()
    assert page.count("<svg") == 2  # one below the other: beside each other the second was out of sight
    assert "1 process dies: dies at" in page
    assert "<script" not in page
    assert page.count("<table>") == 2


def test_beside_each_other_no_run_is_cut_off(tmp_path):
    # Above 100 MiB in the second run, where the first stays at its memory.high of 32 MiB.
    pytest.importorskip("matplotlib")
    path = tmp_path / "s.toml"
    path.write_text(SMALL)
    runs = [
        (label, simulate(scenario(str(path), settings)))
        for label, settings in (("tight", ()), ("wide", ("/high/memory.high=120M",)))
    ]
    tight, wide = plot._draw(runs).axes[2:4]
    assert tight.get_title(loc="left") == wide.get_title(loc="left") == "/high"
    assert tight.get_ylim() == wide.get_ylim()
    assert 120 < wide.get_ylim()[1] < 160


def test_what_acted_stands_above_and_does_not_run_into_the_picture_beside(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "s.toml"
    path.write_text(SMALL)
    found = simulate(scenario(str(path), ()))
    alone = plot._draw([("the\nkernel alone", found)]).axes[0]
    assert alone.get_title(loc="left") == "the\\x0akernel alone\nthe machine"
    long = "/a.slice" * 12 + "/memory.max=1GiB"
    drawn = plot._draw([(long, found), (long, found)])
    drawn.draw_without_rendering()
    left, right = (axis._left_title.get_window_extent() for axis in drawn.axes[:2])
    assert left.x1 < right.x0
    assert right.x1 <= drawn.bbox.x1


@pytest.fixture(scope="module")
def swaps(tmp_path_factory):
    pytest.importorskip("matplotlib")
    path = tmp_path_factory.mktemp("plot") / "swaps.toml"
    path.write_text(SWAPS)
    return simulate(scenario(str(path), ()))


@pytest.fixture(scope="module")
def shifts():
    pytest.importorskip("matplotlib")
    return simulate(scenario("load-shift", ()))


def panel(result, name):
    return next(
        one
        for one in plot._draw([("", result)]).axes
        if one.get_title(loc="left").splitlines()[-1:] == [name]
    )


def line(axis, label):
    return next(one for one in axis.lines if one.get_label() == label)


@pytest.mark.parametrize(("name", "path"), [("the machine", "/"), ("/swaps", "/swaps")])
def test_what_is_in_swap_is_a_line_of_its_own_while_there_is_any(swaps, name, path):
    axis = panel(swaps, name)
    held = [one.groups[path].usage.swap / MIB for one in swaps.samples]
    drawn = [float(value) for value in line(axis, plot.SWAP).get_ydata()]
    assert max(held) > 40
    assert [0 if isnan(value) else value for value in drawn] == held
    assert isnan(drawn[0])
    assert drawn[next(at for at, value in enumerate(held) if value) - 1] == 0  # it rises from the ground
    assert "not counted by memory.max" in plot.SWAP


def test_who_has_nothing_in_swap_has_no_line_for_it(swaps):
    axis = panel(swaps, "/beside$_$")
    assert plot.SWAP not in axis.get_legend_handles_labels()[1]
    assert len(axis.lines) == 0


def test_who_is_above_memory_swap_high_is_shaded_until_that_is_raised(swaps):
    axis = panel(swaps, "/swaps")
    handles, labels = axis.get_legend_handles_labels()
    shade = handles[labels.index("above memory.swap.high: throttled")].get_paths()
    first, last = shade[0].vertices[:, 0].min(), shade[-1].vertices[:, 0].max()
    above = [one.time_us / SECOND_US for one in swaps.samples if one.groups["/swaps"].usage.swap > 16 * MIB]
    assert first == above[0]
    assert 7.8 < last < 8.1 < above[-1]
    limits = line(axis, "memory.swap.high").get_ydata()
    assert (limits[0], limits[-1]) == (16, 200)
    assert "above memory.high: throttled" not in labels


def test_swap_without_a_memory_swap_high_has_no_line_for_one(shifts):
    labels = panel(shifts, "/tenants.slice/shift1.service").get_legend_handles_labels()[1]
    assert plot.SWAP in labels
    assert not [one for one in labels if "memory.swap.high" in one]


def test_a_memory_swap_high_that_comes_later_begins_then(swaps):
    bare = [one._replace(swap_high_bytes=MAX) for one in swaps.scenario.groups]
    later = swaps._replace(scenario=swaps.scenario._replace(groups=tuple(bare)))
    limits = line(panel(later, "/swaps"), "memory.swap.high").get_ydata()
    assert (isnan(limits[0]), limits[-1]) == (True, 200)


def test_how_many_are_not_shown_is_said(shifts, swaps):
    # Twelve that shift, the database and the system: three of fourteen.
    said = "and 11 more cgroups not shown: who died, has a limit or stalled longest goes first"
    assert plot._draw([("", shifts)]).axes[-1].get_title(loc="right") == said
    assert plot._draw([("", swaps)]).axes[-1].get_title(loc="right") == ""


@pytest.mark.parametrize("times", [1, 4])
def test_what_is_said_of_the_others_does_not_run_into_the_title(shifts, times):
    drawn = plot._draw([("", shifts)] * times)
    drawn.draw_without_rendering()
    axis = drawn.axes[-times]
    assert axis.title.get_text() == ""
    assert axis._left_title.get_window_extent().x1 < axis._right_title.get_window_extent().x0


def test_where_somebody_died_is_shown_before_who_has_a_limit(shifts):
    death = Event(1, Kind.OOM_KILL, "/system.slice", "system", 7)
    assert "/system.slice" not in plot._paths(shifts)[0]
    assert "/system.slice" in plot._paths(shifts._replace(events=(death,)))[0]


def test_among_equals_who_held_most_is_shown(shifts):
    first = shifts.samples[0]
    groups = {path: one._replace(some_us=0) for path, one in first.groups.items()}
    peaks = {path: 2 * MIB if path.endswith(("2.service", "9.service")) else MIB for path in groups}
    shown = plot._paths(shifts._replace(samples=(first._replace(groups=groups),), peaks=peaks))[0]
    assert [one[-9:] for one in shown if not one.endswith("0.service")] == ["2.service", "9.service"]


def test_a_title_is_the_name_where_nothing_is_said(swaps):
    drawn = plot._draw([("", swaps)])
    assert drawn._suptitle.get_text() == "swaps"
    assert plot.title(swaps.scenario._replace(text="much")) == "swaps: much"


def test_dollars_in_a_name_are_no_formula(swaps):
    assert b">/beside$_$<" in plot.saved(plot._draw([("", swaps)]), "svg")


def test_who_is_told_to_end_is_marked_as_such(draw, tmp_path):
    policy = tmp_path / "earlyoom"
    policy.write_text('EARLYOOM_ARGS="-M 980000,1024"\n')  # KiB: ask below 957 MiB, kill below 1 MiB
    said = draw("a.svg", "--policy", str(policy), "--set", "/max/memory.max=max").decode()
    assert "SIGTERM by the guard" in said
    assert "supervisor" not in said


def test_pressure_names_a_cgroup_by_its_path_as_its_panel_does(shifts):
    labels = panel(shifts, "pressure").get_legend_handles_labels()[1]
    shown = plot._paths(shifts)[0]
    assert [one for one in labels if one.startswith("some, ")] == [f"some, {path}" for path in shown]
    assert all(path.count("/") == 2 for path in shown)
    assert plot._named("/", 32) == "the machine"


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_legend_is_as_wide_as_the_picture_at_the_most(times):
    pytest.importorskip("matplotlib")
    policy = load([Text(*one) for one in read_policy("default").texts], name="default").policy
    drawn = plot._draw([("default", simulate(scenario("slow-leak", ()), Inside(policy)))] * times)
    drawn.draw_without_rendering()
    box = drawn.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= drawn.bbox.x1


def test_a_sweep_has_its_marks(draw):
    said = draw("a.svg", *SWEEP).decode()
    assert "nobody dies from here on: 128MiB" in said
    assert "/max/memory.max, MiB" in said
    assert "<pre>" in draw("a.html", *SWEEP).decode()


def test_a_curve_names_the_policy(draw):
    for words in (SWEEP, ("--seeds", "2", "--jobs", "1")):
        assert "policy" not in draw("a.html", *words).decode()
        assert draw("a.html", *words, "--policy", "default").decode().count("; policy default") == 2


def test_seeds_have_no_knee(draw):
    page = draw("a.html", "--seeds", "3", "--jobs", "1", "--set", "/max/memory.max=128MiB").decode()
    assert "s on 3 nodes" in page
    assert "nobody dies from here on" not in page
    assert "nee" not in page


def test_one_node_is_drawn_too(draw):
    assert b"seconds, all programs" in draw("a.svg", "--seeds", "1", "--jobs", "1")
    assert b"/max/memory.max, MiB" in draw("b.svg", "--sweep", "/max/memory.max=32M..32M:32M", "--jobs", "1")


def test_of_one_node_the_bar_is_not_all_of_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.toml").write_text(SMALL)
    points = [Point(7, "7", 400_000, 0, 0, None, 1, ())]
    drawn = plot_sweep._draw(scenario(str(tmp_path / "s.toml"), ()), Sweep("seed", (7,), ("7",)), points)
    drawn.draw_without_rendering()
    kills = drawn.axes[2]
    assert kills.get_xlim() == (4, 10)
    assert list(kills.get_xticks()) == [7]
    assert kills.patches[0].get_width() < 1


def test_seeds_are_whole_numbers_and_no_marker_is_cut_off(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.toml").write_text(SMALL)
    shares = ((1, None), (2, 0.1634), (3, 0.162))
    points = [Point(at, str(at), 400_000, 0, 0, lost, 1, ()) for at, lost in shares]
    swept = Sweep("seed", (1, 2, 3), ("1", "2", "3"))
    drawn = plot_sweep._draw(scenario(str(tmp_path / "s.toml"), ()), swept, points)
    drawn.draw_without_rendering()
    stalls, losses, kills = drawn.axes
    assert drawn._suptitle.get_text() == "s"
    ticks = [float(one) for one in kills.get_xticks()]
    assert ticks == [round(one) for one in ticks]
    assert {1.0, 2.0} <= set(ticks)
    assert losses.get_ylim() == pytest.approx((0, 1.08 * 16.34))
    assert [isnan(value) for value in losses.lines[0].get_ydata()] == [True, False, False]
    assert not any(one.get_clip_on() for one in (*stalls.lines, *losses.lines))  # those at 0, too


def test_a_sweep_without_losses_has_room_for_its_line(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.toml").write_text(SMALL)
    points = [Point(at << 20, f"{at}MiB", 0, 0, 0, None, 0, ()) for at in (1, 2)]
    swept = Sweep("/max/memory.max", (1 << 20, 2 << 20), ("1MiB", "2MiB"))
    drawn = plot_sweep._draw(scenario(str(tmp_path / "s.toml"), ()), swept, points)
    assert drawn.axes[1].get_ylim() == (0, 1)


@pytest.mark.parametrize("words", [(), SWEEP])
def test_two_pictures_are_both_drawn_and_one_name_twice_is_one(draw, tmp_path, words):
    draw("a.svg", *words, "--plot", str(tmp_path / "b.png"), "--plot", str(tmp_path / "a.svg"))
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'memwarden\[plot\]'"):
        plot.check("x.svg")


def test_another_kind_of_file_is_refused():
    with pytest.raises(UsageError, match="has to end in"):
        plot.check("x.pdf")
