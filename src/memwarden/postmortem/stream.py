"""Bytes in chunks become lines, only where a report may be: the rest is searched, not read.

Ordinary log text is passed over with a few ``bytes.find`` per MiB, and its newlines are counted. Where
a search hits, lines are handed out, from a little before the hit until the reader has enough.
Nothing depends on where the chunks end.
"""

from __future__ import annotations

import codecs
import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from memwarden.postmortem.scan import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.scan import Scan

LOOKBACK: Final = 1 << 16
"""Bytes before a hit that are looked at for the beginning of a report whose head is lost."""
HEAD: Final = 1 << 20
"""In the first bytes of a stream every block of a report is a hit: excerpts are small."""
WATCH: Final = 1 << 18
"""So many bytes behind a report the reaper's lines are a hit."""
_BLOCK: Final = 1 << 16
_PIECE: Final = 1 << 20

_HITS: Final = (b"ut of memory", b"invoked oom-k", b"oom-kill:constraint=")
"""Every report has one of these; each costs about half a second per GiB."""
_WATCH_HITS: Final = (b"oom_reaper", b"Killed process", b"oom-kill")
_HEAD_HITS: Final = (
    *(*_WATCH_HITS, b"total_vm", b"emory cgroup stats for", b": usage "),
    *(b"ill process ", b"lled process ", b"killed as a result", b"m-kill:constraint", b"m_reaper: "),
)
_JSON_HITS: Final = (b'"MESSAGE"',)
"""journalctl writes a message that is not plain text as an array of numbers."""
_LONGEST: Final = 32
_STRANGERS: Final = 6
"""So many lines in a row that look like no report end the search for its beginning."""

_REPORT_LINE: Final = re.compile(
    rb"\[ *\d+\] +\d+ +\d+ +\d|\[ *pid *\]|Tasks state|swapents|\dkB|\dKB|pages (?:RAM|[HhrcsnMi])|: usage "
    rb"|emory cgroup|Kill(?:ed)? process|oom_reaper|killed as a result|lowmem_reserve|Mem-Info|invoked\s*$"
    rb"|active_\w+:\d|\b[a-z_]+ \d+\s*$|\+0x[0-9a-f]+/0x|Comm: |comm: | mems_allowed=|Call [Tt]race"
    rb"|func:|allocation failure|^[ \t>]*\"?_*[A-Z][A-Z_]+\"?\s*[=:]|^[ \t>]*[\d -]+\S*\s*$",
    re.MULTILINE,
)
"""What a line before a hit looks like when it belongs to the same report, or to the same journal record."""


class Lines:
    """The lines of a stream, handed out where they may belong to a report.

    ``seek()`` goes to the next place, ``block()`` hands out some of its lines, ``skip(n)`` takes n of them.
    """

    def __init__(self, chunks: Iterable[bytes], scan: Scan) -> None:
        self._pieces = _pieces(chunks)
        self._scan = scan
        self._buffer = b""
        self._position = 0  # in the buffer: the first byte that was neither taken nor passed over
        self._searched = 0  # in the buffer: no hit begins before this
        self._newlines = 0  # in the buffer from the position on
        self._tail = 0  # bytes behind the buffer's last newline
        self._cutting = False  # the rest of an overlong line is being dropped
        self._hits: tuple[bytes, ...] = _HITS
        self._head_left = HEAD  # where the head ends, in the buffer
        self._watch_left = 0  # where the stretch behind the last report ends, in the buffer
        self._started = False
        self.number = 1
        """The number of the line at the position."""

    def seek(self) -> bool:
        """Go to the next line that may belong to a report; False at the end of the stream."""
        while True:
            hit = self._find()
            if hit is not None:
                self._searched = hit
                self._pass_over(self._beginning(hit))
                return True
            self._searched = max(self._position, len(self._buffer) - _LONGEST)
            piece = self._read()
            if piece is None:
                unended = self._position < len(self._buffer) and not self._buffer.endswith(b"\n")
                self._pass_over(len(self._buffer))
                self.number += unended
                return False
            self._append(piece)

    def watch(self) -> None:
        """A report ended at the position: its victim's reaper may speak soon."""
        self._watch_left = self._position + WATCH

    def block(self) -> str | None:
        """The next lines, the end of the last one left off; ``None`` at the end of the stream."""
        while len(self._buffer) - self._position < _BLOCK and self._more():
            pass
        end = self._buffer.rfind(b"\n", self._position, self._position + _BLOCK)
        while end < 0 and (end := self._buffer.find(b"\n", self._position)) < 0 and self._more():
            pass
        if end < 0:
            end = len(self._buffer)
        if end == self._position and not self._newlines:
            return None
        return self._buffer[self._position : end].decode("utf-8", "backslashreplace")

    def skip(self, count: int) -> None:
        """Take the first ``count`` lines of the block."""
        position = self._position
        for _ in range(count):
            position = self._buffer.find(b"\n", position) + 1 or len(self._buffer) + 1
        self._newlines -= min(count, self._newlines)
        self.number += count
        self._position = min(position, len(self._buffer))
        self._searched = max(self._searched, self._position)

    def _find(self) -> int | None:
        """The first hit behind what was searched."""
        return self._find_in(self._buffer, self._searched, 0)

    def _find_in(self, text: bytes, start: int, offset: int) -> int | None:
        """The first hit in a text that stands at this offset from the buffer's beginning."""
        best = None
        end = len(text)
        for literals, left in (
            (self._hits, end),
            (_HEAD_HITS, self._head_left - offset),
            (_WATCH_HITS, self._watch_left - offset),
        ):
            if start < left:
                for literal in literals:
                    found = text.find(literal, start, min(end, left))
                    if found >= 0:
                        best, end = found, found + len(literal) - 1
        return best

    def _line_start(self, offset: int) -> int:
        return self._buffer.rfind(b"\n", self._position, offset) + 1 or self._position

    def _beginning(self, hit: int) -> int:
        """Where the report that is hit may begin: lines before it that look like parts of it belong to it."""
        start = self._line_start(hit)
        # The line before may hold the front of a broken line.
        first = start = self._line_start(max(start - 1, self._position))
        strangers = 0
        while start > self._position and hit - start < LOOKBACK and strangers < _STRANGERS:
            before = self._line_start(start - 1)
            if _REPORT_LINE.search(self._buffer, before, min(start, before + 512)):
                first, strangers = before, 0
            else:
                strangers += 1
            start = before
        return first

    def _pass_over(self, offset: int) -> None:
        """Go on at an offset in the buffer, where a line begins."""
        if offset > self._position:
            left = self._buffer.count(b"\n", offset)
            self.number += self._newlines - left
            self._newlines = left
            self._position = offset
            self._searched = max(self._searched, offset)

    def _more(self) -> bool:
        """Read on; False at the end of the stream."""
        piece = self._read()
        if piece is None:
            return False
        self._merge(piece)
        return True

    def _read(self) -> bytes | None:
        """The next piece, without what exceeds the limit of one line."""
        piece = next(self._pieces, None)
        if piece is None:
            return None
        if not self._started:
            self._started = True
            if piece.lstrip()[:1] == b"{":
                self._hits = _HITS + _JSON_HITS
        self._scan.size_bytes += len(piece)
        if self._scan.binary_line is None and self._scan.size_bytes <= 2 * _PIECE and b"\0" in piece:
            self._scan.binary_line = self._last_line() + piece.count(b"\n", 0, piece.index(b"\0"))
        return self._cut(piece)

    def _last_line(self) -> int:
        return self.number + self._newlines

    def _cut(self, piece: bytes) -> bytes:
        """The piece without what exceeds the limit of one line; a piece is no longer than that limit."""
        newline = piece.find(b"\n")
        if self._cutting:
            if newline < 0:
                return b""
            self._cutting, self._tail = False, 0
            return piece[newline:]
        room = LINE_LIMIT - self._tail
        if (newline if newline >= 0 else len(piece)) <= room:
            return piece
        self._scan.cut_lines += 1
        if self._scan.first_cut_line is None:
            self._scan.first_cut_line = self._last_line()
        self._cutting = newline < 0
        return piece[:room] + (piece[newline:] if newline >= 0 else b"")

    def _append(self, piece: bytes) -> None:
        """Go on with a piece; what was searched and is too far back for any report is let go."""
        size = len(piece)
        start = piece.rfind(b"\n", 0, max(size - LOOKBACK, 0)) + 1
        if start:
            seam = self._buffer[self._searched :] + piece[:_LONGEST]
            behind = len(self._buffer)
            if self._find_in(seam, 0, self._searched) is None and self._find_in(piece, 0, behind) is None:
                self._tail = size - piece.rfind(b"\n") - 1
                newlines = piece.count(b"\n")
                left = piece.count(b"\n", start)
                self.number += self._newlines + newlines - left
                self._newlines = left
                self._buffer = piece
                self._forget(behind)
                self._position = start
                self._searched = size - _LONGEST
                return
        self._merge(piece)

    def _merge(self, piece: bytes) -> None:
        newline = piece.rfind(b"\n")
        self._tail = len(piece) - newline - 1 if newline >= 0 else self._tail + len(piece)
        self._newlines += piece.count(b"\n")
        self._buffer = self._buffer[self._position :] + piece
        self._searched -= self._position
        self._forget(self._position)
        self._position = 0

    def _forget(self, count: int) -> None:
        """The buffer's first bytes are gone."""
        self._head_left -= count
        self._watch_left -= count


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in pieces no longer than a line may be; UTF-16, as Windows shells write it, as UTF-8."""
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if len(start) >= 2:
            break
    wide = start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for chunk in _coalesced(chain((start,), rest)):
        text = decoder.decode(chunk).encode("utf-8", "replace") if wide else chunk
        for offset in range(0, len(text), _PIECE):
            yield text[offset : offset + _PIECE] if len(text) > _PIECE else text


def _coalesced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """No small chunks but the last: each costs a look at all that came shortly before it."""
    small: list[bytes] = []
    size = 0
    for chunk in chunks:
        if not small and len(chunk) >= _BLOCK:
            yield chunk
            continue
        small.append(chunk)
        size += len(chunk)
        if size >= _BLOCK:
            yield b"".join(small)
            small, size = [], 0
    if small:
        yield b"".join(small)
