"""Options and output that verbs share."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from memwarden.cli.parser import height, width
from memwarden.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from memwarden.collect.snapshot import Collector
    from memwarden.collect.source import Source
    from memwarden.state.snapshot import Snapshot

__all__ = [
    "add_color_option",
    "add_format_option",
    "add_machine_options",
    "collector",
    "find_cgroup",
    "height",
    "note",
    "recorded",
    "refuse_existing",
    "use_color",
    "whole_file",
    "width",
    "write",
    "write_file",
    "write_json",
]


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """``--root``, ``--proc`` and ``--cgroup-root``: which machine to read."""
    group = parser.add_argument_group("which machine")
    group.add_argument(
        "--root", metavar="FILE", help="read a recording made by memwarden record (.rootar), not this machine"
    )
    group.add_argument("--proc", metavar="DIR", default="/proc", help="where procfs is (default: /proc)")
    group.add_argument(
        "--cgroup-root", metavar="DIR", help="where the cgroup hierarchy is (default: as mounted)"
    )


def collector(
    args: argparse.Namespace, *, with_processes: bool = True, smaps: bool = False, keep: int = 0
) -> Collector:
    """The machine or recording that the options name, ready to take snapshots.

    ``keep`` is how many descriptors of cgroups may stay open between snapshots.
    """
    from memwarden.collect.snapshot import Collector

    if args.root is not None and args.proc != "/proc":
        raise UsageError("--root reads a recording and --proc a machine; give one of them")
    return Collector(
        _source(args, keep),
        cgroup_root=args.cgroup_root,
        with_processes=with_processes,
        smaps=smaps,
    )


def _source(args: argparse.Namespace, keep: int) -> Source:
    if is_flight(args.root):
        raise UsageError(
            f"{args.root}: is a flight recorder's ring, figures of cgroups without processes; "
            "memwarden status and memwarden policy replay read it"
        )
    if args.root is None:
        from memwarden.host.live import Live  # without the readers of archives, half the imports of a source

        return Live(args.proc, keep=keep)
    from memwarden.collect.open import open_source

    return open_source(args.root)


def recorded(args: argparse.Namespace, *, with_processes: bool = True) -> Iterator[Snapshot]:
    """Every snapshot of the recording that ``--root`` names, in order; a flight's has no processes."""
    if is_flight(args.root):
        from memwarden.collect.recordings import open_recording

        yield from open_recording(args.root).snapshots
        return
    from memwarden.collect.open import archives
    from memwarden.collect.snapshot import Collector

    for archive in archives(args.root):
        yield Collector(archive, cgroup_root=args.cgroup_root, with_processes=with_processes).snapshot()


def is_flight(path: str | None) -> bool:
    """Whether this is a flight recorder's ring, which is figures and no files; standard input never is."""
    if path is None:
        return False
    from memwarden.collect.flight_blocks import BLOCK, is_flight

    try:
        with open(path, "rb") as file:
            return is_flight(file.read(BLOCK + 4))
    except OSError:
        return False  # whoever opens it next says why


def find_cgroup(snapshot: Snapshot, name: str, *, else_: str = "") -> str:
    """The path of a cgroup that a person named, below the root or as mounted.

    ``else_`` is what it might have been besides, and is not: ``"no file, and "``. Raises :class:`InputError`
    with the nearest name.
    """
    path = name.removeprefix(snapshot.cgroup_root) if name.startswith(snapshot.cgroup_root + "/") else name
    path = "/" + path.strip("/")
    if path in snapshot.cgroups:
        return path
    if not snapshot.cgroups:
        raise InputError(f"{name}: no cgroup can be read here (looked in {snapshot.cgroup_root})")
    from memwarden.cli.parser import nearest

    raise InputError(
        f"{name}: {else_}no such cgroup below {snapshot.cgroup_root}{nearest(path, snapshot.cgroups)}; "
        "memwarden status --flat lists them"
    )


def add_format_option(parser: argparse.ArgumentParser, *more: str) -> None:
    """``--format text|json`` and whatever else the verb can write."""
    parser.add_argument(
        "--format", choices=("text", "json", *more), default="text", help="how to print (default: text)"
    )


def add_color_option(parser: argparse.ArgumentParser) -> None:
    """``--color auto|always|never``."""
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour the text (default: auto, that is on a terminal unless NO_COLOR is set)",
    )


def use_color(args: argparse.Namespace) -> bool:
    """Whether to colour standard output, by ``--color``, NO_COLOR, TERM and what the output is."""
    if args.color != "auto":
        return bool(args.color == "always")
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb")
    return not plain and sys.stdout.isatty()


def write(text: str) -> None:
    """Text to standard output, ended by one newline."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(sentence: str) -> None:
    """A sentence to standard error; names in it are the user's, but not always the user's own."""
    from memwarden.present.text import escape

    sys.stderr.write(f"memwarden: {escape(sentence)}\n")


def write_json(document: dict[str, Any]) -> None:
    """A JSON document to standard output. Bytes that are not UTF-8 stand as lone surrogates, escaped."""
    import json

    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def write_file(path: str, pieces: Iterable[str], *, force: bool = False, mode: int = 0o644) -> None:
    """Write a file the user asked for by name, as :func:`whole_file` does."""
    with whole_file(path, force=force, mode=mode) as file:
        for piece in pieces:
            file.write(piece.encode("utf-8", "surrogateescape"))


@contextmanager
def whole_file(path: str, *, force: bool, mode: int) -> Iterator[BinaryIO]:
    """A file to write that has its name only once it is complete.

    Never through a link, over a file only by ``force``, and over a device or a directory never: replacing
    /dev/null would break the machine. Raises :class:`InputError` with the path and the reason.
    """
    refuse_existing(path, force=force)
    partial = f"{path}.{os.getpid()}.partial"
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_EXCL
    try:
        file = os.fdopen(os.open(partial, flags, mode), "wb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def refuse_existing(path: str, *, force: bool) -> None:
    """Raise :class:`InputError` where a file may not be written over."""
    try:
        kind = os.lstat(path).st_mode
    except OSError:
        return  # writing will tell
    if not force:
        raise InputError(f"{path}: exists already; name another file, or add --force to write over it")
    if not stat.S_ISREG(kind):
        raise InputError(f"{path}: is no ordinary file, and is not written over; name another")
