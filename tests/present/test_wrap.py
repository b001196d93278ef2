"""Paragraphs that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.present.text import cells
from memwarden.present.wrap import wrap


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 13, ["one two three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("ab abcdefghij", 4, ["ab", "abcd", "efgh", "ij"]),
        ("日本語 x", 4, ["日本", "語 x"]),
        ("", 4, [""]),
        ("in /ab/cdef/ghijklmnop now", 8, ["in", "/ab/", "cdef/", "ghijklmn", "op now"]),
    ],
)
def test_lines(text, width, lines):
    assert wrap(text, width) == lines


def test_prefixes():
    assert wrap("one two three", 8, first="- ") == ["- one", "  two", "  three"]
    assert wrap("one two", 8, first="1. ", rest="> ") == ["1. one", "> two"]


@given(st.lists(st.text("abc日", min_size=1, max_size=12), min_size=1), st.integers(2, 20))
def test_nothing_is_lost_and_everything_fits(words, width):
    lines = wrap(" ".join(words), width)
    assert "".join(lines).replace(" ", "") == "".join(words)
    assert all(cells(line) <= width for line in lines)
