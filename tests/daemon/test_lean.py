"""What stands in for modules of Python in the guard's process, and that it does what they do."""

from __future__ import annotations

import ast
import enum
import subprocess
import sys

import pytest

from memwarden.daemon import hints, lean
from tests.repo.tree import REPOSITORY, python_files, relative, tree_of

FIND = """
import sys
sys.path.insert(0, "src")
from memwarden.daemon import hints, lean
lean.install()
import enum, typing, signal, array, collections.abc
from memwarden.state.snapshot import CgroupMode
print(typing.__name__, enum.__name__, signal.SIGKILL == 9, CgroupMode.V2.value)
print(*{"re", "functools", "reprlib", "keyword"} & sys.modules.keys())
"""


@pytest.mark.skipif(sys.version_info[:2] not in lean.KNOWN, reason="this Python keeps its own")
def test_whoever_imports_later_finds_these():
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FIND], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["memwarden.daemon.hints memwarden.daemon.lean True v2", ""]


@pytest.mark.skipif(sys.version_info[:2] not in lean.KNOWN, reason="this Python keeps its own")
def test_what_is_replaced(monkeypatch):
    before = dict(sys.modules)
    found = dict(before)
    monkeypatch.setattr(sys, "modules", found)
    lean.install()
    monkeypatch.undo()
    changed = {name for name in found if found[name] is not before.get(name)}
    assert changed == REPLACED
    assert found["typing"] is hints
    assert found["enum"] is lean


def test_an_unknown_python_keeps_its_own(monkeypatch):
    monkeypatch.setattr(lean, "KNOWN", ())
    lean.install()
    assert sys.modules["enum"] is enum


REPLACED = {"collections", "collections.abc", "ctypes", "enum", "heapq", "operator", "signal", "typing"}
IN_THE_GUARD = ("collect", "daemon", "guard", "host", "kernel", "rules", "state")
ELSEWHERE = ("guard/policy/", "guard/foreign/", "guard/played.py", "guard/ledger_", "daemon/reading.py")


def taken(tree):
    """Modules and what is asked of them: ``from heapq import heappop``, ``signal.SIGKILL``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr


def test_the_replaced_have_all_that_is_asked_of_them(monkeypatch):
    monkeypatch.setattr(sys, "modules", found := dict(sys.modules))
    lean.install()
    monkeypatch.undo()
    asked = {
        (module, name)
        for path in python_files("src")
        if (inside := relative(path).removeprefix("src/memwarden/")).startswith(IN_THE_GUARD)
        and not inside.startswith(ELSEWHERE)
        for module, name in taken(tree_of(path))
        if module in REPLACED
    }
    assert ("signal", "SIGKILL") in asked
    assert ("enum", "Enum") in asked
    assert ("ctypes", "CDLL") in asked
    assert {f"{module}.{name}" for module, name in asked if not hasattr(found[module], name)} == set()


@pytest.mark.parametrize("base", [lean.Enum, enum.Enum])
def test_members(base):
    class Mode(base):
        """Which."""

        V2 = "v2"
        NONE = ""

    assert (Mode.V2.name, Mode.V2.value, Mode.NONE.value) == ("V2", "v2", "")
    assert Mode("v2") is Mode.V2
    assert [*Mode] == [Mode.V2, Mode.NONE]
    assert len(Mode) == 2
    assert Mode.V2 != Mode.NONE
    assert Mode.V2 != "v2"
    assert isinstance(Mode.V2, Mode)
    assert {Mode.V2: 1}[Mode("v2")] == 1
    assert repr(Mode.V2) == "<Mode.V2: 'v2'>"
    assert str(Mode.V2) == "Mode.V2"
    assert Mode.NONE  # an empty value is a member like any other
    match Mode("v2"):
        case Mode.V2:
            pass
        case _:
            pytest.fail("it is matched by identity")
    with pytest.raises(ValueError, match=r"'v9' is not a valid .*Mode"):
        Mode("v9")
