"""What start-up time is made of: the modules that are imported and how their records are made.

Nothing is timed here; ``bench/startup.py`` holds the ratios to Python's own start.
"""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.repo.tree import python_files, relative, tree_of

HEAVY = {
    "asyncio", "dataclasses", "datetime", "decimal", "difflib", "email", "gzip", "importlib.metadata",
    "inspect", "json", "logging", "lzma", "pathlib", "shlex", "shutil", "socket", "subprocess", "tempfile",
    "textwrap", "zlib",
}  # fmt: skip
FIELDS_THAT_COST = 7
OFF_THE_WAY = (
    "/postmortem/",
    "/sim/",
    "collect/signals.py",
    "guard/played.py",
    "present/why_stories.py",
    "present/why_incident.py",
)
"""What neither status nor the guard imports."""


def imported(*words):
    code = (
        "import sys; from memwarden.cli.main import run; "
        f"run({list(words)!r}); print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    # -S: without site, whose .pth files may import anything.
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_the_top_help_needs_no_argparse_and_no_verb():
    found = imported("--help")
    assert {name for name in found if "memwarden" in name} == {
        "memwarden", "memwarden.cli", "memwarden.cli.main", "memwarden.errors",
    }  # fmt: skip
    assert not found & {"argparse", "typing", "re", *HEAVY}


@pytest.mark.live
def test_status_imports_nothing_heavy():
    found = imported("status")
    assert not found & HEAVY
    assert not {
        name for name in found if name.startswith(("memwarden.postmortem", "memwarden.present.explain"))
    }


def is_record(node):
    """A class whose fields typing looks at one by one."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id in ("NamedTuple", "TypedDict") for base in node.bases
    )


def test_large_records_do_not_postpone_their_annotations():
    # typing compiles a postponed annotation of a NamedTuple or TypedDict at every start, field by field; that
    # was a third of the time of status.
    found = []
    for path in python_files("src"):
        body = tree_of(path).body
        if not any(isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in body):
            continue
        for one in filter(is_record, body):
            fields = sum(isinstance(field, ast.AnnAssign) for field in one.body)
            if fields >= FIELDS_THAT_COST and not any(part in str(path) for part in OFF_THE_WAY):
                found.append(f"{relative(path)}: {one.name}")
    assert found == []
