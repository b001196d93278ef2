"""Rules of writing that a linter does not know."""

from __future__ import annotations

import re

from tests.repo.tree import REPOSITORY, python_files, relative, texts

FORM = re.compile(r'Since Linux kernel commit [0-9a-f]{12,40} \("[^"]+"\) \(in v\d+\.\d+(?:\.\d+)?\)')
MENTION = re.compile(r"\bcommit\s+[0-9a-f]{7,40}\b")


def flowed(text):
    """Text as one paragraph: comment signs and line ends are spaces."""
    return re.sub(r"\s*\n\s*(?:#|--|//|\*|>)?\s*", " ", text)


def test_kernel_commits_are_cited_in_one_form():
    found = []
    for name, text in texts():
        if name.endswith((".py", ".md")) and not name.startswith("tests/repo/"):
            rest = FORM.sub("", flowed(text))
            found += [f"{name}: {match.group()}" for match in MENTION.finditer(rest)]
            found += [f"{name}: incomplete citation"] * len(
                re.findall("Since Linux kernel commit(?! <hash>)", rest)
            )
    assert found == []


def test_each_ignored_rule_has_its_reason():
    section = (REPOSITORY / "pyproject.toml").read_text().partition("[tool.ruff.lint]")[2]
    lines = [line for line in section.splitlines() if re.match(r'\s+"[A-Z]+\d*"', line)]
    assert len(lines) > 10
    assert [line for line in lines if "# " not in line] == []
    # Lists on one line would hide from the check above.
    assert re.findall(r'= \["[A-Z]+\d*".*\]', section.partition("per-file-ignores]")[2]) == []


def test_each_suppressed_finding_has_its_reason():
    pattern = re.compile(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[\w-]+\])(.*)")
    found = [
        f"{relative(path)}: {match.group().strip()}"
        for path in python_files("src", "lab", "bench", "tests", "docs")
        for match in pattern.finditer(path.read_text())
        if not re.match(r"\s*(-|#|--|\()\s*\w", match.group(1))
    ]
    assert found == []


def test_no_stub_and_no_test_that_cannot_fail():
    weak = re.compile(
        r"^\s*(?:assert True\b|raise NotImplementedError|pass\s+# ?TO" r"DO)|\bTO" r"DO\b|\bFIX" r"ME\b",
        re.MULTILINE,
    )
    found = [
        f"{relative(path)}: {match.group().strip()}"
        for path in python_files("src", "lab", "bench", "tests", "docs")
        for match in weak.finditer(path.read_text())
    ]
    assert found == []
