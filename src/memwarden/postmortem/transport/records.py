"""Journal records that spread over lines: ``journalctl -o export``, ``verbose`` and ``json-pretty``.

A record is a run of ``FIELD=value`` lines; the message is one of them, and host and time may stand
behind it. systemd's *Journal Export Formats*: a value that is not plain text is written as the field's
name alone, a 64-bit little-endian length, and the value, which may hold newlines.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from memwarden.postmortem.transport.stamp import Stamp, unix_time

_FIELD: Final = re.compile(r"[ \t]*(_{0,2}[A-Z][A-Z0-9_]{0,63})(?:=(.*))?$", re.DOTALL)
_PRETTY: Final = re.compile(
    r'[ \t]*"(_{0,2}[A-Z][A-Z0-9_]{0,63})"\s*:\s*("(?:[^"\\]|\\.)*"|null|\[.*\]),?\s*$'
)
_HEAD: Final = re.compile(r"\w{2,5} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \S+ \[s=[0-9a-f]+;")
_LENGTH: Final = re.compile(r".{0,12}?\0{5,7}", re.DOTALL)
_OPENERS: Final = ("MESSAGE", "__CURSOR")
_LONGEST: Final = 2_000
"""Lines of one record; what goes on longer is none."""
_BETWEEN: Final = frozenset(("", "{", "}", "},", "[", "]"))


class Record(NamedTuple):
    """One message: the number of its line, where it comes from, and its lines."""

    line: int
    stamp: Stamp
    lines: list[str]


def stamp_of(fields: dict[str, str]) -> Stamp:
    """Where a journal record comes from, by its fields."""
    kernel = fields.get("_TRANSPORT", "kernel") == "kernel" or fields.get("SYSLOG_IDENTIFIER") == "kernel"
    mono = fields.get("_SOURCE_MONOTONIC_TIMESTAMP") or fields.get("_SOURCE_BOOTTIME_TIMESTAMP")
    mono = mono or fields.get("__MONOTONIC_TIMESTAMP")
    wall = fields.get("_SOURCE_REALTIME_TIMESTAMP") or fields.get("__REALTIME_TIMESTAMP")
    return Stamp(unix_time(wall), fields.get("_HOSTNAME"), _seconds(mono), kernel=kernel)


def _seconds(microseconds: str | None) -> str | None:
    if microseconds is None or not microseconds.isdecimal():
        return None
    return f"{int(microseconds) // 1_000_000}.{int(microseconds) % 1_000_000:06d}"


class Records:
    """Takes lines as they come; knows which belong to records, and hands out records when they end."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._message: list[str] = []
        self._line = 0
        self._binary = ""
        self._taken = 0
        self.open = False
        """Whether a record has begun and not ended."""

    def take(self, line: int, text: str) -> tuple[bool, Record | None]:
        """Whether the line belongs to a record, and the record that it ends, if any."""
        self._taken += 1
        if self._taken > _LONGEST:
            self.end()
            return False, None
        if self._binary:
            return True, self._value(line, text)
        found = _PRETTY.match(text) or _FIELD.match(text)
        if found is None or (not self.open and found[1] not in _OPENERS):
            if _HEAD.match(text):
                record = self.end()
                self.open = True
                return True, record
            return self._other(text)
        record = self.end() if found[1] in self._fields or found[1] == "__CURSOR" else None
        self.open = True
        if found[2] is None:
            self._binary = found[1]
            self._fields[found[1]] = ""
            self._line = line + 1 if found[1] == "MESSAGE" else self._line
            return True, record
        value = _plain(found[2]) if found.re is _PRETTY else found[2]
        self._fields[found[1]] = value
        if found[1] == "MESSAGE":
            self._line, self._message = line, value.split("\n")
        return True, record

    def _other(self, text: str) -> tuple[bool, Record | None]:
        """A line that is no field: the blank line or brace between records, or the end of them all."""
        if text.strip() in _BETWEEN:
            return self.open or text.strip() != "", self.end()
        if not self.open:
            return False, None
        if text[:1] in (" ", "\t"):
            # -o verbose indents the further lines of a message
            self._message.append(text)
            return True, None
        return False, self.end()

    def _value(self, line: int, text: str) -> Record | None:
        """A line of a value with a length; the value ends where the next field begins."""
        length = _LENGTH.match(text)
        if length is not None:
            text = text[length.end() :]
        elif (_FIELD.match(text) and "=" in text) or not text:
            if self._message or self._binary != "MESSAGE" or text:
                self._binary = ""
                return self.take(line, text)[1]
            return None
        if self._binary == "MESSAGE":
            self._message.append(text)
        return None

    def end(self) -> Record | None:
        """The record that was being read, if it holds a message."""
        record = Record(self._line, stamp_of(self._fields), self._message) if self._message else None
        self._fields, self._message, self._binary, self.open = {}, [], "", False
        self._taken = 0
        return record


def _plain(value: str) -> str:
    """A JSON string, or an array of bytes, as text; what is neither is empty."""
    try:
        return text_of(json.loads(value))
    except ValueError:
        return ""


def text_of(value: object) -> str:
    """The text of a JSON value: a string, or the bytes of an array."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value).decode("utf-8", "backslashreplace")
    return ""
