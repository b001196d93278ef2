"""The recording of a machine's files as one plain text archive (``.rootar``): the format and its reader.

::

    memwarden-root 1
    FACT page_size_bytes 4096
    DIR 1 /sys/fs/cgroup
    FILE 4 /sys/fs/cgroup/memory.current
    512
    <newline that is not part of the file>
    ERR EOPNOTSUPP /sys/fs/cgroup/memory.pressure
    SNAP 1 8123000000
    SAME /sys/fs/cgroup/memory.current
    END 6

docs/reference/rootar.md is the definition. A recording that was cut off is readable up to its last
whole snapshot.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias

from memwarden.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Stream(Protocol):
        """What the reader needs of a binary file."""

        def readline(self, limit: int, /) -> bytes:
            """A line with its newline, or at most ``limit`` bytes of it; empty at the end."""

        def read(self, size: int, /) -> bytes:
            """``size`` bytes, fewer only at the end."""


MAGIC: Final = b"memwarden-root"
VERSION: Final = 1
LONGEST_LINE: Final = 1 << 16
LARGEST_FILE: Final = 1 << 28
"""No file that is recorded comes near it; a size beyond it is junk, not a reason to take the memory."""


class File(NamedTuple):
    """A file's content."""

    data: bytes


class Failed(NamedTuple):
    """A file or directory that gave an error."""

    errno_name: str


class Dir(NamedTuple):
    """A directory, known by its inode number."""

    inode: int


class Link(NamedTuple):
    """A symbolic link's target."""

    target: bytes


Entry: TypeAlias = File | Failed | Dir | Link


class Recorded(NamedTuple):
    """One snapshot of a recording. ``facts`` hold what earlier snapshots said and this one did not change."""

    number: int
    facts: dict[str, str]
    entries: dict[str, Entry]


_RAW = re.compile(rb"[\x00-\x20%\x7f]")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


def escape(path: str) -> bytes:
    r"""A path as it stands in an archive.

    >>> escape("/a b/\udcff%é")
    b'/a%20b/%FF%25\xc3\xa9'
    """
    if path.isascii():
        return _raw(path)
    # Bytes that are not UTF-8 are the lone surrogates of the decoded path.
    return b"".join(
        b"%%%02X" % (ord(char) - 0xDC00) if "\udc80" <= char <= "\udcff" else _raw(char) for char in path
    )


def _raw(text: str) -> bytes:
    return _RAW.sub(lambda found: b"%%%02X" % found[0][0], text.encode())


def unescape(text: bytes) -> str:
    r"""The path that :func:`escape` was given.

    >>> unescape(b"/a%20b/%FF")
    '/a b/\udcff'
    """
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), text).decode("utf-8", "surrogateescape")


def read(stream: Stream, name: str, notes: list[str] | None = None) -> Iterator[Recorded]:
    """The snapshots of an archive, in order; each is whole.

    ``name`` is what the archive is called in messages. When a recording of several snapshots was cut off,
    the whole ones are yielded and ``notes`` gets a sentence. Raises :class:`InputError`, also when not one
    snapshot is whole.
    """
    return _Reader(stream, name, [] if notes is None else notes).snapshots()


class _Reader:
    def __init__(self, stream: Stream, name: str, notes: list[str]) -> None:
        self.stream = stream
        self.name = name
        self.notes = notes
        self.count = 0
        self.number = 0
        self.whole = 0
        self.facts: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        self.previous: dict[str, Entry] = {}

    def snapshots(self) -> Iterator[Recorded]:
        self._check_first_line()
        while True:
            line = self.stream.readline(LONGEST_LINE)
            self.count += 1
            if not line.endswith(b"\n"):
                if len(line) >= LONGEST_LINE:
                    self._junk("a line without an end")
                self._cut_off()
                return
            kind, _, rest = line[:-1].partition(b" ")
            if kind == b"END":
                self._check_end(rest)
                yield self._snapshot()
                return
            if kind == b"SNAP":
                started = bool(self.entries)
                if started:
                    yield self._snapshot()
                self._start(rest)
            elif not self._entry(kind, rest):
                self._cut_off()
                return

    def _check_first_line(self) -> None:
        line = self.stream.readline(LONGEST_LINE)
        magic, _, version = line.rstrip(b"\n").partition(b" ")
        if not line:
            raise InputError(
                f"{self.name}: is empty, not a recording; make one with: memwarden record -o FILE.rootar"
            )
        if magic != MAGIC or not version.isdigit():
            raise InputError(
                f"{self.name}:1: not a recording of memwarden (the first line is not 'memwarden-root 1'); "
                "make one with: memwarden record -o FILE.rootar"
            )
        if int(version) != VERSION:
            raise InputError(
                f"{self.name}:1: has format {version.decode()}, written by a newer memwarden; this one "
                f"reads format {VERSION}: upgrade it"
            )

    def _entry(self, kind: bytes, rest: bytes) -> bool:
        """Take one entry; false where the archive ends inside it."""
        if kind == b"FACT":
            key, _, value = rest.partition(b" ")
            self.facts[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
            return True
        if kind == b"SAME":
            path = self._path(rest)
            if path not in self.previous:
                self._junk(f"SAME {rest.decode('utf-8', 'replace')}, which the snapshot before does not have")
            self._add(path, self.previous[path])
            return True
        what, _, escaped = rest.partition(b" ")
        if kind == b"ERR":
            self._add(self._path(escaped), Failed(what.decode("ascii", "replace")))
        elif kind == b"DIR":
            self._add(self._path(escaped), Dir(self._int(what)))
        elif kind in (b"FILE", b"LINK"):
            data = self._payload(self._int(what))
            if data is None:
                return False
            self._add(self._path(escaped), File(data) if kind == b"FILE" else Link(data))
        else:
            self._junk(f"{(kind + b' ' + rest)[:40]!r} is no entry")
        return True

    def _payload(self, size: int) -> bytes | None:
        if size > LARGEST_FILE:
            self._junk(f"a file of {size} bytes, more than any that is recorded")
        data = self.stream.read(size + 1)
        if len(data) <= size:
            return None
        if data[-1:] != b"\n":
            self._junk("the content does not end where its size says")
        return data[:-1]

    def _path(self, escaped: bytes) -> str:
        if not escaped.startswith(b"/"):
            self._junk(f"{escaped[:40]!r} is no absolute path")
        return unescape(escaped)

    def _int(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 20:
            self._junk(f"{text[:40]!r} is no number")
        return int(text)

    def _add(self, path: str, entry: Entry) -> None:
        if path in self.entries:
            self._junk(f"{path} stands twice in one snapshot")
        self.entries[path] = entry

    def _start(self, rest: bytes) -> None:
        number, _, monotonic = rest.partition(b" ")
        self.number = self._int(number)
        self.facts["taken_monotonic_us"] = str(self._int(monotonic))
        self.facts.pop("taken_wall_us", None)  # belongs to the snapshot before

    def _snapshot(self) -> Recorded:
        if not self.entries:
            raise InputError(
                f"{self.name}: holds no file of a machine; record it again with: memwarden record"
            )
        recorded = Recorded(self.number, dict(self.facts), self.entries)
        self.previous, self.entries = self.entries, {}
        self.whole += 1
        return recorded

    def _check_end(self, rest: bytes) -> None:
        if self._int(rest) != self.count - 1:
            self._junk(f"the last line says {rest.decode()} entries, there are {self.count - 1}")
        if self.stream.read(1):
            self._junk("there is more after the END line")

    def _cut_off(self) -> None:
        where = f"{self.name}: cut off in entry {self.count}"
        if not self.whole:
            raise InputError(
                f"{where}, before its END line, and no snapshot in it is whole; record or copy the file again"
            )
        self.notes.append(f"{where}; {self.whole} whole snapshots before that are used")

    def _junk(self, what: str) -> NoReturn:
        raise InputError(
            f"{self.name}: entry {self.count}: {what}; the file is damaged: record or copy it again"
        )
