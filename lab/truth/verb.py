"""``python -m lab truth``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.truth import document, runs
from lab.truth.statements import BY_NAME, STATEMENTS
from lab.truth.verdicts import overall

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which statements, on which kernels."""
    parser.add_argument("name", nargs="*", choices=[*BY_NAME, []], metavar="STATEMENT", help="only these")
    parser.add_argument("--kernel", action="append", default=[], help="only this kernel, as 6.12")
    parser.add_argument("--again", action="store_true", help="measure also what is there")


def main(arguments: argparse.Namespace) -> int:
    """Measure, write the page, print the verdicts; 1 when something could not be measured."""
    problems = runs.run(arguments.name, arguments.kernel, again=arguments.again)
    document.PAGE.write_text(document.make())
    for statement in STATEMENTS:
        kernels = runs.kept(statement.name)
        if kernels and (not arguments.name or statement.name in arguments.name):
            print(f"{overall(document.words(statement, kernels)):32} {statement.says}")
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0
