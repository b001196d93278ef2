r"""The escapes of /dev/kmsg, and which messages are one line however many newlines they hold.

``kernel/printk/printk.c:msg_add_ext_text`` writes every byte below a blank or above ``~``, and the backslash,
as ``\x`` and two hex digits. A newline ends a line of a message of several (the counters of Mem-Info, the
statistics of a cgroup), or stands in the name of a process or cgroup.
"""

from __future__ import annotations

import re
from typing import Final

RECORD: Final = re.compile(r"\s*\d{1,4},\d+,\d+,[^;]{1,120};")
"""The front of a record of /dev/kmsg."""
ONE_LINE: Final = frozenset(
    ("kill", "oom-kill", "row", "header", "cpu", "task-in", "group", "stats", "reaper")
)
"""Kinds of messages that name a process or a cgroup."""
_ESCAPED: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")


def unescape(message: str) -> str:
    r"""The message as the kernel had it; what is no UTF-8 stays escaped.

    >>> unescape(r"/a\x5cx2d \xc3\xbc\xff")
    '/a\\x2d ü\\xff'
    """
    return _ESCAPED.sub(_text, message)


def _text(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "backslashreplace")
