"""What explain prints, kept whole: samples recorded on real kernels, and logs of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

import memwarden
from memwarden.postmortem.read import find_reports
from memwarden.postmortem.verdict import judge
from memwarden.present import explain_html, explain_json, explain_markdown, explain_text

SAMPLES = Path(memwarden.__file__).parent / "samples"
OWN = Path(__file__).parent.parent / "golden" / "explain"
LOGS = sorted([*SAMPLES.glob("*.log"), *OWN.glob("*.log")], key=lambda path: path.stem)


def incidents(*paths):
    return [judge(report) for path in paths for report in find_reports([path.read_bytes()], file=path.name)]


def named(stem):
    return next(path for path in LOGS if path.stem == stem)


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_text(golden, path):
    golden(f"explain/{path.stem}.txt", "".join(explain_text.text(incidents(path))))


def test_text_of_many(golden):
    table = next(explain_text.text(incidents(*LOGS)))
    golden("explain/many.txt", table.rstrip("\n") + "\n")


@pytest.mark.parametrize("stem", ["pod-limit", "whole-machine"])
def test_markdown(golden, stem):
    golden(f"explain/{stem}.md", "".join(explain_markdown.text(incidents(named(stem)))))


@pytest.mark.parametrize("stem", ["pod-limit", "fragmentation"])
def test_html(golden, stem):
    golden(f"explain/{stem}.html", "".join(explain_html.page(incidents(named(stem)))))


@pytest.mark.parametrize("stem", ["pod-limit", "old-memsw"])
def test_json(golden, stem):
    golden(f"explain/{stem}.json", "".join(explain_json.text(incidents(named(stem)))))


@pytest.mark.parametrize(
    ("stem", "causes"),
    [
        ("cgroup-limit", ["memcg-anon"]),
        ("tmpfs", ["memcg-shmem", "memcg-shmem"]),
        ("whole-machine", ["system-anon"]),
        ("group-kill", ["memcg-anon"]),
        ("pod-limit", ["memcg-anon"]),
        ("old-memsw", ["memcg-swap-limit"]),
        ("fragmentation", ["fragmentation"]),
    ],
)
def test_causes(stem, causes):
    assert [incident.verdict.cause for incident in incidents(named(stem))] == causes
