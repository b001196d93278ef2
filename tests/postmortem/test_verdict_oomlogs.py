"""Verdicts on real reports that this repository does not hold."""

from __future__ import annotations

import pytest

from tests.oomlogs.verdicts import line, rows

pytestmark = pytest.mark.oomlogs


@pytest.fixture(scope="module")
def found(oomlogs):
    return list(rows(oomlogs))


def test_every_cause_is_one_that_a_careful_reader_names(found):
    for row in found:
        print(line(row))
    assert [row.name for row in found if not row.right] == []


def test_no_sentence_shows_what_it_does_not_know(found):
    for row in found:
        verdict = row.incident.verdict
        sentences = [verdict.summary, *(one.text for one in (*verdict.why_victim, *verdict.why_while_free))]
        assert [text for text in sentences if "None" in text or "  " in text] == []
