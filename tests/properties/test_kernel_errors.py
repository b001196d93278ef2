"""Whatever the text, a parser returns its record or raises ParseError."""

import ast
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import memwarden.kernel
from memwarden.errors import ParseError
from memwarden.testing.parsers import PARSERS, name_of, sample_of
from memwarden.testing.strategies import TOKENS, damaged

FORMATS = {"deferred", "escapes", "flat_keyed", "numbers"}
"""Modules of the folder that are no interface but what several have in common."""


def works_or_refuses(parser, text):
    with suppress(ParseError):
        parser(text)


def defined():
    folder = Path(memwarden.kernel.__file__).parent
    for file in folder.glob("*.py"):
        if file.stem not in FORMATS | {"__init__"}:
            functions = [
                node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)
            ]
            names = [node.name for node in functions if node.name.split("_")[0] == "parse"]
            assert "parse" in names, f"{file.name} has no parse()"
            yield from (f"{file.stem}.{name}" for name in names)


def test_the_list_of_parsers_is_what_the_folder_holds():
    assert [name_of(parser) for parser in PARSERS] == sorted(defined())


@pytest.mark.parametrize("parser", PARSERS, ids=name_of)
def test_the_sample_in_the_docstring_is_taken(parser):
    assert parser(sample_of(parser)) is not None


@pytest.mark.parametrize("parser", PARSERS, ids=name_of)
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)))
def test_any_text(parser, text):
    works_or_refuses(parser, text)


@pytest.mark.parametrize("parser", PARSERS, ids=name_of)
@given(data=st.data())
def test_a_sample_that_was_damaged(parser, data):
    works_or_refuses(parser, data.draw(damaged(sample_of(parser))))


@pytest.mark.parametrize("parser", PARSERS, ids=name_of)
@given(data=st.data())
def test_the_sample_of_another_file(parser, data):
    works_or_refuses(parser, sample_of(data.draw(st.sampled_from(PARSERS))))
