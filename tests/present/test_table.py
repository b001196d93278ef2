"""Tables fit, whatever stands in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memwarden.present.colour import Paint
from memwarden.present.table import Column, Row, render
from memwarden.present.text import cells, escape

NAME = Column("NAME", right=False, flexible=True, least=8)
COLUMNS = (NAME, Column("USAGE"), Column("LESS", drop=1), Column("LEAST", drop=2))


def rows(*texts):
    return [Row(one) for one in texts]


def test_columns_are_aligned():
    lines = render(COLUMNS, rows(("a", "1", "2", "3"), ("longer", "100", "20", "3")), 80)
    assert lines == [
        "NAME    USAGE  LESS  LEAST",
        "a           1     2      3",
        "longer    100    20      3",
    ]


def test_the_flexible_column_shrinks_before_a_column_leaves():
    [_, line] = render(COLUMNS, rows(("abcdefghijklmnopqrst", "1", "2", "3")), 32)
    # 32 - 3 gaps of 2 - 5 - 4 - 5 = 12 cells for the name
    assert line == "abcd..opqrst      1     2      3"


def test_the_least_important_column_leaves_first():
    head, line = render(COLUMNS, rows(("abcdefghijkl", "1", "2", "3")), 24)
    assert head == "NAME         USAGE  LESS"  # 11 + 2 + 5 + 2 + 4 cells
    assert line == "abc..ghijkl      1     2"


def test_what_may_not_leave_stays():
    lines = render((Column("A"), Column("B")), rows(("xxxxxxxx", "yyyyyyyy")), 5)
    assert lines == ["       A         B", "xxxxxxxx  yyyyyyyy"]


def test_a_column_that_says_nothing_is_left_out():
    columns = (NAME, Column("EVENTS", keep_empty=False))
    assert render(columns, rows(("a", "-"), ("b", "")), 80) == ["NAME", "a", "b"]
    assert render(columns, rows(("a", "-"), ("b", "1")), 80)[0] == "NAME  EVENTS"


def test_colour_does_not_move_columns():
    [_, line] = render(
        (Column("NAME"), Column("X")), [Row(("ab", "1"), {0: ("red",)})], 80, Paint(enabled=True)
    )
    assert line == "  \x1b[31mab\x1b[0m  1"


@given(
    st.lists(st.tuples(*[st.text(max_size=30).map(escape)] * 4), max_size=5),
    st.integers(min_value=30, max_value=120),
)
def test_no_line_is_wider_than_asked(texts, width):
    columns = (NAME, Column("B", flexible=True, least=8), Column("C", drop=1), Column("D", drop=2))
    assert all(cells(line) <= width for line in render(columns, rows(*texts), width))
