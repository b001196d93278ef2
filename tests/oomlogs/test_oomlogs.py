"""Every keyed field of every real report, when the folder of them is there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from memwarden.postmortem.read import find_reports
from tests.oomlogs.score import same, scored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oomlogs

ACCEPTED: set[tuple[str, str]] = set()
"""Report and field where key and text allow another reading than ours; each with its reason."""


def test_every_keyed_field_is_read(oomlogs: Path):
    compared: Counter[str] = Counter()
    wrong = []
    for name, fields, _ in scored(oomlogs):
        for field, wanted, got in fields:
            compared[field] += 1
            if not same(field, wanted, got) and (name, field) not in ACCEPTED:
                wrong.append(f"{name} {field}: wanted {wanted!r}, got {got!r}")
    assert not wrong, "\n".join(wrong)
    assert sum(compared.values()) > 2000


def test_where_chunks_end_does_not_matter(oomlogs: Path):
    for log in sorted(oomlogs.glob("*.log"))[::7]:
        text = log.read_bytes()
        whole = list(find_reports([text], file=log.name))
        pieces = [text[at : at + 1021] for at in range(0, len(text), 1021)]
        assert list(find_reports(pieces, file=log.name)) == whole, log.name


def test_all_reports_in_one_stream_are_found_again(oomlogs: Path):
    """Nothing leaks from one report into the next: all logs in a row say what each says alone.

    Times, hosts and line numbers differ; a log that begins or ends in the middle of a report may join
    its neighbour, so a line of other text stands between them.
    """
    between = b"".join(b"May  9 14:52:38 other sshd[%d]: ordinary line\n" % n for n in range(450))
    alone = []
    stream = b""
    for log in sorted(oomlogs.glob("*.log")):
        text = log.read_bytes().rstrip(b"\n") + b"\n"
        alone += [
            (len(r.tasks), len(r.victims), r.killed) for r in find_reports([text + between], file="log")
        ]
        stream += text + between
    together = [(len(r.tasks), len(r.victims), r.killed) for r in find_reports([stream], file="log")]
    assert sorted(together, key=str) == sorted(alone, key=str)
