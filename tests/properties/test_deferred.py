"""Parsing later gives what parsing at once gives, and refuses what that refuses, whatever was read before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import ParseError
from memwarden.kernel import memory_numa_stat, memory_stat
from memwarden.testing.parsers import sample_of
from memwarden.testing.strategies import TOKENS, damaged

MODULES = pytest.mark.parametrize("module", [memory_stat, memory_numa_stat], ids=["stat", "numa_stat"])


def outcome(parse, text, **before):
    try:
        return dict(parse(text, **before))
    except ParseError as error:
        return str(error)


@MODULES
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)))
def test_any_text(module, text):
    assert outcome(module.parse_later, text) == outcome(module.parse, text)


@MODULES
@given(data=st.data())
def test_a_text_that_was_damaged_after_one_that_was_taken(module, data):
    sample = sample_of(module.parse)
    before = data.draw(st.one_of(st.just(sample), damaged(sample)))
    if isinstance(outcome(module.parse, before), str):
        before = sample
    text = data.draw(damaged(before))
    assert outcome(module.parse_later, text, before=before) == outcome(module.parse, text)


@MODULES
@given(data=st.data())
def test_a_text_with_other_digits_than_one_that_was_taken(module, data):
    before = sample_of(module.parse)
    digits = st.sampled_from("0123456789")
    text = "".join(data.draw(digits) if char.isdigit() else char for char in before)
    assert outcome(module.parse_later, text, before=before) == outcome(module.parse, text)
