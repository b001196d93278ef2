"""The value ``MAX`` and sizes in sentences."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.units import GIB, KIB, MAX, MIB, Max, least, limit_json, scaled, size


@given(st.integers())
def test_max_is_greater_than_every_number(number):
    assert number < MAX
    assert number <= MAX
    assert not number > MAX
    assert not number >= MAX
    assert number < MAX
    assert min(number, MAX) == number
    assert max(number, MAX) is MAX
    assert number != MAX


def test_max_is_equal_to_itself_only():
    assert Max() == MAX
    assert hash(Max()) == hash(MAX)
    assert MAX >= MAX  # noqa: PLR0124 - that is the point
    assert MAX <= MAX  # noqa: PLR0124 - same
    assert not MAX > MAX  # noqa: PLR0124 - same
    assert not MAX < MAX  # noqa: PLR0124 - same
    assert MAX != "max"


def test_max_less_or_more_is_still_max():
    assert MAX - 5 is MAX
    assert MAX + 5 is MAX
    assert 5 + MAX is MAX
    assert sum([1, MAX, 2]) is MAX
    with pytest.raises(TypeError):
        5 - MAX
    with pytest.raises(TypeError):
        MAX * 2


def test_max_looks_like_the_kernels_word_and_survives_pickling():
    assert (str(MAX), repr(MAX), f"{MAX}") == ("max", "MAX", "max")
    assert pickle.loads(pickle.dumps(MAX)) is MAX


def test_least():
    assert least(MAX) is MAX
    assert least(MAX, 5, 3, MAX) == 3


@pytest.mark.parametrize(("limit", "value"), [(MAX, "max"), (7, 7), (0, 0), (None, None)])
def test_limits_in_json(limit, value):
    assert limit_json(limit) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (KIB, "1.00 KiB"),
        (999 * KIB + 512, "0.98 MiB"),
        (int(9.996 * MIB), "10.0 MiB"),
        (int(99.96 * MIB), "100 MiB"),
        (-GIB, "-1.00 GiB"),
        (MAX, "max"),
    ],
)
def test_sizes_have_three_figures(value, text):
    assert size(value) == text


def test_a_figure_beyond_all_units_is_still_a_figure():
    assert scaled(1 << 600)[1] == "EiB"
