"""A file of the form of the last one is read by columns, and means what it means line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import ParseError
from memwarden.kernel import meminfo

LINES = {
    "MemTotal": "kB",
    "MemAvailable": "kB",
    "Active(anon)": "kB",
    "HugePages_Total": "",
    "Hugepagesize": "kB",
    "DirectMap4k": "kB",
}


def text_of(figures):
    units = {key: f" {unit}" if unit else "" for key, unit in LINES.items()}
    return "".join(f"{key + ':':16}{figure:>8}{units[key]}\n" for key, figure in figures.items())


NUMBERS = st.integers(0, 2**54)


@given(st.lists(NUMBERS, min_size=len(LINES), max_size=len(LINES)))
def test_kib_are_bytes_and_huge_pages_are_counts(numbers):
    meminfo.parse(text_of(dict.fromkeys(LINES, 1)))  # the form is known from now on
    figures = dict(zip(LINES, numbers, strict=True))
    expected = {key: figure * (1024 if LINES[key] else 1) for key, figure in figures.items()}
    del expected["DirectMap4k"]  # no key of ours
    assert meminfo.parse(text_of(figures)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("      77 kB", "     7 7 kB"),  # two words
        ("      77 kB", "         kB"),  # none
        ("MemAvailable:         77 kB", "MemAvailable77: kB"),  # its digits are in the key
        ("      77 kB", "9" * 21 + " kB"),  # no 64 bits
    ],
)
def test_what_has_the_same_letters_and_is_no_figure_is_refused(old, new):
    good = text_of({**dict.fromkeys(LINES, 1), "MemAvailable": 77})
    meminfo.parse(good)
    damaged = good.replace(old, new, 1)
    assert damaged != good
    if "MemAvailable77" in damaged:
        assert "MemAvailable" not in meminfo.parse(damaged)
        return
    with pytest.raises(ParseError) as caught:
        meminfo.parse(damaged)
    assert caught.value.line_number == 2


def test_a_file_with_another_line_is_read_as_it_is():
    meminfo.parse(text_of(dict.fromkeys(LINES, 1)))
    fewer = {key: 2 for key in LINES if key != "Active(anon)"}
    assert meminfo.parse(text_of(fewer)) == {
        "MemTotal": 2048,
        "MemAvailable": 2048,
        "HugePages_Total": 2,
        "Hugepagesize": 2048,
    }
