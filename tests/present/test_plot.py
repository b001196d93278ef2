"""Pictures: the same bytes for the same run, what they show, and one sentence where they cannot be drawn."""

from __future__ import annotations

import sys

import pytest

from memwarden.cli.inside import Inside
from memwarden.cli.simulate import scenario
from memwarden.errors import UnsupportedError, UsageError
from memwarden.guard.policy.load import load
from memwarden.host.policy_files import read_policy
from memwarden.present import plot
from memwarden.sim.run import simulate
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
SWEEP = ("--sweep", "/max/memory.max=32M..128M:32M", "--jobs", "1")


@pytest.fixture
def draw(cli, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.toml").write_text(SMALL)

    def drawn(name, *words):
        path = tmp_path / name
        ran = cli("simulate", tmp_path / "s.toml", "--plot", path, "--force", *words)
        assert (ran.code, ran.err) == (0, "")
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


def test_who_is_told_to_end_is_marked_as_such(draw, tmp_path):
    policy = tmp_path / "earlyoom"
    policy.write_text('EARLYOOM_ARGS="-M 980000,1024"\n')  # KiB: ask below 957 MiB, kill below 1 MiB
    said = draw("a.svg", "--policy", str(policy), "--set", "/max/memory.max=max").decode()
    assert "SIGTERM by the guard" in said
    assert "supervisor" not in said


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
