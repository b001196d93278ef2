"""``memwarden rank``: who dies next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse

    from memwarden.rules.scope import Scope
    from memwarden.state.snapshot import Snapshot

HELP = "who dies next if a cgroup or the machine runs out of memory now"
EPILOG = """\
examples:
  memwarden rank                                 # if the machine ran out
  memwarden rank --cgroup system.slice/db.service
  memwarden rank --root web1.rootar --top 0      # of a recording, everyone

columns:
  >, +      who is killed, and who goes along because of memory.oom.group
  POINTS    badness as the kernel compares it, in pages:
            RSS + SWAP + PGTBL + ADJ.ADDS
  RSS       resident memory of the process, whoever it is charged to
  SWAP      its memory in swap; PGTBL its page tables
  ADJ       oom_score_adj; ADJ.ADDS what that weighs here, which depends on the
            limit that is hit
  FREES     at most what its death frees at once: anonymous memory that nobody
            shares, and page tables; file cache stays, and is reclaimable
  K, M, G count in 1024.
"""
TOP = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument(
        "--cgroup", metavar="PATH", help="the limit of this cgroup is hit, or the nearest one above it"
    )
    scope.add_argument("--system", action="store_true", help="the whole machine runs out (default)")
    parser.add_argument(
        "--top", type=int, default=TOP, metavar="N", help=f"at most N candidates, 0 for all (default: {TOP})"
    )
    common.add_format_option(parser)
    common.add_color_option(parser)
    common.add_machine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the ranking."""
    from memwarden.rules.victim import rank

    if args.top < 0:
        raise UsageError("--top: give a number of candidates, 0 for all")
    snapshot = common.collector(args).snapshot()
    requested = None if args.cgroup is None else common.find_cgroup(snapshot, args.cgroup)
    ranking = rank(snapshot, _scope(snapshot, requested))
    if args.format == "json":
        from memwarden.present import rank_json

        common.write_json(rank_json.document(snapshot, ranking, requested))
    else:
        from memwarden.present import rank_text
        from memwarden.present.colour import Paint

        paint = Paint(common.use_color(args))
        common.write(
            rank_text.text(snapshot, ranking, requested, top=args.top, width=common.width(), paint=paint)
        )
    return 0


def _scope(snapshot: Snapshot, requested: str | None) -> Scope:
    from memwarden.rules.scope import scope_of, system_scope

    scope = system_scope(snapshot) if requested is None else scope_of(snapshot, requested)
    if scope is None:
        raise InputError(
            "/proc/meminfo: could not be read, so that the weight of oom_score_adj is unknown; "
            "mount procfs, or name a cgroup with a limit by --cgroup"
        )
    return scope
