"""The policies that stand in the documentation are policies; scenarios of the simulator are not meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memwarden.guard.policy.doubts import doubts
from memwarden.guard.policy.load import load
from memwarden.host.policy_files import read_policy
from memwarden.words.document import Text

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = [
    (path.name, number, text)
    for path in sorted(DOCS.glob("*/*.md"))
    for number, text in enumerate(
        re.findall(r"^```toml\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    )
    if not re.search(r"^\[(scenario|machine|group|program)\b", text, re.MULTILINE)
]


@pytest.mark.parametrize(("name", "number", "text"), EXAMPLES)
def test_a_drop_in_goes_over_the_built_in_policy(name, number, text):
    texts = [Text(*one) for one in read_policy("default").texts]
    loaded = load([*texts, Text(f"{name}, {number}", text)], name="default")
    assert [str(problem) for problem in loaded.problems] == []
    assert doubts(loaded.policy) == ()
    assert loaded.policy != load(texts, name="default").policy


def test_there_are_some():
    assert len(EXAMPLES) >= 2
