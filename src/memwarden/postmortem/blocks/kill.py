"""The kill lines of all ages, and what follows them.

``mm/oom_kill.c:__oom_kill_process`` and ``oom_kill_process`` (before 5.1 two lines: ``Kill process A
... or sacrifice child`` names the task with the highest score, ``Killed process B`` the one that got
SIGKILL); ``oom_reap_task`` for ``oom_reaper:``; RHEL 6 and 7 put ``UID n,`` before or after the comm.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class KillLine(NamedTuple):
    """One ``Killed process`` line. kB as printed; ``reason`` is the text before it, without the colon."""

    reason: str
    pid: int
    comm: str | None
    uid: int | None
    total_vm_kb: int | None
    anon_rss_kb: int | None
    file_rss_kb: int | None
    shmem_rss_kb: int | None
    pgtables_kb: int | None
    oom_score_adj: int | None
    whole: bool


class Choice(NamedTuple):
    """``Kill process PID (comm) score N or sacrifice child``: the task that was selected."""

    reason: str
    pid: int
    comm: str
    score: int | None
    sharing: bool


class Reaped(NamedTuple):
    """``oom_reaper: reaped process`` (``done``) or ``unable to reap pid``; kB left behind."""

    pid: int
    comm: str | None
    done: bool
    anon_rss_kb: int | None


_KILLED: Final = re.compile(r"(?P<reason>[^:]*?):? ?\bKilled\s+process\s+(?P<pid>\d+)(?P<rest>.*)", re.DOTALL)
_COMM: Final = re.compile(
    r"(?:, UID (\d+),)? *\((.{0,64})\)(?=,? UID \d|,? total-vm|,? vsz:|\.?,?\s*$)(?:, UID (\d+),?)?",
    re.DOTALL,
)
_FIELD: Final = re.compile(r"(total-vm|vsz|anon-rss|file-rss|shmem-rss|pgtables): ?(\d+) ?kB")
_UID: Final = re.compile(r"\bUID: ?(\d+)(?= |,|$)")
_ADJ: Final = re.compile(r"\boom_score_adj: ?(-?\d+)(?=\s|$)")
_CHOICE: Final = re.compile(
    r"(?P<reason>[^:]*?):? ?\b[Kk]ill process (?P<pid>\d+) \((?P<comm>.{0,64})\)"
    r"(?: score (?P<score>-?\d+)| (?P<sharing>sharing same memory))?"
)
_REAPED: Final = re.compile(
    r"oom_reaper: reaped process:? ?(\d+)(?: \((.{0,64})\))?(?:,? now anon-rss: ?(\d+)kB)?"
)
_UNABLE: Final = re.compile(r"oom_reaper: unable to reap pid:? ?(\d+)(?: \((.{0,64})\))?")
_GROUP: Final = re.compile(r"Tasks in (.*) are going to be killed due to memory\.oom\.group set")


def parse_kill(message: str) -> KillLine | None:
    """Read a ``Killed process`` line, whole or cut behind the pid; ``None`` for another line.

    >>> parse_kill("Out of memory: Killed process 7 (a) b) total-vm:8kB, anon-rss:4kB, file-rss:0kB")[:4]
    ('Out of memory', 7, 'a) b', None)
    """
    found = _KILLED.match(message)
    if found is None:
        return None
    rest = found["rest"]
    named = _COMM.match(rest)
    fields = {key: int(value) for key, value in _FIELD.findall(rest)}
    uid = _UID.search(rest)
    adj = _ADJ.search(rest)
    printed_uid = (named and (named[1] or named[3])) or (uid[1] if uid else None)
    return KillLine(
        reason=found["reason"].strip(),
        pid=int(found["pid"]),
        comm=named[2] if named else None,
        uid=int(printed_uid) if printed_uid else None,
        total_vm_kb=fields.get("total-vm", fields.get("vsz")),
        anon_rss_kb=fields.get("anon-rss"),
        file_rss_kb=fields.get("file-rss"),
        shmem_rss_kb=fields.get("shmem-rss"),
        pgtables_kb=fields.get("pgtables"),
        oom_score_adj=int(adj[1]) if adj else None,
        whole="file-rss" in fields or rest.rstrip(" .").endswith(")"),
    )


def parse_choice(message: str) -> Choice | None:
    """Read ``Kill process ...``, of 2.6.24 (``kill process``) to 5.0; ``None`` for another line."""
    found = _CHOICE.match(message)
    if found is None:
        return None
    score = found["score"]
    return Choice(
        found["reason"].strip(),
        int(found["pid"]),
        found["comm"],
        int(score) if score else None,
        found["sharing"] is not None,
    )


def parse_reaper(message: str) -> Reaped | None:
    """Read a line of the reaper; ``None`` when it is cut before the pid."""
    if (found := _REAPED.match(message)) is not None:
        return Reaped(int(found[1]), found[2], True, int(found[3]) if found[3] else None)
    if (found := _UNABLE.match(message)) is not None:
        return Reaped(int(found[1]), found[2], False, None)
    return None


def parse_group(message: str) -> str | None:
    """The cgroup of ``Tasks in PATH are going to be killed due to memory.oom.group set``."""
    found = _GROUP.match(message)
    return found[1] if found else None
