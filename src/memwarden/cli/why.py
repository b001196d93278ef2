"""``memwarden why``: a decision of the guard, for a person."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from memwarden.present.why_incident import Incident
    from memwarden.present.why_stories import Ledger, Story
    from memwarden.state.snapshot import Instant

HELP = "why the guard did what it did: seen, considered, done, freed"
EPILOG = """\
examples:
  sudo memwarden why                  the last thing that the guard did
  sudo memwarden why --list           what there is to ask about
  sudo memwarden why 41ec32-7         that decision
  memwarden why --state ./copied      the ledger of another machine

Reads the ledger that memwarden guard writes (decisions.jsonl). The guard tells
systemd's journal the same: journalctl -t memwarden, and journalctl -u UNIT of a
unit that was killed. A kill of the kernel's is explained by its own report,
kept in incidents/ID with the last minutes before it.
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
        help="a decision's or an incident's id, or last: what was last done to somebody (default: last)",
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
    """Print one decision or kill of the kernel's, or the list."""
    from memwarden.host.own_files import lines_of
    from memwarden.present.text import counted
    from memwarden.present.why_stories import Ledger

    if args.top < 0:
        raise UsageError("--top: give a number, 0 for all")
    ledger = Ledger(lines_of(args.state, "decisions.jsonl"))
    try:
        if args.list:
            _print_list(args, ledger)
        else:
            _print(args, _find(args, ledger))
    finally:  # where nothing is found, it may be in one of them
        if ledger.damaged:
            damaged = counted(ledger.damaged, "line")
            common.note(f"{args.state}: {damaged} of the ledger could not be read")
    return 0


def _incidents(args: argparse.Namespace) -> Iterator[Incident]:
    """Kills of the kernel's, and what somebody asked for, the latest first."""
    from memwarden.host.own_files import content_of, folders_of
    from memwarden.present import why_incident

    for path in folders_of(args.state, "incidents"):
        text, log = content_of(f"{path}/incident.json"), content_of(f"{path}/kernel.log")
        found = why_incident.read(path, text, log)
        if found is not None:
            yield found


def _find(args: argparse.Namespace, ledger: Ledger) -> Story | Incident:
    if args.id == LAST:
        return _last(args, ledger)
    known: list[str] = []
    found: Iterator[Story | Incident] = chain(_incidents(args), ledger.stories())
    for one in found:
        if args.id == one.key:
            return one
        known.append(one.key)
    from memwarden.cli.parser import nearest

    raise InputError(
        f"{args.id}: no such decision or incident{nearest(args.id, known)}; memwarden why --list lists them"
    )


def _last(args: argparse.Namespace, ledger: Ledger) -> Story | Incident:
    """The latest of what was done to somebody, by us or by the kernel; else the latest decision at all."""
    first: Story | None = None
    deed: Story | None = None
    for story in ledger.stories():
        first = first or story
        if story.is_deed:
            deed = story
            break
    incident = next((one for one in _incidents(args) if one.deaths), None)
    if incident is not None and (deed is None or _time(incident.at) > _time(deed.decision.at)):
        return incident
    found = deed or first
    if found is None and ledger.damaged:
        raise InputError("the ledger holds no decision that can be read")
    if found is None:
        raise InputError("the ledger holds no decision: the guard has had nothing to decide")
    return found


def _time(at: Instant) -> int:
    """For the order of what may be of several boots."""
    return at.monotonic_us if at.wall_us is None else at.wall_us


def _print(args: argparse.Namespace, found: Story | Incident) -> None:
    from memwarden.present import why_incident
    from memwarden.present.colour import Paint

    paint, width = Paint(common.use_color(args)), common.width()
    if args.format == "json":
        from memwarden.present import why_json

        if isinstance(found, why_incident.Incident):
            common.write_json(why_json.incident_document(found))
        else:
            common.write_json(why_json.document(found))
    elif isinstance(found, why_incident.Incident):
        common.write(why_incident.text(found, width, paint))
    else:
        from memwarden.present import why_text

        common.write(why_text.text(found, width, paint))


def _print_list(args: argparse.Namespace, ledger: Ledger) -> None:
    stories = islice(ledger.stories(), args.top or None)
    entries = [(one.key, one.decision.at, one.summary) for one in stories]
    entries += [(one.key, one.at, one.summary) for one in _incidents(args)]
    entries.sort(key=lambda entry: _time(entry[1]), reverse=True)
    del entries[args.top or len(entries) :]
    if args.format == "json":
        from memwarden.present import why_json

        common.write_json(why_json.listed(entries))
    else:
        from memwarden.present import why_text
        from memwarden.present.colour import Paint

        common.write(why_text.listed(entries, common.width(), Paint(common.use_color(args))))
