"""``memwarden guard``: the daemon that acts before the kernel has to."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

HELP: Final = "act before the kernel has to, on who took the memory, and say why"
EPILOG: Final = """\
It runs until it is told to stop (SIGTERM), takes a new policy on SIGHUP, and
undoes on exit whatever it throttled or froze. What it decided: memwarden why.

examples:
  memwarden guard --dry-run --once        # what it would do just now
  memwarden guard --observe               # look and record, decide nothing
  memwarden guard --policy /etc/memwarden
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--policy",
        metavar="POLICY",
        help="a file or folder (default: /etc/memwarden, or the built-in policy); other tools' are read too",
    )
    parser.add_argument(
        "--bug-compatible", action="store_true", help="of another tool's policy, its bugs too"
    )
    parser.add_argument("--dry-run", action="store_true", help="decide and record, but do nothing")
    parser.add_argument("--observe", action="store_true", help="look and record, but decide nothing")
    parser.add_argument("--once", action="store_true", help="look once, decide, say so, and end")
    parser.add_argument("--kmsg", action="store_true", help="say kills in the kernel's log too")
    parser.add_argument(
        "--allow-panic", action="store_true", help="let a policy that says so crash the kernel for a dump"
    )
    parser.add_argument("--proc", metavar="DIR", default="/proc", help="where procfs is (default: /proc)")
    parser.add_argument(
        "--cgroup-root", metavar="DIR", help="where the cgroup hierarchy is (default: as mounted)"
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        default="/var/lib/memwarden",
        help="what outlives a boot: decisions, incidents (default: /var/lib/memwarden)",
    )
    parser.add_argument(
        "--run",
        metavar="DIR",
        default="/run/memwarden",
        help="what does not: undo journal, lock, socket (default: /run/memwarden)",
    )


def run(args: argparse.Namespace) -> int:
    """Become the guard: this process is replaced, so that nothing of the command line stays in memory."""
    from memwarden.daemon.options import Options, pack

    options = Options(**{name: getattr(args, name) for name in Options._fields})
    program = os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "daemon", "__main__.py"
    )
    words = [sys.executable, "-I", "-S", program, pack(options)]
    sys.stdout.flush()
    # Python speaks UTF-8 in this locale too (PEP 540), and needs no tables of another, which are 0.3 MiB. Its
    # threads, of which one runs at a time, need no memory of their own to take from (mallopt(3)).
    environment = os.environ | {"LC_ALL": "C", "MALLOC_ARENA_MAX": "1"}
    os.execve(sys.executable, words, environment)  # noqa: S606 - no shell, on purpose
