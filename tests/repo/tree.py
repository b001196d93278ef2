"""The repository as the tests of this folder see it: tracked files, their syntax trees, their functions."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGE = REPOSITORY / "src" / "memwarden"
PURE = (
    "kernel",
    "state",
    "rules",
    "postmortem",
    "guard",
    "sim",
    "advise",
    "fields",
    "words",
    "units",
    "errors",
)


class Function(NamedTuple):
    path: str
    name: str
    lines: int


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git knows and that is there, new ones included, ignored ones not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: which files belong to the repository is not known")
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    return tuple(path for name in names if (path := REPOSITORY / name).is_file())


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def python_files(*folders: str) -> list[Path]:
    """Tracked Python files below the folders, ``__init__`` files of one line left out."""
    return [
        path
        for path in tracked()
        if path.suffix == ".py"
        and relative(path).startswith(tuple(f"{folder}/" for folder in folders))
        and not (path.name == "__init__.py" and len(path.read_text().splitlines()) <= 1)
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> list[Function]:
    return [
        Function(relative(path), node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def is_pure(path: Path) -> bool:
    below = path.relative_to(PACKAGE).parts
    return below[0].removesuffix(".py") in PURE


def texts() -> list[tuple[str, str]]:
    """Every tracked file that is text: its name and its contents."""
    found = []
    for path in tracked():
        try:
            found.append((relative(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found
