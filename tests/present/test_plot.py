"""Pictures: the same bytes for the same run, what they show, and one sentence where they cannot be drawn."""

from __future__ import annotations

import sys

import pytest

from memwarden.errors import UnsupportedError, UsageError
from memwarden.present import plot

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
    assert page.count("<svg") == 1
    assert "1 process dies: dies at" in page
    assert "<script" not in page
    assert page.count("<table>") == 2


def test_a_sweep_has_its_marks(draw):
    said = draw("a.svg", *SWEEP).decode()
    assert "nobody dies from here on: 128MiB" in said
    assert "/max/memory.max, MiB" in said
    assert "<pre>" in draw("a.html", *SWEEP).decode()


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'memwarden\[plot\]'"):
        plot.check("x.svg")


def test_another_kind_of_file_is_refused():
    with pytest.raises(UsageError, match="has to end in"):
        plot.check("x.pdf")
