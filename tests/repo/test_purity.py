"""What import contracts cannot see: the pure packages touch nothing, however it is spelled."""

from __future__ import annotations

import ast

from tests.repo.tree import PACKAGE, is_pure, python_files, relative, tree_of

FORBIDDEN_MODULES = {
    "os", "io", "pathlib", "subprocess", "socket", "signal", "time", "asyncio", "logging", "gzip", "lzma",
    "zlib", "bz2", "zipfile", "tarfile", "mmap", "select", "selectors", "tempfile", "shutil", "ctypes",
    "fcntl", "resource", "threading", "multiprocessing", "importlib", "random", "secrets", "sys", "builtins",
    "locale",
}  # fmt: skip
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "compile", "breakpoint"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def pure_files():
    return [path for path in python_files("src") if is_pure(path)]


def test_the_pure_packages_are_found():
    assert {path.relative_to(PACKAGE).parts[0] for path in pure_files()} >= {
        "kernel",
        "state",
        "rules",
        "units.py",
    }


def test_pure_packages_import_nothing_that_touches_the_machine():
    found = [
        f"{relative(path)}:{line}: imports {name}"
        for path in pure_files()
        for line, name in imported(tree_of(path))
        if name.split(".")[0] in FORBIDDEN_MODULES
        or name.startswith(("memwarden.host", "memwarden.collect", "memwarden.cli"))
    ]
    assert found == []


def test_pure_packages_call_nothing_that_touches_the_machine():
    found = [
        f"{relative(path)}:{node.lineno}: calls {node.func.id}"
        for path in pure_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS
    ]
    assert found == []


def writes_to_the_screen(node):
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "print"
    return ast.unparse(node.func).startswith(("sys.stdout.", "sys.stderr."))


def test_only_the_command_line_prints():
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in python_files("src")
        if path.relative_to(PACKAGE).parts[0] != "cli"
        for node in ast.walk(tree_of(path))
        if writes_to_the_screen(node)
    ]
    assert found == []


def test_our_own_modules_are_imported_late_only_by_the_command_line():
    found = [
        f"{relative(path)}:{late.lineno}"
        for path in python_files("src")
        if path.relative_to(PACKAGE).parts[0] != "cli"
        for function in ast.walk(tree_of(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for late in ast.walk(function)
        if (isinstance(late, ast.ImportFrom) and (late.module or "").startswith("memwarden"))
        or (isinstance(late, ast.Import) and any(alias.name.startswith("memwarden") for alias in late.names))
    ]
    assert found == []
