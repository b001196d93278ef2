"""argparse with this project's manners: examples kept as written, the nearest right spelling in errors."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

WITHOUT_TERMINAL = 80
LINES_WITHOUT_TERMINAL = 24


def width() -> int:
    """Columns of the terminal on standard output; ``COLUMNS`` when it is set; 80 without a terminal."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        # 0 is what a serial console says that was never told its size.
        return os.get_terminal_size(1).columns or WITHOUT_TERMINAL
    except OSError:
        return WITHOUT_TERMINAL


def height() -> int:
    """Lines of the terminal on standard output; 24 without a terminal."""
    try:
        return os.get_terminal_size(1).lines or LINES_WITHOUT_TERMINAL
    except OSError:
        return LINES_WITHOUT_TERMINAL


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and epilogs; never wider than 80 columns."""

    def __init__(self, prog: str) -> None:
        # Given a width, argparse does not import shutil, which costs a third of its start-up.
        super().__init__(prog, max_help_position=24, width=min(width(), WITHOUT_TERMINAL))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # As Python 3.13 does it; older ones repeat the metavar behind each spelling.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        metavar = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {metavar}"


class Parser(argparse.ArgumentParser):
    """A verb's parser. Options have to be spelled out, so that a new one cannot break a script."""

    def __init__(self, prog: str, description: str, epilog: str, **more: Any) -> None:
        # ``more`` is what newer versions of argparse hand on to the parsers of a verb's actions.
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=Help,
            allow_abbrev=False,
            **more,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What is left over is an error of the verb's action that it was said to, with its own options."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error("unrecognized arguments: " + " ".join(left))
        return found, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # A variable of a script that is not set: whoever wrote it does not mean the default, nor "/".
        if value == "":
            raise argparse.ArgumentError(action, "the value is empty; give one, or leave it out")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """Print one sentence and the next step; exit with 2."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            words = message.removeprefix(prefix).split(" ")
            wrong = next((word for word in words if word.startswith("-")), words[0]).partition("=")[0]
            kind = "option" if wrong.startswith("-") else "argument"
            message = f"unknown {kind} {wrong!r}{nearest(wrong, self._option_string_actions)}"
        self.exit(2, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the known spelling closest to ``word``, or nothing.

    >>> nearest("explian", ["explain", "status"])
    ' (did you mean explain?)'
    """
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
