"""``memwarden policy replay``: what policies would have done on recordings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from memwarden.cli import common, policy
from memwarden.errors import UsageError, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from memwarden.guard.played import Player

EPILOG = """\
examples:
  memwarden policy replay default night.rootar
  memwarden policy replay /etc/oomd.json --compare default night.rootar
  memwarden policy replay my-policy.toml monitoring.csv --format json

A RECORDING is an archive of memwarden record --interval, the ring of a guard's
flight recorder (/var/lib/memwarden/flight, or that of an incident; it has no
processes), or CSV of signals of the machine with exactly this first line (MiB;
an empty cell is not known):
time_s,mem_total_mib,mem_available_mib,swap_total_mib,swap_free_mib,
psi_some_avg10,psi_full_avg10 (on one line). Seconds since 1970 are shown as
dates, in UTC. - is standard input.

Policies of other tools (oomd, systemd-oomd, earlyoom, nohang) are seen from
what is in them. Every snapshot is a tick. Nobody dies in a replay: what is
decided after the first kill is about a machine that would look different.
"""
EVERY = 10
"""Snapshots between two signs of progress."""
NO_SECONDS_US = 10**11 * 10**6
"""The year 5138 in seconds since 1970; milliseconds got there in 1973."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's options."""
    parser.add_argument("policy", metavar="POLICY", help="a file, a folder, default, or -; ours or another's")
    parser.add_argument("recordings", metavar="RECORDING", nargs="+", help="what happened, in order")
    parser.add_argument(
        "--compare",
        metavar="POLICY",
        action="append",
        default=[],
        help="another policy on the same recordings, and a table of both; may be repeated",
    )
    parser.add_argument(
        "--bug-compatible",
        action="store_true",
        help="other tools' policies as the tool really behaves, not as it is documented",
    )
    common.add_format_option(parser)
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print what would have been done."""
    from memwarden.guard.played import Player

    wanted = [args.policy, *args.compare]
    if [*wanted, *args.recordings].count("-") > 1:
        raise UsageError("standard input (-) can be read only once; name files for the others")
    player = Player([policy.acting(where, bug_compatible=args.bug_compatible) for where in wanted])
    recordings, notes = _once(args.recordings)
    notes += [note for path in recordings for note in _play(player, path)]
    if args.format == "json":
        from memwarden.present import replay_json

        common.write_json(replay_json.document(player.tapes, player.played, notes))
    else:
        from memwarden.present import replay_text
        from memwarden.present.colour import Paint

        paint = Paint(common.use_color(args))
        width = common.width()
        common.write(replay_text.text(player.tapes, player.played, notes, width=width, paint=paint))
    return 0


def _once(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The recordings without those that are given again, and what is to be said about these."""
    files: dict[object, str] = {}
    notes = []
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:  # standard input, or who opens it says why
            files[path] = path
            continue
        identity = (found.st_dev, found.st_ino)
        if identity not in files:
            files[identity] = path
            continue
        first = files[identity]
        also = "given twice" if first == path else f"the same file as {first}"
        notes.append(f"{path}: is {also}, and is played once")
    return list(files.values()), list(dict.fromkeys(notes))


def _play(player: Player, path: str) -> list[str]:
    """Play one recording; what is to be said about it."""
    from memwarden.collect.recordings import open_recording

    recording = open_recording(path)
    shown = False
    for count, snapshot in enumerate(recording.snapshots, 1):
        player.step(recording.name, recording.kind, snapshot)
        if count == 1 and recording.kind == "signals" and snapshot.instant.monotonic_us >= NO_SECONDS_US:
            recording.notes.append(
                f"{recording.name}: time_s looks like milliseconds and is read as seconds, so that all takes "
                "a thousand times as long; divide it by 1000"
            )
        if count % EVERY == 0 and sys.stderr.isatty():
            shown = True
            sys.stderr.write(f"\r{printable(recording.name)}: snapshot {count}")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r\x1b[K")
    return recording.notes
