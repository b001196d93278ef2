"""``memwarden explain``: why each process died."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memwarden.cli import common
from memwarden.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from memwarden.host.logs import Log
    from memwarden.postmortem.model import Incident
    from memwarden.postmortem.scan import Scan

HELP = "find OOM reports in kernel logs and say why each process died"
EPILOG = """\
examples:
  memwarden explain /var/log/kern.log       one file; .gz, .xz, .zst as they are
  dmesg | memwarden explain -               standard input
  sudo memwarden explain --live             what the kernel's buffer still holds
  memwarden explain --journal               the kernel's messages of this boot
  memwarden explain kern.log --format html -o oom.html   a page for the ticket

The log may come from another machine: dmesg, syslog, journalctl in any format,
serial console, docker and Kubernetes logs, cut, wrapped or interleaved.
Exit code 0 whatever was found; 2 wrong options; 3 input that cannot be read.
"""
FORMATS = ("markdown", "html")
PROGRESS_BYTES = 1 << 25
"""Progress is told every 32 MiB, a second or so of reading."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="kernel logs; - is standard input")
    parser.add_argument("--live", action="store_true", help="read this machine's kernel log (may need root)")
    parser.add_argument("--journal", action="store_true", help="read the kernel's messages from the journal")
    common.add_format_option(parser, *FORMATS)
    parser.add_argument("-o", "--output", metavar="OUT", help="write into this file instead of the terminal")
    parser.add_argument("--force", action="store_true", help="with -o: write over a file that exists")
    common.add_color_option(parser)


def run(args: argparse.Namespace) -> int:
    """Explain every report of every input; the exit code."""
    if not args.files and not args.live and not args.journal:
        if sys.stdin.isatty():
            raise UsageError("which log? Name a file, - for standard input, --live or --journal")
        args.files = ["-"]
    # All are opened before anything is printed: a name that is wrong must not leave half an answer.
    incidents = _incidents(list(_logs(args)))
    if args.output is None:
        for piece in _rendered(args, incidents):
            sys.stdout.write(piece)
    else:
        common.write_file(args.output, _rendered(args, incidents), force=args.force)
    return 0


def _logs(args: argparse.Namespace) -> Iterator[Log]:
    from memwarden.host import kernel_log, logs

    for path in args.files:
        yield logs.open_file(path)
    if args.live:
        yield kernel_log.live()
    if args.journal:
        yield kernel_log.journal()


def _rendered(args: argparse.Namespace, incidents: Iterable[Incident]) -> Iterable[str]:
    if args.format == "json":
        from memwarden.present import explain_json

        return explain_json.text(incidents)
    if args.format == "markdown":
        from memwarden.present import explain_markdown

        return explain_markdown.text(incidents)
    if args.format == "html":
        from memwarden.present import explain_html

        return explain_html.page(incidents)
    from memwarden.cli.parser import WITHOUT_TERMINAL
    from memwarden.present import explain_text
    from memwarden.present.colour import PLAIN, Paint

    if args.output is not None:
        return explain_text.text(incidents, WITHOUT_TERMINAL, PLAIN)
    return explain_text.text(incidents, common.width(), Paint(common.use_color(args)))


def _incidents(logs: Iterable[Log]) -> Iterator[Incident]:
    for log in logs:
        yield from _incidents_of(log)


def _incidents_of(log: Log) -> Iterator[Incident]:
    from memwarden.postmortem.read import find_reports
    from memwarden.postmortem.scan import Scan
    from memwarden.postmortem.verdict import judge

    scan = Scan(log.name)
    found = 0
    for report in find_reports(_shown(log, on=sys.stderr.isatty()), file=log.name, scan=scan):
        found += 1
        yield judge(report)
    for note in (*log.notes, *(f"{log.name}: {note}" for note in scan.notes)):
        _note(note)
    if not found:
        _note(_nothing(scan))


def _shown(chunks: Iterable[bytes], *, on: bool) -> Iterator[bytes]:
    """The chunks, with progress on standard error for who waits."""
    read = told = 0
    for chunk in chunks:
        yield chunk
        read += len(chunk)
        if on and read - told >= PROGRESS_BYTES:
            told = read
            sys.stderr.write(f"\r{read >> 20} MiB read")
            sys.stderr.flush()
    if told:
        sys.stderr.write("\r" + " " * 24 + "\r")


def _nothing(scan: Scan) -> str:
    if not scan.size_bytes:
        return f"{scan.file}: is empty; there is nothing to explain"
    lines = "1 line" if scan.lines == 1 else f"{scan.lines} lines"
    return (
        f"{scan.file}: no OOM report found in {lines}. If a process was killed: is this the kernel's log, of "
        "that day and that machine? Try --journal, an older file (kern.log.1), or the node's log instead of "
        "the container's. Kills by systemd-oomd, earlyoom or a container's stop are not the kernel's"
    )


def _note(sentence: str) -> None:
    sys.stdout.flush()
    common.note(sentence)
