"""``memwarden policy convert``: another tool's policy as one of ours."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from memwarden.cli import common, policy
from memwarden.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from memwarden.guard.ir import Policy

EPILOG = """\
examples:
  memwarden policy convert /etc/oomd.json > policy.toml
  memwarden policy convert --from oomd - --format json

Several files are one policy: the first is the main file, the others are its
drop-ins. Of a folder all files are taken that are a tool's. What cannot be
expressed is named in the policy's notes and on standard error.
"""
_OURS: Final = re.compile(r"^[ \t]*\[\[?[ \t]*(guard|preferences|protect|rule)[ \t]*[].]", re.MULTILINE)
"""A section of ours; that of systemd-oomd is ``[Rule]``."""
KINDS = ("oomd", "systemd-oomd", "earlyoom", "nohang", "plain")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="the tool's files, - for standard input")
    parser.add_argument(
        "--from",
        dest="kind",
        choices=KINDS,
        metavar="TOOL",
        help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}; left out: what the files say themselves",
    )
    parser.add_argument(
        "--bug-compatible", action="store_true", help="as the tool really behaves, not as it is documented"
    )
    common.add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the policy."""
    from memwarden.guard import foreign
    from memwarden.guard.policy.render import render

    texts = _texts(args.files)
    found = foreign.load(args.kind or _kind(texts), texts, bug_compatible=args.bug_compatible)
    toml = render(found)
    _same(found, toml)
    for note in found.notes:
        common.note(note)
    if args.format == "json":
        from memwarden.present import policy_json

        common.write_json(policy_json.document(found, toml, policy.protected(found), {}))
    else:
        common.write(toml)
    return 0


def _texts(paths: Sequence[str]) -> dict[str, str]:
    """The text of each file by its name. Raises :class:`InputError` where one is a policy of ours."""
    from memwarden.host.policy_files import BUILT_IN, is_ours

    texts: dict[str, str] = {}
    for path in paths:
        ours = path == BUILT_IN or (os.path.isdir(path) and is_ours(path))
        found = {} if ours else policy.texts_of(path)
        if ours or any(_OURS.search(text) for text in found.values()):
            raise InputError(
                f"{path}: is a policy of memwarden already; memwarden policy show prints it as a whole"
            )
        if not found:
            raise InputError(
                f"{path}: no file in this folder says whose policy it is; name the files, with --from TOOL"
            )
        texts |= found
    return texts


def _kind(texts: dict[str, str]) -> str:
    """Whose policy the first text that says so is."""
    from memwarden.daemon import reading

    for _, kind in policy.tools_of(texts):
        return kind
    for one in texts.items():
        reading.of_no_policy(*one)
    raise InputError(f"{next(iter(texts))}: nothing says whose policy this is; say it with --from")


def _same(found: Policy, toml: str) -> None:
    """What is printed has to be taken by the guard, for it is meant to be installed."""
    from memwarden.guard.policy.load import load
    from memwarden.words.document import Text

    loaded = load([Text("the converted policy", toml)], name=found.name)
    if loaded.policy is None:
        raise InputError(f"cannot be said in a policy of ours: {loaded.problems[0].text}")
