"""``memwarden restore``: undo what a guard that is gone has left changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.cli.main import CANNOT, DONE
from memwarden.errors import InputError

if TYPE_CHECKING:
    import argparse

    from memwarden.host.changes import Undone

DIRECTORY = "/run/memwarden"
HELP = "undo what a guard that is gone has left throttled or frozen"
EPILOG = """\
A guard writes down what it changes before it does so, and undoes it when it
stops, or at its next start after it was killed. This does the same without
starting one. What was removed, made anew or changed by somebody else since is
left alone. While a guard runs, this refuses: stop the guard, and it restores.

examples:
  memwarden restore --dry-run
  sudo memwarden restore

Exits with 3 when something could not be undone, and keeps it for the next
time.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be undone and undo nothing")
    parser.add_argument(
        "--run",
        metavar="DIR",
        dest="run_directory",
        help=f"where the guard keeps its undo journal, as its own --run (default: {DIRECTORY})",
    )
    parser.add_argument("--proc", metavar="DIR", default="/proc", help="where procfs is (default: /proc)")
    parser.add_argument(
        "--cgroup-root", metavar="DIR", help="where the cgroup hierarchy is (default: as mounted)"
    )
    common.add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Undo, print, and say by the exit code whether all of it could be."""
    from memwarden.present import restored

    where = args.run_directory or DIRECTORY
    done, damaged = _restore(args, where) if _has_journal(args.run_directory) else ([], 0)
    if args.format == "json":
        common.write_json(restored.document(done, damaged, dry_run=args.dry_run))
    else:
        text = restored.text(done, damaged, dry_run=args.dry_run, where=where, width=common.width())
        common.write(text)
    return DONE if all(one.settled for one in done) else CANNOT


def _has_journal(named: str | None) -> bool:
    """Whether there is a journal.

    That there is none is believed only of a directory that can be looked into: who mistypes it, or may not
    see it, is not told that nothing was left.
    """
    from memwarden.host.journal import NAME

    where = named or DIRECTORY
    try:
        if named is not None:
            os.stat(os.path.join(named, "."))
        os.stat(os.path.join(where, NAME))
    except PermissionError:
        raise InputError(f"{where}: may not be looked into; try with sudo") from None
    except (FileNotFoundError, NotADirectoryError) as error:
        if named is not None and not os.path.isdir(named):
            raise InputError(f"{named}: {error.strerror}; give the directory of the guard's --run") from None
        return False
    return True


def _restore(args: argparse.Namespace, where: str) -> tuple[list[Undone], int]:
    """What became of each change, and how many lines of the journal could not be read."""
    from memwarden.host.effects import Effects
    from memwarden.host.journal import Journal

    journal = Journal(where)
    try:
        if not journal.pending():
            return [], journal.damaged
        effects = Effects(_cgroup_root(args), journal=journal, dry_run=args.dry_run, proc=args.proc)
        done = effects.restore()
        effects.close()
        return done, journal.damaged
    finally:
        journal.close()


def _cgroup_root(args: argparse.Namespace) -> str:
    if args.cgroup_root is not None:
        return str(args.cgroup_root)
    from memwarden.collect import hierarchy
    from memwarden.collect.leniency import Reading
    from memwarden.host.live import Live
    from memwarden.state.snapshot import CgroupMode

    source = Live(args.proc)
    try:
        reading = Reading(source)
        found = hierarchy.detect(reading, hierarchy.mounts(reading), None)
    finally:
        source.close()
    if found.mode is CgroupMode.NONE:
        raise InputError("no cgroup hierarchy with memory is mounted here; name one with --cgroup-root")
    return found.mount_point
