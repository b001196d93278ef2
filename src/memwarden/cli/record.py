"""``memwarden record``: write what memwarden reads of this machine into one archive."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentTypeError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from memwarden.cli.common import add_format_option, refuse_existing, whole_file, write, write_json
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    from memwarden.state.snapshot import Snapshot

HELP: Final = "write what memwarden reads of this machine into one archive"
EPILOG: Final = """\
The archive is plain text and holds the files that status and rank read, the
errors that reading some of them gave, and facts such as the page size. It
holds no environment, and command lines only with --cmdline. Look at it with a
pager before you send it; read it on any machine with --root.

examples:
  memwarden record -o node7.rootar
  memwarden status --root node7.rootar
  memwarden record --interval 2 --count 30 -o minute.rootar
  memwarden record -o - | gzip > node7.rootar.gz
"""
STDOUT: Final = "-"
LONGEST_S: Final = 86400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write (default: memwarden-HOST.rootar; -: stdout)"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that exists")
    parser.add_argument(
        "--interval", type=_seconds, metavar="N", help="take more than one snapshot, N seconds apart"
    )
    parser.add_argument(
        "--count", type=_count, metavar="M", help="how many (default with --interval: until ^C)"
    )
    parser.add_argument(
        "--cmdline", action="store_true", help="record command lines too; they may hold passwords"
    )
    parser.add_argument("--proc", metavar="DIR", default="/proc", help="where procfs is (default: /proc)")
    parser.add_argument(
        "--cgroup-root", metavar="DIR", help="where the cgroup hierarchy is (default: as mounted)"
    )
    add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Record; the exit code is 0 when at least one snapshot is written."""
    from memwarden.collect.record import Schedule, record
    from memwarden.host import facts
    from memwarden.host.clock import SystemClock
    from memwarden.host.effects import Hands
    from memwarden.host.live import Live

    if args.count is not None and args.interval is None:
        raise UsageError("--count needs --interval: how many seconds apart?")
    single = args.interval is None
    count = 1 if single else args.count
    clock = SystemClock()
    source = Live(args.proc, config=True, clock=clock)
    source.facts = {**source.facts, **facts.of_release(Hands().release_errno(-1))}
    name = args.output or f"memwarden-{source.facts['hostname']}.rootar"
    last: Snapshot | None = None
    taken = 0
    with _opened(name, force=args.force, whole=single) as out:
        schedule = Schedule(count, args.interval or 0)
        try:
            for snapshot in record(
                source, out, clock, schedule, cgroup_root=args.cgroup_root, cmdline=args.cmdline
            ):
                last, taken = snapshot, taken + 1
                _progress(taken, count)
        except KeyboardInterrupt:
            if single or last is None:
                raise
        finally:
            _progress_done(count)
        size = out.tell() if name != STDOUT else None
    assert last is not None
    _tell(args, name, taken, size, last)
    return 0


def _seconds(text: str) -> int:
    """Microseconds of a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= LONGEST_S:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0.001 to {LONGEST_S}")
    return int(value * 1_000_000)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of snapshots")
    return int(text)


@contextmanager
def _opened(name: str, *, force: bool, whole: bool) -> Iterator[BinaryIO]:
    """The file to write. A ``whole`` one has its name only once it is complete."""
    if name == STDOUT:
        if sys.stdout.isatty():
            raise UsageError("the recording would go to the terminal; name a file with -o FILE, or pipe it")
        yield sys.stdout.buffer
        return
    if whole:
        with whole_file(name, force=force, mode=0o600) as file:
            yield file
        return
    refuse_existing(name, force=force)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_TRUNC
    try:
        file = os.fdopen(os.open(name, flags, 0o600), "wb")
    except OSError as error:
        raise InputError(f"{name}: cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
    except BaseException:
        if not os.path.getsize(name):
            os.unlink(name)
        raise


def _progress(taken: int, count: int | None) -> None:
    if count != 1 and sys.stderr.isatty():
        of = "" if count is None else f" of {count}"
        sys.stderr.write(f"\rsnapshot {taken}{of}")
        sys.stderr.flush()


def _progress_done(count: int | None) -> None:
    if count != 1 and sys.stderr.isatty():
        sys.stderr.write("\n")


def _tell(args: argparse.Namespace, name: str, taken: int, size: int | None, last: Snapshot) -> None:
    if name == STDOUT:
        return  # nothing may follow the archive
    if args.format == "json":
        from memwarden.present.record_json import document

        write_json(document(name, size, taken, last))
        return
    many = f"{taken} snapshots" if taken > 1 else "1 snapshot"
    write(
        f"{name}: {many}, {len(last.cgroups)} cgroups and {len(last.processes)} processes in the last, "
        f"{size} bytes\nRead it with: memwarden status --root {shlex.quote(name)}"
    )
