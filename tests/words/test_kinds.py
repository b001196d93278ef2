"""Strings as TOML writes them: the same text again, and nothing that a terminal would obey."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from memwarden.words.kinds import key, quoted

TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\\n\x1b\x7f\x9b\u202e\u2066\U000e0001'))
)


@given(TEXTS)
def test_a_string_is_the_same_text_and_printable(text):
    assert tomllib.loads(f"{key(text)} = {quoted(text)}") == {text: text}
    assert quoted(text).isprintable()
    assert key(text).isprintable()
