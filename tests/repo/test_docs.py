"""The documentation names what exists, links to what exists, and its generated parts are fresh."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import jsonschema
import pytest

from memwarden.cli import main
from tests.repo.tree import REPOSITORY, python_files, relative, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"`((?:src|tests|docs|lab|bench|\.ci)/[\w./-]+)`")


def documents():
    return [path for path in tracked() if path.suffix == ".md"]


def anchors(text):
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere():
    broken = []
    for path in documents():
        for target in LINK.findall(path.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            aim = (path.parent / name).resolve() if name else path
            if not aim.exists() or (anchor and anchor not in anchors(aim.read_text())):
                broken.append(f"{relative(path)}: {target}")
    assert broken == []


def test_every_path_that_is_named_exists():
    broken = [
        f"{relative(path)}: {name}"
        for path in documents()
        for name in CODE_PATH.findall(path.read_text())
        # NAME.py stands for what somebody will write, and .cache for what was built.
        if not re.search(r"[/_][A-Z]+\.|/\.cache\b", name)
        and not (REPOSITORY / name).exists()
        and not list(REPOSITORY.glob(name + "*"))
    ]
    assert broken == []


@pytest.mark.parametrize("document", ["README.md", "docs/reference/cli.md", "docs/tutorial.md"])
@pytest.mark.parametrize("name", [name for name, _ in main.VERBS])
def test_every_verb_is_documented(document, name):
    assert f"memwarden {name}" in (REPOSITORY / document).read_text()


def test_every_verb_named_in_the_docs_exists():
    known = {name for name, _ in main.VERBS}
    found = {
        f"{relative(path)}: {name}"
        for path in documents()
        for name in re.findall(r"(?:`|\$ (?:sudo )?|\| )memwarden ([a-z]+)\b", path.read_text())
        if name not in known
    }
    assert found == set()


def test_generated_documents_are_fresh():
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == "", "run: make docs"
    assert done.returncode == 0


def test_schemas_are_schemas():
    schemas = [path for path in tracked() if relative(path).startswith("docs/reference/schemas/")]
    assert schemas
    for path in schemas:
        schema = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["properties"]["schema"]["const"] == f"memwarden.{path.name.replace('.1.json', '/1')}"


def test_every_document_has_a_schema():
    text = "".join(path.read_text() for path in python_files("src"))
    names = set(re.findall(r'"memwarden\.(\w+)/1"', text))
    assert names >= {"status", "rank", "explain", "doctor", "record"}
    found = {path.name for path in tracked() if relative(path).startswith("docs/reference/schemas/")}
    assert found == {f"{name}.1.json" for name in names}


def test_the_readme_starts_with_the_two_commands():
    commands = re.search(r"```\w*\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL).group(1)
    assert re.findall(r"^make \w+", commands, re.MULTILINE) == ["make run", "make test"]
