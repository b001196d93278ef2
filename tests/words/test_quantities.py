"""Quantities: exact both ways, and what is wrong with one said in a sentence."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.units import GIB, MIB
from memwarden.words import quantities as q
from memwarden.words.near import distance, nearest


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("50ms", q.DURATIONS, 50_000),
        ("0.5s", q.DURATIONS, 500_000),
        (" 2 min ", q.DURATIONS, 120_000_000),
        ("1.5h", q.DURATIONS, 5_400_000_000),
        ("7us", q.DURATIONS, 7),
        ("0s", q.DURATIONS, 0),
        ("512MiB", q.SIZES, 512 * MIB),
        ("1.5GiB", q.SIZES, 3 * GIB // 2),
        ("1MB", q.SIZES, 1_000_000),
        ("20MiB/s", q.BYTE_RATES, 20 * MIB),
        ("200/s", q.PER_SECOND, 200),
        ("5%", q.PPM, 50_000),
        ("0.0001%", q.PPM, 1),
        ("60.25%", q.CENTI_PERCENT, 6025),
    ],
)
def test_read(text, units, value):
    assert q.read(text, units, "x") == value


@pytest.mark.parametrize(
    ("value", "units", "text"),
    [
        (50, q.DURATIONS, '50 has no unit; write it as "10ms"'),
        (1.5, q.DURATIONS, '1.5 has no unit; write it as "10ms"'),
        ("50", q.DURATIONS, '"50" has no unit; write it as "10ms"'),
        ("-5s", q.DURATIONS, '"-5s" is below zero; write it as "10ms"'),
        (-5, q.DURATIONS, '-5 is below zero; write it as "10ms"'),
        (-0.5, q.DURATIONS, '-0.5 is below zero; write it as "10ms"'),
        ("ms", q.DURATIONS, '"ms" is not a number with a unit; write it as "10ms"'),
        ("1.2.3s", q.DURATIONS, '"1.2.3s" is not a number with a unit; write it as "10ms"'),
        (
            "9" * 21 + "s",
            q.DURATIONS,
            f'"{"9" * 21}s" has a number of more than 20 digits; write it as "10ms"',
        ),
        ("x" * 50, q.DURATIONS, f'"{"x" * 37}..." is not a number with a unit; write it as "10ms"'),
        (True, q.DURATIONS, 'true is not a number with a unit; write it as "10ms"'),
        ([1], q.DURATIONS, 'a list is not a number with a unit; write it as "10ms"'),
        ({}, q.DURATIONS, 'a table is not a number with a unit; write it as "10ms"'),
        (date(2024, 1, 1), q.DURATIONS, 'a date or time is not a number with a unit; write it as "10ms"'),
        ("5m", q.DURATIONS, '"5m": the unit is not one of h, min, s, ms, us (did you mean min or ms?)'),
        ("5sec", q.DURATIONS, '"5sec": the unit is not one of h, min, s, ms, us (did you mean s?)'),
        ("5mis", q.DURATIONS, '"5mis": the unit is not one of h, min, s, ms, us (did you mean min?)'),
        ("5 parsec", q.DURATIONS, '"5 parsec": the unit is not one of h, min, s, ms, us'),
        ("5%", q.DURATIONS, '"5%": the unit is not one of h, min, s, ms, us'),
        ("0.5us", q.DURATIONS, '"0.5us" is finer than 1 us; round it'),
        ("0.001%", q.CENTI_PERCENT, '"0.001%" is finer than 0.01 %; round it'),
        ("0.00001%", q.PPM, '"0.00001%" is finer than 0.0001 %; round it'),
    ],
)
def test_what_is_wrong(value, units, text):
    with pytest.raises(q.WrongError) as error:
        q.read(value, units, "10ms")
    assert str(error.value) == text


def test_a_size_where_a_rate_belongs_is_asked_about():
    with pytest.raises(q.WrongError, match=r"\(did you mean MiB/s\?\)"):
        q.read("20MiB", q.BYTE_RATES, "x")


def test_a_size_without_its_i_is_asked_about():
    with pytest.raises(q.WrongError, match=r"\(did you mean MiB\?\)"):
        q.read("512M", q.SIZES, "x")
    with pytest.raises(q.WrongError, match=r"\(did you mean KiB \(1024\) or kB \(1000\)\?\)"):
        q.read("512KB", q.SIZES, "x")


@pytest.mark.parametrize("units", [q.DURATIONS, q.SIZES, q.BYTE_RATES, q.PER_SECOND])
@given(value=st.integers(-(1 << 62), 1 << 62))
def test_what_is_written_is_read_again(units, value):
    assert q.read(q.write(value, units), units, "x", signed=True) == value


@pytest.mark.parametrize(("whole", "units"), [(100, q.CENTI_PERCENT), (10_000, q.PPM)])
@given(value=st.integers(-(1 << 40), 1 << 40))
def test_percent_too(whole, units, value):
    assert q.read(q.write_percent(value, whole), units, "x", signed=True) == value


WORDS = st.text("abc", max_size=5)


@given(WORDS, WORDS, WORDS)
def test_the_distance_of_words_is_a_distance(one, other, third):
    assert (distance(one, other) == 0) == (one == other)
    assert distance(one, other) == distance(other, one)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("kil", ["kill", "notify"], " (did you mean kill?)"),
        ("STALL", ["stall"], " (did you mean stall?)"),
        ("cooldown", ["pause", "name"], " (did you mean pause?)"),
        ("cooldown", ["name"], ""),
        ("completely-else", ["pause", "name"], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_spelling(word, known, hint):
    assert nearest(word, known) == hint
