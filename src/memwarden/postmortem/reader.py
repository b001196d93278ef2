"""Physical lines become messages: undressed, cut out of records, rejoined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.assemble import Assembler
from memwarden.postmortem.draft import PATIENCE
from memwarden.postmortem.kinds import kind_of, repair
from memwarden.postmortem.quick import quick
from memwarden.postmortem.transport.dress import undress
from memwarden.postmortem.transport.escapes import ONE_LINE, RECORD, unescape
from memwarden.postmortem.transport.jsonline import parse_json, parse_member
from memwarden.postmortem.transport.prefix import embedded, split
from memwarden.postmortem.transport.records import Records
from memwarden.postmortem.transport.shape import MARK, shape_of
from memwarden.postmortem.transport.stamp import NO_STAMP, Stamp
from memwarden.postmortem.wrap import Widths, Wrapped, glue, widths

if TYPE_CHECKING:
    from memwarden.postmortem.transport.records import Record

_FROM_PROGRAMS: Final = frozenset(("header", "kill", "oom-kill", "reaper", "group", "no-victim"))
"""Kinds that are believed when another program's log line begins with them (``dmesg | logger``)."""
_PATIENCE_ENDED: Final = 40
"""The same once the report has its end: what may follow is found by search."""
_LONGEST: Final = 1 << 12
"""Characters of one message that are read: the kernel's are shorter than 2 KiB (``LOG_LINE_MAX``)."""
_DICTIONARY: Final = re.compile(r" (?:SUBSYSTEM|DEVICE)=")
"""/dev/kmsg tells the device behind a record."""
_LOST: Final = re.compile(
    r"Missed \d+ kernel messages|Suppressed \d+ messages|messages lost due to rate-limiting"
)
"""systemd-journald and rsyslog tell what they could not keep."""
_SEQUENCE: Final = re.compile(r"\x1e|data: (?=\{)")
"""In front of each object of ``journalctl -o json-seq`` and ``-o json-sse``."""
_JSON: Final = ('"', "{", "}", "[", "]")
_UNSHAPED: Final = 4
"""So many lines of another form in a row make their form the one to expect."""


class Reader:
    """Takes blocks of text; the reports come out of its assembler."""

    def __init__(self, file: str) -> None:
        self.assembler = Assembler(file)
        self._records = Records()
        self._shape: re.Pattern[str] | None = None
        self._shape_stamp: Stamp | None = None
        self._unshaped = 0
        self._block: list[str] = []
        self._widths: Widths | None = None
        self._number = 0
        self._stamp: Stamp | None = None
        self._origin: Stamp | None = None  # what a line without a front has of the line before it
        self._kind = ""
        self._message = ""
        self._length = 0
        self._stamped = False
        self._blank = False
        self._seconds: str | None = None  # of the entry of printed JSON that is being read

    @property
    def bored(self) -> bool:
        """Whether nothing of a report was seen for a while."""
        return self.assembler.idle > (PATIENCE if self.assembler.expecting else _PATIENCE_ENDED)

    def read(self, text: str, number: int) -> int:
        """Take the lines of a block of which the first has this number, until bored; how many were taken."""
        raws = undress(text).split("\n")
        self._block = raws
        taken = 0
        while taken < len(raws) and not self.bored:
            taken += self._stretch(raws[taken:] if taken else raws, number + taken)
        return taken

    def _stretch(self, raws: list[str], number: int) -> int:
        """Lines up to where another form of front begins."""
        shape = self._shape
        lines = raws if shape is None else shape.sub(MARK, "\n".join(raws)).split("\n")
        last = len(lines) - 1
        draft = self.assembler.at(self._shape_stamp, number)
        whole = bool(lines) and lines[0][:1] == MARK
        for place, line in enumerate(lines):
            marked = whole
            whole = place < last and lines[place + 1][:1] == MARK
            if marked:
                self._unshaped = 0
                if self._number:
                    self._flush()
                    draft = self.assembler.at(self._shape_stamp, number)
                if whole and draft is not None and quick(draft, number + place, line[1:]):
                    if not self.assembler.took(draft, number + place, len(line)):
                        draft = None
                    continue
            elif line[:1] == "[" and place < last and self._bare_row(number + place, line, lines[place + 1]):
                continue
            self._line(number + place, raws[place])
            if self.bored or (self._unshaped >= _UNSHAPED and place < last):
                self._unshaped = 0
                return place + 1
        return len(lines)

    def _bare_row(self, number: int, line: str, after: str) -> bool:
        """Read a row of a table without fronts; it is whole for certain when another row follows."""
        if self._shape is not None or kind_of(line) != "row" or kind_of(after) != "row":
            return False
        if self._number:
            self._flush()
        draft = self.assembler.at(NO_STAMP, number)
        if draft is None or draft.block != "table" or not quick(draft, number, line):
            return False
        self.assembler.took(draft, number, 0)
        return True

    def pause(self) -> None:
        """The lines that come next do not follow those that were read."""
        self._record(self._records.end())
        self._flush()
        self._widths = None
        self._shape = None
        self.assembler.idle = 0

    def _line(self, number: int, line: str) -> None:
        if self._structured(number, line) or (line[:1] == " " and self._stamped and _DICTIONARY.match(line)):
            return
        if "\0" in line:
            line = line.replace("\0", "")
        stamp, message = split(line)
        if stamp is not None and stamp.kernel:
            self._unshaped += 1
            if self._shape is None or self._unshaped >= _UNSHAPED:
                self._shape = shape_of(line[: len(line) - len(message)], stamp)
                self._shape_stamp = stamp
                self._unshaped = _UNSHAPED
        if "\\x" in message and RECORD.match(line):
            message = unescape(message)
        self._piece(number, stamp, message, len(line))

    def _structured(self, number: int, line: str) -> bool:
        """Lines of journal records and JSON objects."""
        records = self._records
        if (front := _SEQUENCE.match(line)) is not None:
            line = line[front.end() :]
        start = line.lstrip(' \t"_')
        if not records.open and not start.startswith(("MESSAGE", "CURSOR", "{", "[{")) and " [s=" not in line:
            return line.lstrip()[:1] in _JSON and self._member(number, line)
        if start[:1] in ("{", "[") and (entries := parse_json(line)):
            for stamp, messages in entries:
                for message in messages:
                    self._inner(number, stamp, message)
            return True
        taken, record = records.take(number, line)
        self._record(record)
        return taken or (line.lstrip()[:1] in _JSON and self._member(number, line))

    def _member(self, number: int, line: str) -> bool:
        """A line of printed JSON; what is not a message is nothing that a kernel wrote."""
        found = parse_member(line)
        if found is None:
            return False
        if found.text is None:
            self._seconds = found.seconds or self._seconds
            self.assembler.stranger(lost=False)
            return True
        for message in found.text.rstrip("\n").split("\n"):
            self._inner(number, Stamp(mono=self._seconds), message)
        self._seconds = None
        return True

    def _record(self, record: Record | None) -> None:
        if record is not None:
            for offset, message in enumerate(record.lines):
                self._inner(record.line + offset, record.stamp, message)

    def _inner(self, number: int, stamp: Stamp, message: str) -> None:
        """A message out of a record; it may have a front of its own."""
        inner, text = split(undress(message))
        self._piece(number, stamp if inner is None else inner.within(stamp), text, 0)

    def _piece(self, number: int, stamp: Stamp | None, message: str, length: int) -> None:
        r"""One message; rsyslog writes its newlines as ``#012``, /dev/kmsg as ``\x0a``."""
        if "#012" in message or "\\x0a" in message or "\n" in message:
            message = message.replace("\\x0a", "\n").replace("#012", "\n")
            if kind_of(message.lstrip().partition("\n")[0]) in ONE_LINE:
                self._one(number, stamp, message, length)
                return
            for piece in message.split("\n"):
                self._one(number, stamp, piece, 0)
                stamp = stamp or self._stamp
        else:
            self._one(number, stamp, message, length)

    def _one(self, number: int, stamp: Stamp | None, message: str, length: int) -> None:
        blank_start, blank_end = message[:1].isspace(), message[-1:].isspace()
        message = message.strip()[:_LONGEST]
        kind = kind_of(message)
        if kind == "" and message:
            kind, message = repair(message)
        if kind in ("", "header") and (inside := embedded(message)) is not None:
            before, inner, after = inside
            self._one(number, stamp, before, 0)
            self._one(number, inner if stamp is None else inner.within(stamp), after, 0)
            return
        if stamp is None and self._number:
            if self._goes_on(message, kind, length, blank_start):
                self._blank = blank_end
                return
            stamp, stamped = self._origin, False
        else:
            stamped = stamp is not None
            if stamp is None or stamp.kernel:
                self._origin = None if stamp is None else Stamp(host=stamp.host, caller=stamp.caller)
        self._flush()
        self._number, self._stamp, self._kind, self._message = number, stamp, kind, message
        self._length, self._stamped, self._blank = length, stamped, blank_end

    def _goes_on(self, more: str, kind: str, length: int, blank: bool) -> bool:
        """Join a line without a front to the message before it, if it is the rest of that."""
        if self._kind == "empty" and self._stamped:
            self._kind, self._message, self._length = kind, more, length
            return True
        if self._widths is None:
            self._widths = widths(self._block)
        assembler = self.assembler
        hard = self._length > 0 and self._length == self._widths.hard
        before = Wrapped(
            self._kind,
            self._message,
            self._stamped,
            assembler.columns,
            assembler.invoker,
            hard,
            self._widths.widest - self._length,
            self._blank or (hard and blank),
        )
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
            self.assembler.stranger(lost=_LOST.search(self._message) is not None)
            return
        self.assembler.feed(number, stamp, kind, self._message)
