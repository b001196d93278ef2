"""``memwarden why``: a decision of the guard, for a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse

    from memwarden.present.why_stories import Ledger, Story

HELP = "why the guard did what it did: seen, considered, done, freed"
EPILOG = """\
examples:
  sudo memwarden why                  the last thing that the guard did
  sudo memwarden why --list           what there is to ask about
  sudo memwarden why 41ec32-7         that decision
  memwarden why --state ./copied      the ledger of another machine

Reads the ledger that memwarden guard writes (decisions.jsonl). The guard tells
systemd's journal the same: journalctl -t memwarden, and journalctl -u UNIT of a
unit that was killed.
"""
LAST = "last"
LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "id",
        metavar="ID",
        nargs="?",
        default=LAST,
        help="a decision's id, or last: the last thing that was done to somebody (default: last)",
    )
    parser.add_argument("--list", action="store_true", help="list what there is to ask about, latest first")
    parser.add_argument(
        "--top",
        metavar="N",
        type=int,
        default=LISTED,
        help=f"with --list: so many (default: {LISTED}; 0: all)",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        default="/var/lib/memwarden",
        help="where the guard keeps its ledger (default: /var/lib/memwarden)",
    )
    common.add_format_option(parser)
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print one decision, or the list."""
    from memwarden.host.own_files import lines_of
    from memwarden.present.why_stories import Ledger

    if args.top < 0:
        raise UsageError("--top: give a number, 0 for all")
    ledger = Ledger(lines_of(args.state, "decisions.jsonl"))
    if args.list:
        _print_list(args, ledger)
    else:
        _print(args, _find(ledger, args.id))
    if ledger.damaged:
        sys.stderr.write(f"memwarden: {args.state}: {ledger.damaged} lines could not be read\n")
    return 0


def _find(ledger: Ledger, key: str) -> Story:
    last: Story | None = None
    known: list[str] = []
    for story in ledger.stories():
        if key == story.key or (key == LAST and story.is_deed):
            return story
        last = last or story
        known.append(story.key)
    if last is None:
        raise InputError("the ledger holds no decision: the guard has had nothing to decide")
    if key != LAST:
        from memwarden.cli.parser import nearest

        raise InputError(f"{key}: no such decision{nearest(key, known)}; memwarden why --list lists them")
    return last


def _print(args: argparse.Namespace, story: Story) -> None:
    if args.format == "json":
        from memwarden.present import why_json

        common.write_json(why_json.document(story))
    else:
        from memwarden.present import why_text
        from memwarden.present.colour import Paint

        common.write(why_text.text(story, common.width(), Paint(common.use_color(args))))


def _print_list(args: argparse.Namespace, ledger: Ledger) -> None:
    from itertools import islice

    stories = islice(ledger.stories(), args.top or None)
    entries = [(one.key, one.decision.at, one.summary) for one in stories]
    if args.format == "json":
        from memwarden.present import why_json

        common.write_json(why_json.listed(entries))
    else:
        from memwarden.present import why_text
        from memwarden.present.colour import Paint

        common.write(why_text.listed(entries, common.width(), Paint(common.use_color(args))))
