"""Options and output that verbs share."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from memwarden.cli.parser import width
from memwarden.errors import InputError

if TYPE_CHECKING:
    import argparse

__all__ = [
    "add_color_option",
    "add_format_option",
    "add_machine_options",
    "use_color",
    "width",
    "write",
    "write_file",
    "write_json",
]


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """``--root``, ``--proc`` and ``--cgroup-root``: which machine to read."""
    group = parser.add_argument_group("which machine")
    group.add_argument(
        "--root", metavar="FILE", help="read a recording made by memwarden record (.rootar), not this machine"
    )
    group.add_argument("--proc", metavar="DIR", default="/proc", help="where procfs is (default: /proc)")
    group.add_argument(
        "--cgroup-root", metavar="DIR", help="where the cgroup hierarchy is (default: as mounted)"
    )


def add_format_option(parser: argparse.ArgumentParser, *more: str) -> None:
    """``--format text|json`` and whatever else the verb can write."""
    parser.add_argument(
        "--format", choices=("text", "json", *more), default="text", help="how to print (default: text)"
    )


def add_color_option(parser: argparse.ArgumentParser) -> None:
    """``--color auto|always|never``."""
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour the text (default: auto, that is on a terminal unless NO_COLOR is set)",
    )


def use_color(args: argparse.Namespace) -> bool:
    """Whether to colour standard output, by ``--color``, NO_COLOR, TERM and what the output is."""
    if args.color != "auto":
        return bool(args.color == "always")
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb")
    return not plain and sys.stdout.isatty()


def write(text: str) -> None:
    """Text to standard output, ended by one newline."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_json(document: dict[str, Any]) -> None:
    """A JSON document to standard output. Bytes that are not UTF-8 stand as lone surrogates, escaped."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def write_file(path: str, text: str, *, force: bool = False, mode: int = 0o644) -> None:
    """Write a file the user asked for by name; never through a link, and over a file only by ``force``.

    Raises :class:`InputError` with the path and the reason.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, flags, mode), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(
            f"{path}: exists already; name another file, or add --force to write over it"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
