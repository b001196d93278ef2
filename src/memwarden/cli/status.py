"""``memwarden status``: the memory of every cgroup."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from memwarden.present.status_rows import StatusRow
    from memwarden.state.snapshot import Snapshot

HELP = "memory of every cgroup, the ones closest to trouble first"
EPILOG = """\
examples:
  memwarden status                             all cgroups as a tree
  memwarden status --flat --top 10             the ten closest to their limit
  memwarden status /system.slice --watch 2     one cgroup, every two seconds
  memwarden status --flat --sort reclaimable   where there is most to free
  memwarden status --root web1.rootar          of a recording

columns:
  LIMIT     the tightest memory.max of the cgroup and those above it
  SET BY    whose limit that is; = is its own
  PROT      memory.min or memory.low, the greater of both, as it holds against
            the tightest limit above
  RECL      what the kernel could free here without a kill
  ROOM      effective headroom: the least of limit - usage + reclaimable on the
            way up to the machine, whose term is available memory
  LEFT      ROOM in percent of the limit where it is least; the order of rows
  SOME      share of the last 10 s in which some task waited for memory
  EVENTS    the two gravest memory.events since the cgroup was made, or since
            the last look under --watch: kill counts processes, group kills of
            a whole cgroup, oom and max attempts, high throttled allocations
  Columns that would say nothing are left out. K, M, G count in 1024.
"""
SORT_KEYS = {
    "usage": "usage_bytes",
    "limit": "effective_limit_bytes",
    "reclaimable": "reclaimable_bytes",
    "room": "effective_headroom_bytes",
    "left": "left_pct",
    "swap": "swap_bytes",
    "some": "memory_some_avg10_pct",
    "full": "memory_full_avg10_pct",
    "kills": "events_oom_kill",
    "oom": "events_oom",
}
CLEAR = "\x1b[H\x1b[J"
KEPT_OPEN = 1000
"""Descriptors that --watch may hold between two looks; the usual limit is 1024."""
ROWS_AROUND = 10
"""Lines of a screen that are not cgroups: the machine, the head of the table, notes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "cgroup", nargs="?", default="/", metavar="CGROUP", help="this cgroup and those below (default: all)"
    )
    parser.add_argument("--flat", action="store_true", help="one list in one order instead of a tree")
    parser.add_argument(
        "--sort",
        choices=SORT_KEYS,
        metavar="KEY",
        help=f"order by: {', '.join(SORT_KEYS)} (default: trouble)",
    )
    parser.add_argument(
        "--top", type=int, metavar="N", help="at most N cgroups (default: all, or what fits under --watch)"
    )
    parser.add_argument(
        "--watch",
        type=float,
        metavar="SECONDS",
        help="look again every so often; events are those since the last look",
    )
    common.add_format_option(parser)
    common.add_color_option(parser)
    common.add_machine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the machine once, or again and again."""
    if args.watch is not None and not 0 < args.watch < float("inf"):
        raise UsageError("--watch: give a number of seconds above 0")
    if args.top is not None and args.top < 0:
        raise UsageError("--top: give a number of cgroups, 0 for all")
    previous: Snapshot | None = None
    for snapshot in _snapshots(args):
        rows = _rows(args, snapshot, previous)
        if args.format == "json":
            _print_json(args, snapshot, rows)
        else:
            _print_text(args, snapshot, rows, again=previous is not None)
        sys.stdout.flush()
        previous = snapshot
    return 0


def _snapshots(args: argparse.Namespace) -> Iterator[Snapshot]:
    if args.watch is None and common.is_flight(args.root):
        last = None
        for last in common.recorded(args):  # noqa: B007 - the last one is what is wanted
            pass
        if last is None:
            raise InputError(f"{args.root}: holds no whole record yet")
        yield last
    elif args.watch is None:
        gc.disable()  # what one look makes is gone with the process
        yield common.collector(args, with_processes=False).snapshot()
    elif args.root is not None:
        # A recording may hold several snapshots; time has passed between them already.
        yield from common.recorded(args, with_processes=False)
    else:
        collector = common.collector(args, with_processes=False, keep=KEPT_OPEN)
        while True:
            yield collector.snapshot()
            time.sleep(args.watch)


def _rows(
    args: argparse.Namespace, snapshot: Snapshot, previous: Snapshot | None
) -> list[tuple[int, StatusRow]]:
    from memwarden.present import status_rows, status_sort

    since = None
    if previous is not None:
        from memwarden.state.delta import between

        since = between(previous, snapshot)
    root = "/" if args.cgroup == "/" else common.find_cgroup(snapshot, args.cgroup)
    rows = status_rows.rows(snapshot, root, since)
    key = status_sort.key_of(SORT_KEYS[args.sort] if args.sort else None)
    return status_sort.flat(rows, key) if args.flat else status_sort.tree(rows, key)


def _print_json(args: argparse.Namespace, snapshot: Snapshot, rows: list[tuple[int, StatusRow]]) -> None:
    import json

    from memwarden.present import status_json

    shown = rows[: args.top] if args.top else rows
    document = status_json.document(snapshot, [row for _, row in shown])
    if args.watch is None:
        common.write_json(document)
    else:  # one document a line, so that a reader knows where each ends
        common.write(json.dumps(document))


def _print_text(
    args: argparse.Namespace, snapshot: Snapshot, rows: list[tuple[int, StatusRow]], *, again: bool
) -> None:
    from memwarden.present import status_text
    from memwarden.present.colour import Paint

    screen = args.watch is not None and sys.stdout.isatty()
    fits = max(common.height() - ROWS_AROUND, 1) if screen else 0
    top = fits if args.top is None else args.top
    text = status_text.text(
        snapshot,
        rows[:top] if top else rows,
        full_paths=args.flat,
        width=common.width(),
        paint=Paint(common.use_color(args)),
        hidden=len(rows) - top if 0 < top < len(rows) else 0,
    )
    common.write(CLEAR + text if screen else "\n" + text if again else text)
