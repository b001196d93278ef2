"""One JSON object per line: ``journalctl -o json``, container runtimes, log shippers."""

from __future__ import annotations

import json
from typing import Final, cast

from memwarden.postmortem.transport.records import stamp_of, text_of
from memwarden.postmortem.transport.stamp import Stamp

_TEXT: Final = ("MESSAGE", "message", "msg", "log", "text", "textPayload", "line", "body", "event")
_NESTED: Final = ("jsonPayload", "fields", "record", "data", "kernel", "journald")
_TIME: Final = ("time", "timestamp", "@timestamp", "ts", "receiveTimestamp")
_HOST: Final = ("host", "hostname", "_HOSTNAME", "node", "nodeName", "instance")
_EVENT: Final = ("involvedObject", "reportingController", "regarding")
"""A Kubernetes Event tells again what a kernel line said; it is no kill of its own."""


def parse_json(line: str) -> tuple[Stamp, list[str]] | None:
    """Where the message of a line that begins with ``{`` comes from, and its lines; ``None`` without one."""
    try:
        fields = cast("dict[str, object]", json.loads(line))
    except (ValueError, RecursionError):
        return None
    text = _first(fields, _TEXT)
    if not text:
        return None
    lines = text.rstrip("\n").split("\n")
    if "MESSAGE" in fields:
        return stamp_of({name: text_of(value) for name, value in fields.items()}), lines
    if any(name in fields for name in _EVENT):
        lines = []
    return Stamp(_first(fields, _TIME) or None, _first(fields, _HOST) or None), lines


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
