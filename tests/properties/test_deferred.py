"""Parsing later gives what parsing at once gives, and refuses what that refuses, whatever was read before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.errors import ParseError
from memwarden.kernel import memory_numa_stat, memory_stat
from memwarden.kernel.deferred import Later
from memwarden.testing.strategies import TOKENS, damaged

STAT = "anon 1323008\nfile 4628480\nkernel 540672\nshmem 0\npgfault 2706\n"
NUMA_STAT = "anon N0=1323008\nfile N0=4628480\nworkingset_refault_file N0=12\n"
NUMA_STAT_OF_TWO = "anon N0=1323008 N1=0\nfile N0=4628480 N1=8192\nworkingset_refault_file N0=12 N1=0\n"
FILES = pytest.mark.parametrize(
    ("parse", "mark", "sample", "is_flat"),
    [
        (memory_stat.parse, " ", STAT, False),
        (memory_stat.parse, " ", STAT, True),
        (memory_numa_stat.parse, " N0=", NUMA_STAT, False),
        (memory_numa_stat.parse, " N0=", NUMA_STAT_OF_TWO, False),
    ],
    ids=["stat", "flat", "numa_stat", "two nodes"],
)


def outcome(parse, text):
    try:
        return dict(parse(text))
    except ParseError as error:
        return str(error)


@FILES
@given(data=st.data())
def test_one_text_after_another(parse, mark, sample, is_flat, data):
    later = Later(parse, memory_stat.KEYS, mark, flat=is_flat)
    text = sample
    for _ in range(4):
        assert outcome(later, text) == outcome(parse, text)
        text = data.draw(st.one_of(st.just(sample), damaged(sample), damaged(text), st.sampled_from(TOKENS)))


@FILES
@given(data=st.data())
def test_digits_anywhere(parse, mark, sample, is_flat, data):
    """Other digits, none, and digits where there were none: that is all that the form does not tell."""
    later = Later(parse, memory_stat.KEYS, mark, flat=is_flat)
    before = data.draw(st.one_of(st.just(sample), damaged(sample)))
    outcome(later, before)
    text = ""
    for char in before:
        change = data.draw(st.sampled_from(["", "", "", "", "", "", "other", "more"]))
        text += {"": char, "other": "" if char.isdigit() else char, "more": char + "7"}[change]
    assert outcome(later, text) == outcome(parse, text)
