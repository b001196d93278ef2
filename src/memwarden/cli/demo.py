"""``memwarden demo``: what memwarden does, on incidents that ship with it and on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import memwarden
from memwarden.cli import common

if TYPE_CHECKING:
    import argparse

HELP = "explain the sample incidents, then examine this machine"
EPILOG = """\
examples:
  memwarden demo             every sample, then memwarden doctor
  memwarden demo --samples   the samples only

Each step shows the command that does it alone. Nothing is changed anywhere.
"""
SAMPLES = os.path.join(os.path.dirname(memwarden.__file__), "samples")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--samples", action="store_true", help="leave out this machine")
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run the other verbs, one after the other; 0 unless one of them cannot run."""
    for path in samples():
        _show(args, "explain", os.path.relpath(path))
    if not args.samples:
        _show(args, "doctor")
    return 0


def samples() -> list[str]:
    """The logs that ship with memwarden, in the order of their names."""
    try:
        names = sorted(os.listdir(SAMPLES))
    except FileNotFoundError:
        return []
    return [os.path.join(SAMPLES, name) for name in names if ".log" in name]


def _show(args: argparse.Namespace, name: str, *words: str) -> None:
    """A command line as one would type it, and what it prints."""
    from importlib import import_module

    from memwarden.cli.main import parser_of
    from memwarden.present.colour import Paint

    line = " ".join(("$ memwarden", name, *words))
    common.write(Paint(common.use_color(args))(line, "bold") + "\n")
    verb = import_module(f"memwarden.cli.{name}")
    verb.run(parser_of(name, verb).parse_args([*words, "--color", args.color]))
    common.write("")
