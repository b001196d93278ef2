"""JSON: an object per line (``journalctl -o json``, container runtimes, shippers), lists, printed lists."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.postmortem.transport.records import stamp_of, text_of
from memwarden.postmortem.transport.stamp import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT: Final = ("MESSAGE", "message", "msg", "log", "text", "textPayload", "line", "body", "event", "_raw")
_NESTED: Final = ("jsonPayload", "fields", "record", "data", "kernel", "journald", "_source", "result")
_TIME: Final = ("time", "timestamp", "@timestamp", "ts", "receiveTimestamp")
_HOST: Final = ("host", "hostname", "_HOSTNAME", "node", "nodeName", "instance")
_EVENT: Final = ("involvedObject", "reportingController", "regarding")
"""A Kubernetes Event tells again what a kernel line said; it is no kill of its own."""
_DEEPEST: Final = 6
"""Levels of lists and objects that are looked into for entries."""
_MEMBER: Final = re.compile(r'\s*(?:"([\w@.-]{1,64})"\s*:\s*(\S.*)|[\[\]{},]{1,4}\s*)')
_SECONDS: Final = re.compile(r"\d+\.\d+")


class Member(NamedTuple):
    """What one line of printed JSON says: the text of an entry, or the ``time`` of ``dmesg``, or neither."""

    text: str | None = None
    seconds: str | None = None


def parse_json(line: str) -> list[tuple[Stamp, list[str]]]:
    """Messages of a line that is JSON: where each comes from, and its lines; none where it holds none.

    A line is one entry as a rule; ``aws logs`` and other programs print a list of all, Loki's interface pairs
    of time and text.
    """
    try:
        return list(_entries(json.loads(line), _DEEPEST))
    except (ValueError, RecursionError):
        return []


def _entries(value: object, levels: int) -> Iterator[tuple[Stamp, list[str]]]:
    if isinstance(value, dict):
        entry = _entry(value)
        if entry is not None:
            yield entry
            return
        value = list(value.values())
    if not isinstance(value, list) or not levels:
        return
    if _are_pairs(value):
        # Newest first unless asked otherwise.
        for _, text in value if value[0][0] <= value[-1][0] else reversed(value):
            yield Stamp(), text.rstrip("\n").split("\n")
        return
    for inner in value:
        if isinstance(inner, dict | list):
            yield from _entries(inner, levels - 1)


def _are_pairs(values: list[Any]) -> bool:
    """``[["1715266358123456789", "text"], ...]``."""
    return bool(values) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str) and str(pair[0]).isdecimal()
        for pair in values
    )


def _entry(fields: dict[str, object]) -> tuple[Stamp, list[str]] | None:
    text = _first(fields, _TEXT)
    if not text:
        return None
    lines = text.rstrip("\n").split("\n")
    if "MESSAGE" in fields:
        return stamp_of({name: text_of(value) for name, value in fields.items()}), lines
    if any(name in fields for name in _EVENT):
        lines = []
    return Stamp(_first(fields, _TIME) or None, _first(fields, _HOST) or None), lines


def parse_member(line: str) -> Member | None:
    """A line of JSON that was printed over several lines; ``None`` where it cannot be one.

    ``dmesg --json``, ``aws logs get-log-events``, ``gcloud logging read``.

    >>> parse_member('         "msg": "Mem-Info:"'), parse_member('},{'), parse_member("Mem-Info:")
    (Member(text='Mem-Info:', seconds=None), Member(text=None, seconds=None), None)
    """
    found = _MEMBER.fullmatch(line)
    if found is None:
        return None
    name, value = found[1], (found[2] or "").rstrip().removesuffix(",")
    if name == "time" and _SECONDS.fullmatch(value):
        return Member(seconds=value)
    if name not in _TEXT or value[:1] != '"':
        return Member()
    try:
        return Member(text_of(json.loads(value)))
    except ValueError:
        return Member()


def _first(fields: dict[str, object], names: tuple[str, ...]) -> str:
    """The first text under one of the names, also one level down."""
    for name in names:
        if text := text_of(fields.get(name)):
            return text
    for outer in _NESTED:
        inner = fields.get(outer)
        if isinstance(inner, dict) and (
            text := _first({k: v for k, v in inner.items() if k in names}, names)
        ):
            return text
    return ""
