"""The entry: verbs are found, and every failure is one sentence with the right exit code."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from memwarden import __version__
from memwarden import cli as package
from memwarden.cli import main, policy
from memwarden.errors import InputError, ParseError, UnsupportedError, UsageError

NOT_VERBS = {
    "__init__",
    "main",
    "parser",
    "common",
    "inside",
    "simulate_from",
    "simulate_many",
    "simulate_sweep",
    "verdict",
}


class Pretend:
    """A verb that raises what it is told to."""

    HELP = "pretend"
    EPILOG = ""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def add_arguments(self, parser):
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def run(self, args):
        raise self.error


@pytest.fixture
def failing(monkeypatch, cli):
    def run(error, *words):
        monkeypatch.setattr(main, "_load", lambda _name: Pretend(error))
        return cli("pretend", *words)

    return run


def test_the_tuple_of_verbs_is_the_folder():
    files = {path.stem for path in Path(package.__path__[0]).glob("*.py") if not path.stem.startswith("_")}
    actions = {f"policy_{name}" for name, _ in policy.ACTIONS}
    assert {name for name, _ in main.VERBS} == files - NOT_VERBS - actions


@pytest.mark.parametrize(("name", "text"), main.VERBS)
def test_the_help_of_a_verb_is_the_one_in_the_tuple(name, text):
    assert text == import_module(f"memwarden.cli.{name}").HELP


def test_help_fits_eighty_columns_and_names_every_verb(cli):
    ran = cli("--help")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    assert all(f"\n  {name} " in ran.out for name, _ in main.VERBS)


def test_no_verb_at_all_shows_the_help_and_is_a_usage_error(cli):
    assert cli().code == 2
    assert cli().out == cli("--help").out


def test_version(cli):
    assert cli("--version") == (0, f"memwarden {__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (
            InputError("x.log: no such file; name one that exists"),
            3,
            "x.log: no such file; name one that exists",
        ),
        (UnsupportedError("this kernel has no PSI"), 3, "this kernel has no PSI"),
        (ParseError("f", "junk", "no number", line_number=7), 3, "f:7: no number: 'junk'"),
        (UsageError("--a and --b exclude each other"), 2, "--a and --b exclude each other"),
        (PermissionError(13, "Permission denied", "/x"), 3, "/x: Permission denied"),
        (InputError("\x1b[31m\n.log: x"), 3, "\\x1b[31m\\n.log: x"),
        (OSError(28, "No space left on device"), 3, "input or output failed: No space left on device"),
    ],
)
def test_an_error_is_one_sentence(failing, error, code, sentence):
    assert failing(error) == (code, "", f"memwarden: {sentence}\n")


def test_a_bug_asks_for_a_report_and_shows_no_traceback(failing):
    ran = failing(KeyError("anon"))
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert "a bug of memwarden (KeyError('anon'))" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("error", [KeyError("anon"), OSError(5, "I/O")])
def test_debug_shows_the_traceback_of_what_was_not_expected(failing, monkeypatch, error):
    with pytest.raises(type(error)):
        failing(error, "--debug")
    monkeypatch.setenv("MEMWARDEN_DEBUG", "1")
    with pytest.raises(type(error)):
        main.run(["pretend"])


def test_interrupted(failing):
    assert failing(KeyboardInterrupt()) == (130, "", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explian"], "there is no verb 'explian' (did you mean explain?)"),
        (["xyzzy"], "there is no verb 'xyzzy'; memwarden --help lists them"),
        (["--verson"], "unknown option --verson"),
    ],
)
def test_a_mistyped_verb_is_met_with_the_right_one(cli, words, says):
    ran = cli(*words)
    assert ran.code == 2
    assert says in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--formt", "json"],
            "unknown option '--formt' (did you mean --format?)\nTry: memwarden pretend --help\n",
        ),
        (["--formt=json"], "unknown option '--formt' (did you mean --format?)"),
        (["--form", "json"], "unknown option '--form' (did you mean --format?)"),
        (["extra"], "unknown argument 'extra'\n"),
        (["--format", "yaml"], "invalid choice: 'yaml'"),
    ],
)
def test_a_mistyped_option_is_met_with_the_right_one(failing, words, says):
    ran = failing(AssertionError("must not run"), *words)
    assert ran.code == 2
    assert says in ran.err


@pytest.mark.parametrize("words", [("why", "--state", ""), ("policy", "check", ""), ("guard", "--run=")])
def test_a_variable_that_is_not_set_is_no_value(cli, words):
    ran = cli(*words)
    assert ran.code == 2
    assert ": the value is empty; give one, or leave it out\nTry: memwarden " in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["default", "b"], "memwarden policy show: unknown argument 'b'\nTry: memwarden policy show --help"),
        (["--formt=json"], "memwarden policy show: unknown option '--formt' (did you mean --format?)\nTry: "),
    ],
)
def test_what_an_action_does_not_know_is_said_with_its_own_help(cli, words, says):
    ran = cli("policy", "show", *words)
    assert ran.code == 2
    assert ran.err.startswith(says)


def test_a_reader_that_leaves_early_is_no_error():
    # `head` closes the pipe at once; the exit code is that of a process ended by SIGPIPE.
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "memwarden", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "memwarden", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 3
    assert done.stderr == b"memwarden: input or output failed: No space left on device\n"


def test_closed_streams(failing, monkeypatch):
    error = InputError("x")
    monkeypatch.setattr(sys, "stderr", None)
    assert failing(error).code == 3
    said = b"memwarden: standard output is closed; there is nowhere to write the answer\n"
    for closing, expected in (("2>&1 >&-", said), (">&- 2>&-", b"")):
        command = f'exec "{sys.executable}" -m memwarden --help {closing}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, expected, b"")


def test_the_package_runs_as_a_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["memwarden", "--version"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("memwarden", run_name="__main__")
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"memwarden {__version__}\n"
    runpy.run_module("memwarden.__main__")  # imported, not run
