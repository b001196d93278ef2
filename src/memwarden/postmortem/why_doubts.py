"""What else is worth saying: the text is damaged, swap was shut, memory did not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import names
from memwarden.postmortem.choice_rank import may_be_chosen
from memwarden.postmortem.filled_memcg import swapped_bytes
from memwarden.postmortem.model import Statement
from memwarden.postmortem.why_lines import lines
from memwarden.postmortem.why_programs import by_program
from memwarden.units import Max, size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Cause, OomReport

LOWERED = 32
"""Usage a thirty-second above the limit is more than charges by force leave."""


def doubts(facts: Facts, cause: Cause) -> tuple[Statement, ...]:
    """The sentences that apply."""
    return (
        *_incomplete(facts),
        *_invoker(facts, cause),
        *(by_program(facts) if cause.startswith(("memcg-", "system-")) else ()),
        *_already_dying(facts),
        *_swap_shut(facts),
        *_lowered(facts),
        *_leaving(facts),
        *_locked(facts),
        *_dirty(facts),
        *_reaper(facts),
        *_suppressed(facts),
    )


def _incomplete(facts: Facts) -> tuple[Statement, ...]:
    source = facts.report.source
    if source.complete:
        return ()
    lost = source.unparsed_lines
    unread = f" ({'1 line' if lost == 1 else f'{lost} lines'} inside it could not be read)" if lost else ""
    return (Statement(f"The text does not hold the whole report{unread}; what it lacks is not guessed."),)


def _invoker(facts: Facts, cause: Cause) -> tuple[Statement, ...]:
    """Who asked is not who is to blame, except where the request itself was the trouble."""
    report = facts.report
    comm, pid = report.invoker.comm, report.invoker.pid
    if comm is None or cause == "manual":
        return ()
    who = comm if pid is None else f"{comm} (thread {pid})"
    if cause in ("fragmentation", "low-zone", "numa-bound"):
        return (Statement(f"The request that could not be met came from {who}.", lines(report, "header")),)
    if not report.victims or any(comm == victim.comm for victim in report.victims) or _is_big(report):
        return ()
    text = f"{who} only happened to ask for memory when none was left; that does not make it the cause."
    return (Statement(text, lines(report, "header")),)


def _already_dying(facts: Facts) -> tuple[Statement, ...]:
    """Nobody to kill although the table shows some that are not exempt."""
    report = facts.report
    count = sum(may_be_chosen(row) for row in report.tasks)
    if not report.no_killable or not count:
        return ()
    counted = "1 process" if count == 1 else f"{count} processes"
    text = (
        f"Not exempt by the table: {counted}. The kernel passes over processes that are already dying "
        "or whose "
        "memory it has taken back; what fills memory then is not theirs."
    )
    return (Statement(text, lines(report, "table", "no-victim"), "likely"),)


def _is_big(report: OomReport) -> bool:
    """Whether the process that asked is among the biggest itself: then it may well be the cause."""
    who = report.invoker
    sizes = {row.line: (row.rss_pages or 0) + (row.swap_pages or 0) for row in report.tasks}
    mine = [sizes[row.line] for row in report.tasks if who.pid in (row.pid, row.tgid) or row.comm == who.comm]
    return bool(mine) and max(mine) * 2 >= max(sizes.values())


def _swap_shut(facts: Facts) -> tuple[Statement, ...]:
    memcg, report = facts.report.memcg, facts.report
    if report.scope != "memcg" or memcg is None or memcg.swap_limit_bytes is None:
        return ()
    if memcg.swap_limit_bytes == 0:
        text = "The cgroup may not swap (memory.swap.max is 0), so its anonymous memory could only grow."
        return (Statement(text, lines(report, "swap")),)
    used = swapped_bytes(report) or 0
    if not isinstance(memcg.swap_limit_bytes, Max) and used * 20 >= memcg.swap_limit_bytes * 19:
        text = f"Its swap allowance (memory.swap.max {size(memcg.swap_limit_bytes)}) was used up too."
        return (Statement(text, lines(report, "swap")),)
    return ()


def _lowered(facts: Facts) -> tuple[Statement, ...]:
    hit = facts.limit
    if not hit.reached or not isinstance(hit.limit_bytes, int) or hit.usage_bytes is None:
        return ()
    if hit.usage_bytes * LOWERED < hit.limit_bytes * (LOWERED + 1):
        return ()
    text = (
        f"Usage is {size(hit.usage_bytes - hit.limit_bytes)} above the limit: somebody lowered the "
        "limit below what "
        "was in use (a resize of the container, for one), and the kernel kills until it fits."
    )
    return (Statement(text, lines(facts.report, "usage", "memsw"), "likely"),)


def _leaving(facts: Facts) -> tuple[Statement, ...]:
    """A kill while the last victim's memory was still on its way back (measured most on 7.2)."""
    fill = facts.fill
    gone = 0 if fill is None else fill.of("leaving")
    if fill is None or not fill.whole_bytes or gone * 10 < fill.whole_bytes:
        return ()
    text = (
        f"{size(gone)} belonged to a process that was just ending, most likely an earlier victim. The "
        "kernel did not "
        "wait for it: this kill may have been one too many."
    )
    return (Statement(text, lines(facts.report, "stats", "stat-line"), "possible"),)


def _locked(facts: Facts) -> tuple[Statement, ...]:
    fill = facts.fill
    if fill is None or facts.report.scope != "memcg" or not fill.whole_bytes:
        return ()
    if fill.unevictable_bytes * 10 < fill.whole_bytes:
        return ()
    text = (
        f"{size(fill.unevictable_bytes)} ({names.percent(fill.unevictable_bytes, fill.whole_bytes)}) "
        "of it was locked "
        "(mlock and the like): the kernel can neither swap nor drop it."
    )
    return (Statement(text, lines(facts.report, "stats", "stat-line")),)


def _dirty(facts: Facts) -> tuple[Statement, ...]:
    fill = facts.fill
    if fill is None or not fill.whole_bytes or fill.dirty_bytes * 4 < fill.whole_bytes:
        return ()
    text = (
        f"{size(fill.dirty_bytes)} ({names.percent(fill.dirty_bytes, fill.whole_bytes)}) was file "
        "data not yet written to disk "
        "(dirty or writeback): it cannot be freed before it is written."
    )
    return (Statement(text, lines(facts.report, "stats", "stat-line", "mem-info")),)


def _reaper(facts: Facts) -> tuple[Statement, ...]:
    report = facts.report
    for victim in report.victims:
        if victim.reaped is False:
            text = (
                f"The memory of {names.process(victim)} could not be taken back at once (oom_reaper "
                "gave up); it came free only when the process ended."
            )
            return (Statement(text, lines(report, "reaper")),)
        left = victim.reaper_left_anon_bytes
        if left and left * 2 > (victim.anon_rss_bytes or 0):
            text = (
                f"After the kill {size(left)} of {names.process(victim)} stayed: locked memory "
                "(mlock) or huge pages, which the reaper does not touch."
            )
            return (Statement(text, lines(report, "reaper"), "likely"),)
    return ()


def _suppressed(facts: Facts) -> tuple[Statement, ...]:
    found = lines(facts.report, "suppressed")
    if not found:
        return ()
    return (
        Statement(
            "More kills happened than the log shows in full: the kernel prints at most 10 reports in 5 s.",
            found,
        ),
    )
