"""Figures and hostile names as a person sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.present.colour import PLAIN, Paint
from memwarden.present.text import cells, cut, duration, escape, percent, short_size, size
from memwarden.units import GIB, KIB, MAX, MIB


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (MAX, "max"),
        (0, "0"),
        (999, "999"),
        (1000, "0.98K"),  # 1000 / 1024
        (1023, "1.00K"),  # 0.999 rounds up
        (KIB, "1.00K"),
        (10 * KIB, "10.0K"),
        (999 * KIB, "999K"),
        (999 * KIB + 511, "999K"),  # 999.499
        (999 * KIB + 512, "0.98M"),  # 999.5 / 1024: four digits never show
        (MIB - 1, "1.00M"),
        (100 * MIB, "100M"),
        (int(99.96 * MIB), "100M"),
        (64 * GIB, "64.0G"),
        (-5 * MIB, "-5.00M"),
        (2**63 - 1, "8.00E"),
    ],
)
def test_sizes_have_three_figures(value, text):
    assert short_size(value) == text


def test_running_text_spells_the_unit():
    assert [size(one) for one in (None, MAX, 0, 512 * MIB)] == ["-", "max", "0 B", "512 MiB"]


@given(st.integers(min_value=0, max_value=2**63))
def test_a_size_is_within_half_a_percent_and_six_characters(value):
    text = short_size(value)
    assert len(text) <= 6
    number, unit = (text, "") if text[-1].isdigit() else (text[:-1], text[-1])
    shown = float(number) * 1024 ** (" KMGTPE".index(unit) if unit else 0)
    assert shown == pytest.approx(value, rel=0.0052, abs=0.5)


@pytest.mark.parametrize(("value", "text"), [(999, "999 us"), (1_000_000, "1.0 s"), (59_999_999, "60.0 s")])
def test_durations(value, text):
    assert duration(value) == text


def test_a_hundred_percent_is_said_only_when_reached():
    assert [percent(999_999, 1_000_000), percent(5, 5), percent(0, 5), percent(0, 0)] == [
        "99%",
        "100%",
        "0%",
        "-",
    ]


HOSTILE = [
    ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
    ("\u202egpj.exe", "\\u202egpj.exe"),  # right-to-left override
    ("zero\u200bwidth", "zero\\u200bwidth"),
    ("\u2028", "\\u2028"),  # line separator
    ("\x9b31m", "\\x9b31m"),  # the one-byte CSI
    ("\udcff", "\\xff"),  # a byte that is no UTF-8
    ("\U000e0041", "\\U000e0041"),  # tag character
    ("no\u00a0break", "no\\xa0break"),
]
HARMLESS = ["/system.slice/dev-disk\\x2dby.swap", "/häßlich/日本", "a b (c)", "e\u0301", "🐧"]


@pytest.mark.parametrize(("name", "shown"), HOSTILE)
def test_what_moves_the_cursor_is_escaped(name, shown):
    assert escape(name) == shown


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_stay(name):
    assert escape(name) == name


@given(st.text(st.characters()))
def test_an_escaped_name_is_printable_and_stays_so(name):
    shown = escape(name)
    assert all(one == " " or one.isprintable() for one in shown)
    assert escape(shown) == shown
    shown.encode("utf-8")


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_cut_text_fits(text, columns):
    assert cells(cut(escape(text), columns)) <= max(columns, 0)


def test_a_cut_keeps_both_ends():
    # 20 cells: 6 of the start, 2 dots, 12 of the end.
    assert cut("/kubepods.slice/kubepods-burstable.slice/app", 20) == "/kubep..le.slice/app"
    # Wide characters are never halved: the 3 cells at each end hold one character of two cells.
    assert cut("日本語の名前", 7) == "日..前"


def test_paint():
    assert Paint(enabled=True)("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
    assert PLAIN("x", "red") == "x"
    assert Paint(enabled=True)("", "red") == ""
    assert Paint(enabled=True)("x") == "x"
