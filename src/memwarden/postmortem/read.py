"""Text in, reports out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.assemble import Assembler
from memwarden.postmortem.kinds import kind_of, repair
from memwarden.postmortem.scan import Scan
from memwarden.postmortem.stream import Lines
from memwarden.postmortem.transport.dress import undress
from memwarden.postmortem.transport.jsonline import parse_json
from memwarden.postmortem.transport.prefix import embedded, split
from memwarden.postmortem.transport.records import Records
from memwarden.postmortem.wrap import Wrapped, glue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import OomReport
    from memwarden.postmortem.transport.records import Record
    from memwarden.postmortem.transport.stamp import Stamp

_FROM_PROGRAMS: Final = frozenset(("header", "kill", "oom-kill", "reaper", "group", "no-victim"))
"""Kinds that are believed when another program's log line begins with them (``dmesg | logger``)."""
_PATIENCE: Final = 400
"""Lines that may lie between two lines of one report."""
_PATIENCE_ENDED: Final = 40
"""The same once the report has its end: what may follow is found by search."""


def find_reports(chunks: Iterable[bytes], *, file: str = "-", scan: Scan | None = None) -> Iterator[OomReport]:
    """The OOM reports of a stream of bytes, in order; ``file`` is the name they carry.

    The stream is read once, forwards, in chunks of any size; memory stays bounded whatever its length.
    Lines count from 1 in the text as given. ``scan`` is filled with what the stream was like.
    No input raises: what cannot be read is counted or left out.
    """
    scan = scan if scan is not None else Scan(file)
    lines = Lines(chunks, scan)
    reader = Reader(file)
    while lines.seek():
        while block := lines.block():
            taken = reader.read(block, lines.number)
            lines.skip(taken)
            yield from reader.assembler.take()
            if reader.bored:
                break
        reader.pause()
    scan.lines = lines.number - 1
    reader.assembler.close()
    yield from reader.assembler.take()


class Reader:
    """Physical lines become messages: undressed, cut out of records, rejoined."""

    def __init__(self, file: str) -> None:
        self.assembler = Assembler(file)
        self._records = Records()
        self._number = 0
        self._stamp: Stamp | None = None
        self._kind = ""
        self._message = ""
        self._length = 0
        self._stamped = False
        self._width = 0

    @property
    def bored(self) -> bool:
        """Whether nothing of a report was seen for a while."""
        return self.assembler.idle > (_PATIENCE if self.assembler.expecting else _PATIENCE_ENDED)

    def read(self, block: list[str], number: int) -> int:
        """Take lines of which the first has this number, until bored; how many were taken."""
        if not self._width:
            self._width = hard_width(block)
        taken = 0
        for line in block:
            self._line(number + taken, line)
            taken += 1
            if self.bored:
                break
        return taken

    def pause(self) -> None:
        """The lines that come next do not follow those that were read."""
        if (record := self._records.end()) is not None:
            self._record(record)
        self._flush()
        self._number = 0
        self._width = 0
        self.assembler.idle = 0

    def _line(self, number: int, raw: str) -> None:
        line = undress(raw)
        if self._structured(number, line):
            return
        stamp, message = split(line)
        self._piece(number, stamp, message, len(line))

    def _structured(self, number: int, line: str) -> bool:
        """Lines of journal records and JSON objects."""
        records = self._records
        if not records.open and not line.lstrip(' \t"_').startswith(("MESSAGE", "CURSOR", "{")) and " [s=" not in line:
            return False
        if (read := parse_json(line) if line.lstrip()[:1] == "{" else None) is not None:
            stamp, messages = read
            for message in messages:
                inner, text = split(message)
                self._piece(number, stamp if inner is None else inner.within(stamp), text, 0)
            return True
        taken, record = records.take(number, line)
        if record is not None:
            self._record(record)
        return taken

    def _record(self, record: Record) -> None:
        for offset, message in enumerate(record.lines):
            inner, text = split(message)
            self._piece(record.line + offset, record.stamp if inner is None else inner.within(record.stamp), text, 0)

    def _piece(self, number: int, stamp: Stamp | None, message: str, length: int) -> None:
        """One line; rsyslog writes the newlines of a message as ``#012``, /dev/kmsg as ``\\x0a``."""
        if "#012" in message or "\\x0a" in message:
            for piece in message.replace("\\x0a", "#012").split("#012"):
                self._one(number, stamp, piece, 0)
                stamp = stamp or self._stamp
        else:
            self._one(number, stamp, message, length)

    def _one(self, number: int, stamp: Stamp | None, message: str, length: int) -> None:
        message = message.strip()
        kind = kind_of(message)
        if kind == "" and message:
            kind, message = repair(message)
            if kind == "" and (inside := embedded(message)) is not None:
                self._one(number, stamp, message[: -len(inside[1]) or None].rpartition("[")[0], 0)
                self._one(number, inside[0] if stamp is None else inside[0].within(stamp), inside[1], 0)
                return
        if stamp is None and self._number:
            if self._goes_on(message, kind, length):
                return
            stamp, stamped = self._stamp, False
        else:
            stamped = stamp is not None
        self._flush()
        self._number, self._stamp, self._kind, self._message = number, stamp, kind, message
        self._length, self._stamped = length, stamped

    def _goes_on(self, more: str, kind: str, length: int) -> bool:
        """Join a line without a front to the message before it, if it is the rest of that."""
        if self._kind == "empty" and self._stamped:
            self._kind, self._message, self._length = kind, more, length
            return True
        hard = bool(self._width) and self._length == self._width
        before = Wrapped(self._kind, self._message, self._stamped, self.assembler.columns, hard)
        between = glue(before, more, kind)
        if between is None:
            return False
        self._message = f"{self._message}{between}{more}"
        self._length = length
        if self._kind == "":
            self._kind = kind_of(self._message)
        return True

    def _flush(self) -> None:
        if not self._number:
            return
        number, self._number = self._number, 0
        stamp, kind = self._stamp, self._kind
        if stamp is not None and not stamp.kernel and kind not in _FROM_PROGRAMS:
            self.assembler.stranger()
            return
        self.assembler.feed(number, stamp, kind, self._message)


def hard_width(block: list[str]) -> int:
    """The width of a text that was broken anywhere to fit a terminal; 0 when it was not.

    Then every line that goes on in the next has the same length. Lines of mail that was broken at blanks
    have not.
    """
    lengths = set()
    kinds = set()
    count = 0
    previous = ""
    for raw in block[:400]:
        line = undress(raw)
        stamp, message = split(line)
        kind = kind_of(message.strip())
        if kind == "" and stamp is None and previous and line.strip():
            lengths.add(len(previous))
            kinds.add(kind_of(split(previous)[1].strip()))
            count += 1
        previous = line
    return lengths.pop() if len(lengths) == 1 and count >= 3 and len(kinds) > 1 else 0
