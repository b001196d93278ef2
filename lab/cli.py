"""The verbs of ``python -m lab``."""

from __future__ import annotations

import argparse
import sys

from lab import image, kernels, tools
from lab.errors import LabError


def _install(_arguments: argparse.Namespace) -> int:
    print("installed:", " ".join(tools.install()) or "nothing was missing")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    for kernel in kernels.fetch_all():
        print(f"{kernel.series:6} {kernel.release:32} {kernel.version:14} {kernel.suite}")
    return 0


def _prepare(_arguments: argparse.Namespace) -> int:
    tools.install()
    for kernel in kernels.fetch_all():
        print(f"{kernel.release}: {image.initramfs(kernel).name}")
    print(image.root_disk().name)
    return 0


def main(words: list[str] | None = None) -> int:
    """Run one verb; a LabError is one line on stderr and exit status 3."""
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Real kernels in small virtual machines."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, function, text in (
        ("install", _install, "install the Debian packages the laboratory needs (as root)"),
        ("list", _list, "name the kernels"),
        ("prepare", _prepare, "fetch the kernels and build what guests boot from"),
    ):
        verbs.add_parser(name, help=text).set_defaults(function=function)
    arguments = parser.parse_args(words)
    try:
        return int(arguments.function(arguments))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 3
