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

HELP = "find OOM reports in kernel logs and say why each process died"
EPILOG = """\
examples:
  memwarden explain /var/log/kern.log          one file; .gz, .xz, .zst as they are
  dmesg | memwarden explain -                  standard input
  sudo memwarden explain --live                what the kernel's buffer still holds
  memwarden explain --journal                  the kernel's messages of this boot
  memwarden explain kern.log --format html -o oom.html     a page for the ticket

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
    found: list[Incident] = []
    for log in _logs(args):
        found += _incidents(log)
    _print(args, found)
    return 0


def _logs(args: argparse.Namespace) -> Iterator[Log]:
    from memwarden.host import kernel_log, logs

    for path in args.files:
        yield logs.open_file(path)
    if args.live:
        yield kernel_log.live()
    if args.journal:
        yield kernel_log.journal()


def _incidents(log: Log) -> list[Incident]:
    from memwarden.postmortem.read import find_reports
    from memwarden.postmortem.verdict import judge

    counted = _Counted(log, progress=sys.stderr.isatty())
    found = [judge(report) for report in find_reports(counted, file=log.name)]
    counted.done()
    for note in log.notes:
        _note(note)
    if not found:
        _note(_nothing(log.name, counted))
    return found


class _Counted:
    """Chunks on their way to the parser, counted, with progress for who waits."""

    def __init__(self, chunks: Iterable[bytes], *, progress: bool) -> None:
        self._chunks = chunks
        self._progress = progress
        self._told = 0
        self.bytes = 0
        self.lines = 0
        self.last = b"\n"

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            self.lines += chunk.count(b"\n")
            self.last = chunk[-1:] or self.last
            if self._progress and self.bytes - self._told >= PROGRESS_BYTES:
                self._told = self.bytes
                sys.stderr.write(f"\r{self.bytes >> 20} MiB read")
                sys.stderr.flush()
            yield chunk

    def done(self) -> None:
        """Count a last line without its end; wipe the progress line."""
        self.lines += self.last != b"\n"
        if self._told:
            sys.stderr.write("\r" + " " * 24 + "\r")


def _nothing(name: str, counted: _Counted) -> str:
    if not counted.bytes:
        return f"{name}: is empty; there is nothing to explain"
    lines = "1 line" if counted.lines == 1 else f"{counted.lines} lines"
    return (
        f"{name}: no OOM report found in {lines}. If a process was killed: is this the kernel's log, "
        "of that day "
        "and that machine? Try --journal, an older log file (kern.log.1), or the node's log instead "
        "of the container's. "
        "A kill by systemd-oomd, earlyoom or a container's stop is not in it"
    )


def _note(sentence: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"memwarden: {sentence}\n")


def _print(args: argparse.Namespace, incidents: list[Incident]) -> None:
    text = _rendered(args, incidents)
    if args.output is None:
        sys.stdout.write(text)
    else:
        common.write_file(args.output, text, force=args.force)


def _rendered(args: argparse.Namespace, incidents: list[Incident]) -> str:
    if args.format == "json":
        import json

        from memwarden.present import explain_json

        return json.dumps(explain_json.document(incidents), indent=2) + "\n"
    if args.format == "markdown":
        from memwarden.present import explain_markdown

        return explain_markdown.text(incidents)
    if args.format == "html":
        from memwarden.present import explain_html

        return explain_html.page(incidents)
    from memwarden.present import explain_text
    from memwarden.present.colour import Paint

    if not incidents:
        return ""
    colour = args.output is None and common.use_color(args)
    return explain_text.text(incidents, 80 if args.output else common.width(), Paint(colour))
