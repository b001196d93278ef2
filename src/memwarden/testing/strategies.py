"""Hypothesis strategies for what a kernel may print, and for what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

U64: Final = (1 << 64) - 1

TOKENS: Final = (
    "", " ", "\n", "\t", "\0", "\x0b", "\x85", "\u2028", "=", ":", ";", ",", "(", ")", ") R 1 ", "-", "/",
    "max", "0", "-1", "18446744073709551616", "9" * 5000, "1_000", "+1", "1e3", "inf", "nan", "\u0663",
    "kB", "\u00b2", "N0=", "\\040", "\\", "\\x0", "\udcff", " (deleted)", "Node 0, zone", "some ", "total=",
)  # fmt: skip
"""What breaks parsers: separators, numbers that only ``int()`` or ``float()`` takes, halves of words."""


def counts() -> SearchStrategy[int]:
    """Unsigned 64-bit numbers, with 0 and the greatest among them."""
    return st.integers(0, U64)


def comms() -> SearchStrategy[str]:
    """Names of processes: up to 15 bytes (``TASK_COMM_LEN``) of anything but NUL, here of ASCII."""
    return st.text(
        st.one_of(st.sampled_from("a) (\\\n"), st.characters(min_codepoint=1, max_codepoint=127)), max_size=15
    )


def cgroup_names() -> SearchStrategy[str]:
    """Names of cgroups: what a directory may be called, without newlines, which ``cgroup_mkdir`` refuses."""
    names = st.text(
        st.characters(exclude_characters="/\n\0", exclude_categories=["Cs"]), min_size=1, max_size=40
    )
    return names.filter(lambda name: name not in (".", ".."))


@st.composite
def damaged(draw: st.DrawFn, sample: str) -> str:
    """A good text with a few pieces cut out, doubled, or replaced by a token that breaks parsers."""
    text = sample
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        middle = draw(st.one_of(st.sampled_from(TOKENS), st.just(text[start:end] * 2), st.text(max_size=5)))
        text = text[:start] + middle + text[end:]
    return text
