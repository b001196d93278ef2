"""Texts put by: the same ones, in their order, in little room."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwarden.postmortem.verdict import judge
from memwarden.present import explain_html, explain_markdown, explain_text
from memwarden.present.kept import Kept
from tests.postmortem.verdict_reports import memcg_facts, memcg_report, task, victim


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_what_goes_in_comes_out(texts):
    kept = Kept()
    for text in texts:
        kept.add(text)
    assert (list(kept), list(kept)) == (texts, texts)


def test_texts_larger_than_any_buffer():
    kept = Kept()
    texts = ["".join(map(str, range(first, 200_000, first))) for first in (1, 2, 3)]
    for text in texts:
        kept.add(text)
    assert list(kept) == texts


def drawn(draw, incident, count):
    """Characters printed, and the most memory that took at once."""
    tracemalloc.start()
    printed = sum(map(len, draw(incident for _ in range(count))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return printed, peak


@pytest.mark.parametrize("draw", [explain_text.text, explain_markdown.text, explain_html.page])
def test_many_incidents_take_little_more_room_than_few(draw):
    rows = [task(pid, 1000 - pid) for pid in range(2, 100)]
    incident = judge(memcg_report(memcg_facts(64), *rows, victims=(victim(2, 998),)))
    drawn(draw, incident, 2)
    few, room_of_few = drawn(draw, incident, 20)
    many, room_of_many = drawn(draw, incident, 200)
    assert many - few > 180 * (few / 20) * 0.9
    assert room_of_many - room_of_few < (many - few) / 4
