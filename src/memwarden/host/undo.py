r"""The lines of the undo journal: what was changed, and what it was before.

::

    memwarden-undo/1 8c9ed1c7-9a52-4bd5-a30a-7b1a2f9e7f5b
    7d1c3f02 1 high 4242 /app.slice max 104857600
    0e5a99c1 2 freeze 4243 /app.slice/web\040one - -
    5b0e7a11 3 done 1 - - -

A line is the CRC-32 of the rest, a number, what was done, the identity (inode, or start time in ticks), the
cgroup's path or the pid, the value before and the value written. ``done`` names the number of the line that
was undone. Blanks and what cannot be printed stand as ``\ooo``, as in ``/proc/self/mountinfo``.
"""

from __future__ import annotations

import os
from binascii import crc32
from typing import Final, NamedTuple

from memwarden.kernel.escapes import unescape
from memwarden.state.intents import CgroupId, ProcessId, Target
from memwarden.units import size

FORMAT: Final = "memwarden-undo/1"
HIGH: Final = "high"
FREEZE: Final = "freeze"
STOP: Final = "stop"
HOOK: Final = "hook"
KINDS: Final = (HIGH, FREEZE, STOP, HOOK)
DONE: Final = "done"
FILES: Final = {HIGH: "memory.high", FREEZE: "cgroup.freeze"}
_NOTHING: Final = "-"
NUMBERS: Final = 10**18
"""No entry has a greater number: so many are not written in the time that a machine runs."""
IDENTITIES: Final = 1 << 64
"""No inode is greater, no start time and no limit."""
PIDS: Final = (1 << 31) - 1
"""The greatest ``pid_t``, which is what the kernel can be asked for."""


class Entry(NamedTuple):
    """One change to be undone.

    ``high``: memory.high of a cgroup, from ``was`` to ``now``. ``freeze``: a cgroup was frozen. ``stop``: a
    process was stopped. ``hook``: a program of ours runs.
    """

    number: int
    kind: str
    target: Target
    was: str = ""
    now: str = ""


def said(entry: Entry) -> str:
    """A change in words."""
    target = entry.target
    if isinstance(target, CgroupId):
        if entry.kind == FREEZE:
            return f"{target.path} was frozen"
        return f"{target.path} had memory.high {_size(entry.now)}, and {_size(entry.was)} before"
    return f"pid {target.pid} {'was stopped' if entry.kind == STOP else 'is a hook that was still running'}"


def _size(value: str) -> str:
    return size(int(value)) if value.isdecimal() else value


def header(boot: str) -> bytes:
    """The first line; cgroups, and so all of this, do not outlive the boot it names."""
    return f"{FORMAT} {boot}\n".encode()


def damaged_header(data: bytes) -> int:
    """How many lines are lost with a first line that is not of this boot.

    None where that is a journal of an earlier boot, which is void, or was torn in its first line, which is
    written before any entry.
    """
    known = FORMAT.encode() + b" "
    return 0 if data.startswith(known) or known.startswith(data) else max(1, data.count(b"\n"))


def line(entry: Entry) -> bytes:
    """An entry as a line."""
    target = entry.target
    if isinstance(target, CgroupId):
        where, identity = target.path, target.inode
    else:
        where, identity = str(target.pid), target.start_time_ticks
    words = (entry.number, entry.kind, identity, _escape(where), entry.was or _NOTHING, entry.now or _NOTHING)
    return _summed(" ".join(map(str, words)))


def done_line(number: int, of: int) -> bytes:
    """The line that says that an entry was undone."""
    return _summed(f"{number} {DONE} {of} {_NOTHING} {_NOTHING} {_NOTHING}")


def _summed(text: str) -> bytes:
    body = text.encode()
    return b"%08x %s\n" % (crc32(body), body)


class Read(NamedTuple):
    """A journal: what is not undone yet, the last number, and how many lines were damaged or torn."""

    entries: dict[int, Entry]
    last: int
    damaged: int


def read(data: bytes) -> Read:
    """The entries of a journal without its header. A line with a wrong sum is counted and left out.

    The torn last line of a writer that was killed is one of them: what it announced had not happened. So is
    a line with a right sum that this guard would not have written: it is known of nobody what that was for.
    """
    entries: dict[int, Entry] = {}
    last = damaged = 0
    for one in data.split(b"\n"):
        if not one:
            continue
        try:
            words = _words(one)
            number = _number(words[0], NUMBERS)
            if words[1] == DONE:
                entries.pop(_number(words[2], NUMBERS), None)
            else:
                entries[number] = _entry(number, words)
        except ValueError:
            damaged += 1
        else:
            last = max(last, number)
    return Read(entries, last, damaged)


def _words(one: bytes) -> list[str]:
    """The six words of a line; raises ``ValueError``, as all below does, for what we have not written."""
    given, _, body = one.partition(b" ")
    words = body.decode("ascii").split(" ")
    if given != b"%08x" % crc32(body) or len(words) != 6:
        raise ValueError
    return words


def _entry(number: int, words: list[str]) -> Entry:
    _, kind, identity, where, was, now = words
    target: Target
    if kind in FILES:
        path = os.fsdecode(unescape(where).encode("latin-1"))
        if not path.startswith("/") or "\0" in path:
            raise ValueError
        target = CgroupId(path, _number(identity, IDENTITIES))
    elif kind in KINDS:
        target = ProcessId(_number(where, PIDS), _number(identity, IDENTITIES))
    else:
        raise ValueError
    if kind == HIGH:
        for limit in (was, now):
            if limit != "max":
                _number(limit, IDENTITIES)
        return Entry(number, kind, target, was, now)
    if was != _NOTHING or now not in (_NOTHING, "1"):
        raise ValueError
    return Entry(number, kind, target, now="" if now == _NOTHING else now)


def _number(word: str, most: int) -> int:
    if not word.isdecimal() or len(word) > len(str(most)) or int(word) > most:
        raise ValueError
    return int(word)


def _escape(path: str) -> str:
    return "".join(
        chr(byte) if 0x21 <= byte < 0x7F and byte != 0x5C else f"\\{byte:03o}" for byte in os.fsencode(path)
    )
