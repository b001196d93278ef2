"""``memwarden policy check``: all that is wrong with a policy, and what it hardly means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import InputError, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from memwarden.words.problems import Problem

EPILOG = """\
examples:
  memwarden policy check my-policy.toml
  memwarden policy check --strict /etc/memwarden

Exits with 1 when the guard would not take a policy, with 3 when a file cannot
be read; the others are checked all the same. Warnings are what a
policy may say and hardly means; with --strict they count as errors do. Another
tool's policy is checked as that tool would: what it does not start with is an
error, and what the guard does not do like it a warning.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    parser.add_argument(
        "policies",
        metavar="POLICY",
        nargs="*",
        help="files, folders, default, or - (default: /etc/memwarden, or the built-in policy)",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    common.add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print what is wrong; 1 when something is."""
    from memwarden.cli import verdict

    checked: list[tuple[str, tuple[Problem, ...], str]] = []
    unread: list[InputError] = []
    for where in args.policies or [None]:
        try:
            checked.append(verdict.of(where))
        except InputError as error:
            unread.append(error)
    if checked:
        _print(checked, args.format)
    for missing in unread[:-1]:
        sys.stderr.write(f"memwarden: {printable(str(missing))}\n")
    if unread:
        raise unread[-1]
    found = [problem for _, problems, _ in checked for problem in problems]
    return int(any(args.strict or not problem.warning for problem in found))


def _print(checked: Sequence[tuple[str, tuple[Problem, ...], str]], form: str) -> None:
    if form == "json":
        from memwarden.present import policy_json

        common.write_json(policy_json.check_document((name, found) for name, found, _ in checked))
    else:
        from memwarden.present import policy_text

        for one in checked:
            common.write(policy_text.checked(*one))
