"""Nothing tracked holds a package registry's address or a path of the machine it was written on."""

from __future__ import annotations

import re

import pytest

from tests.repo.tree import relative, texts, tracked

# The dots stand in brackets, so that this file does not find itself.
REGISTRIES = re.compile(
    r"""
      pypi[.]org | pythonhosted[.]org | npmjs[.](?:org|com) | crates[.]io | proxy[.]golang[.]org
    | (?:deb|ftp|security|snapshot|archive)[.](?:\w+[.])?(?:debian[.]org|ubuntu[.]com)
    | index-url\s*[=\s]\s*http
    | ^\s*deb(?:-src)?\s.*https?://
    | ^URIs:\s*http
    | "resolved":\s*"http
    """,
    re.MULTILINE | re.VERBOSE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:wor[k]|far[m]|tmp/bash_[j]obs|home/\w+|Users/\w+)/")
LOCKS = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "yarn.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
}


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registry", "machine-path"])
def test_no_such_address(pattern):
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in texts()
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_no_lock_file():
    assert [relative(path) for path in tracked() if path.name in LOCKS] == []


def test_no_tracked_file_is_large():
    assert {
        relative(path): path.stat().st_size for path in tracked() if path.stat().st_size > 2_000_000
    } == {}
