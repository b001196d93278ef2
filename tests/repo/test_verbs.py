"""Every verb explains itself, and its examples are command lines that parse."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module

import pytest

from memwarden.cli import main

NAMES = [name for name, _ in main.VERBS]


@pytest.fixture(params=NAMES)
def verb(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    module = import_module(f"memwarden.cli.{request.param}")
    return request.param, module, main.parser_of(request.param, module)


def with_actions(parser):
    """The parser of a verb and those of its actions, where it has some."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def examples(epilog):
    """Every command line of memwarden in the examples, without its remark and what a pipe adds to it."""
    found = []
    block = epilog.partition("examples:\n")[2].partition("\n\n")[0]
    for line in block.splitlines():
        command = re.split(r"\s{2,}", line.strip())[0]
        for part in re.split(r"\s\|\s", command):
            words = shlex.split(part)
            if "memwarden" in words[:2]:  # maybe after sudo
                after = words[words.index("memwarden") + 1 :]
                found.append(after[: after.index(">")] if ">" in after else after)
    return found


def test_help_is_one_line_without_a_full_stop(verb):
    _, module, _ = verb
    assert 20 <= len(module.HELP) <= 70
    assert "\n" not in module.HELP
    assert not module.HELP.endswith(".")


def test_every_option_has_help(verb):
    _, _, parser = verb
    found = [action for one in with_actions(parser) for action in one._actions]
    assert [action.dest for action in found if not action.help] == []


def test_the_help_fits_eighty_columns(verb):
    _, _, parser = verb
    lines = [line for one in with_actions(parser) for line in one.format_help().splitlines()]
    assert [line for line in lines if len(line) > 80] == []


def test_there_are_examples_and_they_parse(verb):
    name, _, parser = verb
    lines = [words for one in with_actions(parser) for words in examples(one.epilog)]
    assert sum(words[0] == name for words in lines) >= 2
    for words in lines:
        parser = main.parser_of(words[0], import_module(f"memwarden.cli.{words[0]}"))
        assert isinstance(parser.parse_args(words[1:]), argparse.Namespace)


def test_a_verb_that_reads_a_machine_reads_an_archive_too(verb):
    name, _, parser = verb
    options = parser._option_string_actions
    assert name in {"explain", "demo", "guard", "record", "policy", "restore", "why", "ctl", "simulate"} or {
        "--root",
        "--proc",
        "--cgroup-root",
    } <= set(options)


def test_the_format_can_be_chosen(verb):
    name, _, parser = verb
    if name in {"demo", "record", "guard"}:  # a tour for a person; one format; why tells what it did
        return
    own, *actions = with_actions(parser)
    for one in actions or [own]:
        assert {"text", "json"} <= set(one._option_string_actions["--format"].choices)
