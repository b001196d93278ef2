"""The two commands and the check: what they promise is in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests import coverage_gate, parts
from tests.repo.tree import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text()
CI = REPOSITORY / ".ci" / "run"


def test_every_target_is_explained_and_phony():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## .", MAKEFILE, re.MULTILINE))
    assert targets == set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())


def test_make_test_is_all_of_it():
    [line] = re.findall(r"tests/parts\.py (.*)$", MAKEFILE, re.MULTILINE)
    assert line.split() == ["lint", "types", "imports", "unit", "lab", "faults"]


def test_the_check_is_a_script_that_stops_at_the_first_error_and_needs_the_lab():
    assert os.access(CI, os.X_OK)
    assert subprocess.run(["bash", "-n", CI], check=False).returncode == 0
    text = CI.read_text()
    assert "set -euo pipefail" in text
    assert "MEMWARDEN_LAB=required make test" in text


@pytest.mark.parametrize(("codes", "expected"), [([0, 0], 0), ([0, 2], 1)])
def test_all_parts_run_even_when_one_fails(monkeypatch, capfd, codes, expected):
    ran = []

    def make(words, **_options):
        ran.append(words[-1])
        return subprocess.CompletedProcess(words, codes[len(ran) - 1])

    monkeypatch.setattr(parts.subprocess, "run", make)
    assert parts.main(["lint", "types"]) == expected
    assert ran == ["lint", "types"]
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == f"parts: {2 - expected} passed, {expected} failed"


def measured(covered, branches):
    """A file of ten statements and two branches, in coverage's own words."""
    return {
        "summary": {
            "covered_lines": covered, "num_statements": 10, "covered_branches": branches, "num_branches": 2,
        },
        "missing_lines": list(range(covered, 10)),
        "missing_branches": [[1, 2], [3, -1]][branches:],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, 1),
        ({"src/memwarden/rules/a.py": (10, 2)}, 0),
        ({"src/memwarden/rules/a.py": (10, 1)}, 1),
        ({"src/memwarden/kernel/a.py": (9, 2), "src/memwarden/kernel/b.py": (10, 2)}, 1),
        ({"src/memwarden/host/a.py": (9, 2)}, 0),  # 11 of 12 = 91.7 %, above 90
        ({"src/memwarden/host/a.py": (8, 2)}, 1),
        ({"src/memwarden/units.py": (10, 2), "src/memwarden/new/a.py": (9, 2)}, 1),
    ],
)
def test_the_coverage_gate(monkeypatch, capsys, files, code):
    found = {path: measured(*numbers) for path, numbers in files.items()}
    monkeypatch.setattr(coverage_gate, "measured", lambda: found)
    assert coverage_gate.main() == code
    out = capsys.readouterr().out
    assert ("TOO LOW" in out) == (code == 1 and bool(files))


def test_the_gate_names_what_is_missing():
    assert coverage_gate.missing(measured(8, 0)) == "8, 9, 1->2, 3->exit"


def test_python_is_the_one_that_is_promised():
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.11"' in project
    assert sys.version_info >= (3, 11)
    assert "dependencies = []" in project
