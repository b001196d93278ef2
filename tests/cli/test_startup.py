"""What start-up time is made of: the modules that are imported and how their records are made.

Nothing is timed here; ``bench/startup.py`` holds the ratios to Python's own start.
"""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from memwarden.daemon import lean
from memwarden.daemon.options import Options, pack
from tests.repo.tree import REPOSITORY, python_files, relative, tree_of

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


IN_THE_GUARD = {
    "__future__", "__main__", "_abc", "_bisect", "_codecs", "_collections", "_collections_abc", "_ctypes",
    "_frozen_importlib", "_frozen_importlib_external", "_heapq", "_imp", "_io", "_json",
    "_operator", "_signal", "_socket", "_stat", "_struct", "_thread", "_warnings", "_weakref",
    "abc", "array", "binascii", "bisect", "builtins", "codecs", "collections", "collections.abc",
    "ctypes", "encodings", "encodings.aliases", "encodings.utf_8", "enum", "errno", "fcntl",
    "gc", "genericpath", "heapq", "io", "itertools", "marshal", "math", "mmap",
    "operator", "os", "os.path", "posix", "posixpath", "resource", "select", "signal", "stat",
    "struct", "sys", "time", "types", "typing", "zipimport", "zlib",
}  # fmt: skip
"""All that the guard may import of the standard library; each more is memory that stays locked."""
WHERE_NOT_KNOWN = {"_functools", "_typing", "copyreg", "ctypes._endian", "functools", "keyword", "reprlib"}
"""What is imported where ``daemon.lean`` does not replace it."""
GUARD = """
import sys
sys.path.insert(0, "src")
from memwarden.daemon import lean
lean.install()
from memwarden.daemon.options import unpack
from memwarden.daemon.start import run
run(unpack(sys.argv[1]))
print(*sys.modules, sep="\\n")
"""


@pytest.mark.live
def test_the_guard_imports_nothing_that_it_could_do_without(tmp_path):
    options = Options(dry_run=True, once=True, state=str(tmp_path / "state"), run=str(tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", GUARD, pack(options)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = set(done.stdout.split())
    assert "memwarden.guard.engine" in found
    theirs = {name for name in found if not name.startswith("memwarden")}
    allowed = IN_THE_GUARD if sys.version_info[:2] in lean.KNOWN else IN_THE_GUARD | WHERE_NOT_KNOWN
    assert theirs - allowed == set()


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
