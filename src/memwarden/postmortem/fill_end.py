"""The end of a report: summary line, kills, group, reaper, panic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.blocks.kill import KillLine, parse_choice, parse_group, parse_kill, parse_reaper
from memwarden.postmortem.blocks.oomkill import parse_oom_kill
from memwarden.postmortem.draft import KillDraft
from memwarden.postmortem.transport.stamp import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.postmortem.blocks.kill import Reaped
    from memwarden.postmortem.draft import Draft
    from memwarden.postmortem.transport.stamp import Stamp

_GROUP_GAP_US: Final = 100_000
_GROUP_GAP_LINES: Final = 4
"""Kills of one group follow each other within this, also on a slow console and with broken lines."""


def oom_kill(draft: Draft, line: int, message: str) -> bool:
    """``oom-kill:constraint=...``."""
    draft.oom_kill = parse_oom_kill(message)
    draft.oom_kill_line = line
    draft.oom_kill_text = message
    draft.mark("oom-kill", line, message)
    return True


def oom_kill_rest(draft: Draft, line: int, message: str) -> bool:
    """The rest of a summary that another CPU's lines split."""
    if draft.oom_kill is None or draft.oom_kill.pid is not None:
        return False
    draft.oom_kill_text += message
    draft.oom_kill = parse_oom_kill(draft.oom_kill_text)
    draft.mark("oom-kill", line, message)
    return True


def kill(draft: Draft, line: int, message: str) -> bool:
    """``Killed process ...``; a pid that was killed before is the same victim."""
    parsed = parse_kill(message)
    if parsed is None:
        return choice(draft, line, message)
    draft.block = "end"
    draft.mark("kill", line, message)
    known = draft.kills.get(parsed.pid)
    if known is None:
        draft.kills[parsed.pid] = KillDraft(line, parsed, _via(draft, parsed))
    elif known.kill.total_vm_kb is None:
        known.kill = parsed
    return True


def _via(draft: Draft, kill_line: KillLine) -> str:
    if "oom_kill_allocating_task" in kill_line.reason:
        return "allocating-task"
    if draft.kills:
        return "oom.group" if draft.group_path is not None else "other"
    chosen = draft.choice
    if chosen is not None and chosen.pid != kill_line.pid and chosen.comm != kill_line.comm:
        return "selected" if _thread_of(draft, chosen.pid, kill_line.pid) else "other"
    return "selected"


def _thread_of(draft: Draft, thread: int, leader: int) -> bool:
    """Whether the table lists ``thread`` under ``leader``; the kernel kills the leader's whole group."""
    if "tgid" not in draft.columns:
        return False
    place = draft.columns.index("tgid")
    return any(row.pid == thread and row.numbers[place] == leader for row in draft.rows)


def choice(draft: Draft, line: int, message: str) -> bool:
    """``Kill process A (comm) score N or sacrifice child``, or a task that shares the victim's memory."""
    parsed = parse_choice(message)
    if parsed is None:
        return False
    if parsed.sharing:
        draft.sharing.append((line, parsed))
        draft.mark("kill", line, message)
    else:
        draft.choice = parsed
        draft.mark("kill-choice", line, message)
    return True


def group(draft: Draft, line: int, message: str) -> bool:
    """``Tasks in PATH are going to be killed due to memory.oom.group set``."""
    path = parse_group(message)
    if path is None:
        return False
    draft.group_path = path
    draft.mark("group", line, message)
    return True


def reaper(draft: Draft, line: int, message: str) -> bool:
    """``oom_reaper: ...``; it works on its own time and may speak of an earlier victim."""
    parsed = parse_reaper(message)
    if parsed is None:
        return False
    if not draft.is_oom:
        draft.kills[parsed.pid] = KillDraft(line, _nothing_but(parsed), "other")
    if (known := draft.kills.get(parsed.pid)) is not None:
        draft.mark("reaper", line, message)
        known.reaped, known.left_anon_kb = parsed.done, parsed.anon_rss_kb
    return True


def _nothing_but(reaped: Reaped) -> KillLine:
    """The victim of a kill whose line is lost."""
    return KillLine("", reaped.pid, reaped.comm, None, None, None, None, None, None, None, whole=False)


def no_victim(draft: Draft, line: int, message: str) -> bool:
    """``Out of memory and no killable processes...``."""
    draft.no_killable = True
    draft.mark("no-victim", line, message)
    return True


def panic(draft: Draft, line: int, message: str) -> bool:
    """A panic is the report's own when the OOM killer raised it."""
    text = message.lower()
    if "out of memory" not in text and "deadlocked on memory" not in text:
        return False
    if "no killable" in text:
        draft.no_killable = True
    draft.panic = True
    draft.mark("panic", line, message)
    return True


def suppressed(draft: Draft, line: int, message: str) -> bool:
    """``oom_kill_process: N callbacks suppressed``: headers were held back by the rate limit."""
    if "callbacks suppressed" not in message:
        return False
    draft.mark("suppressed", line, message)
    return True


def same_report(draft: Draft, line: int, stamp: Stamp | None, message: str) -> bool:
    """Whether a kill line behind the end of a report still belongs to it.

    It does when it repeats a kill, or when the cgroup is killed as a group. Where the beginning is lost
    the group line may be lost too: then kills of a cgroup that follow each other at once are one group's.
    """
    parsed = parse_kill(message)
    if parsed is None:
        found = parse_choice(message)
        return found is not None and found.sharing
    if draft.group_path is not None or parsed.pid in draft.kills:
        return True
    headless = draft.header is None and draft.oom_kill is None and not draft.has_table
    before, now = draft.last_us, monotonic_us(stamp.mono if stamp else None)
    return (
        headless
        and not draft.held_back
        and parsed.reason.startswith("Memory cgroup")
        and before is not None
        and now is not None
        and 0 <= now - before <= _GROUP_GAP_US
        and line - draft.last_line <= _GROUP_GAP_LINES
    )


def reaped_by(drafts: Iterable[Draft], message: str) -> Draft | None:
    """The report whose victim a line of the reaper speaks of."""
    parsed = parse_reaper(message)
    if parsed is not None:
        for draft in drafts:
            if parsed.pid in draft.kills:
                return draft
    return None
