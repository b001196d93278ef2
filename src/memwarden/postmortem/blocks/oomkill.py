"""The one-line summary ``oom-kill:constraint=...,task=...,pid=...,uid=...``.

``mm/oom_kill.c:dump_oom_victim`` since v5.0 (``dump_header`` before v5.x split them; RHEL 8 carries it in
4.18). The part about cpusets is missing without CONFIG_CPUSETS, the part about cgroups without CONFIG_MEMCG.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class OomKill(NamedTuple):
    """Fields as printed; ``None`` for those that are missing or cut off."""

    constraint: str | None
    nodemask: str | None
    cpuset: str | None
    mems_allowed: str | None
    oom_memcg: str | None
    global_oom: bool
    task_memcg: str | None
    comm: str | None
    pid: int | None
    uid: int | None


_CONSTRAINT: Final = re.compile(r"oom-kill:\s*constraint=(\w+)")
_NODEMASK: Final = re.compile(r",nodemask=(\(null\)|[\d,-]*\d)")
_ALLOWED: Final = re.compile(r"[\d,-]*\d")
_OOM_MEMCG: Final = re.compile(r",oom_memcg=(.*?)(?:,task_memcg=|$)")
_TASK_MEMCG: Final = re.compile(r",task_memcg=(.*?)(?:,task=|$)")
_TASK: Final = re.compile(r",task=(.*?)(?:,pid=(\d+)?(?:,uid=(\d+)?)?)?\s*$")
_WHOLE: Final = re.compile(r",uid=\d+\s*$")


def parse_oom_kill(message: str) -> OomKill:
    """Read the summary, whole or cut. The comm may hold commas, so the line is read from its right end.

    A value that the end of a cut line may have shortened (path, pid) is dropped unless what follows
    it is there.
    """
    constraint = _CONSTRAINT.match(message)
    nodemask = _NODEMASK.search(message)
    cpuset, mems_allowed = _cpuset(message)
    task = _last(_TASK, message)
    whole = _WHOLE.search(message) is not None
    return OomKill(
        constraint=constraint[1] if constraint else None,
        nodemask=nodemask[1] if nodemask else None,
        cpuset=cpuset,
        mems_allowed=mems_allowed,
        oom_memcg=_path(_OOM_MEMCG, message, ",task_memcg="),
        global_oom=",global_oom" in message,
        task_memcg=_path(_TASK_MEMCG, message, ",task="),
        comm=task[1] if task and task[2] else None,
        pid=int(task[2]) if task and task[2] and ",uid" in task[0] else None,
        uid=int(task[3]) if task and task[3] and whole else None,
    )


def _cpuset(text: str) -> tuple[str | None, str | None]:
    """Name and nodes; a list of nodes holds commas, but every field after it begins with a letter."""
    before, found, after = text.partition(",cpuset=")[2].partition(",mems_allowed=")
    allowed = _ALLOWED.match(after)
    return (before, allowed[0] if allowed else None) if found else (None, None)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The match that starts furthest right: ``,task=`` may occur in a path, hardly in a comm."""
    start = text.rfind(",task=")
    return pattern.match(text, start) if start >= 0 else None


def _path(pattern: re.Pattern[str], text: str, follower: str) -> str | None:
    found = pattern.search(text)
    if found is None or not found[1].startswith("/"):
        return None
    if follower in text:
        return found[1]
    # Cut behind the comma, or within the next field's name: the path is whole.
    path, comma, rest = found[1].rpartition(",")
    return path if comma and follower[1:].startswith(rest.rstrip("> ")) else None
