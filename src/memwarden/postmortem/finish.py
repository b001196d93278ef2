"""A draft becomes an :class:`OomReport`: units, scope, page size, what the text leaves open."""

from __future__ import annotations

from heapq import nlargest
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from memwarden.postmortem.blocks.tasks import row_builder
from memwarden.postmortem.finish_memory import memcg_facts, node_facts
from memwarden.postmortem.model import (
    HostInfo,
    Invoker,
    Mark,
    OomReport,
    Source,
    TaskRow,
    Victim,
    When,
)
from memwarden.postmortem.pagesize import page_size
from memwarden.postmortem.scope import scope_of
from memwarden.postmortem.traits import infer_traits
from memwarden.postmortem.transport.stamp import monotonic_us, wall_clock

if TYPE_CHECKING:
    from memwarden.postmortem.draft import Draft, KillDraft
    from memwarden.postmortem.model import Via

_KIB = 1024
_ROWS_MARKED = 20
"""Rows with the largest memory whose text is kept as evidence, besides those of victims and invoker."""


def finish(draft: Draft) -> OomReport:
    """Everything the lines of one report say."""
    size, basis = page_size(draft)
    tasks = _tasks(draft, size)
    scope, from_text = scope_of(draft)
    victims = _victims(draft)
    killed = _killed(draft)
    return OomReport(
        source=Source(
            draft.file, draft.first_line, draft.last_line, _complete(draft, killed), draft.unparsed
        ),
        when=When(monotonic_us(draft.stamp.mono), wall_clock(draft.stamp.wall)),
        host=HostInfo(draft.stamp.host, draft.cpu.kernel if draft.cpu else None, size, basis),
        scope=scope,
        scope_from_text=from_text,
        constraint=draft.oom_kill.constraint if draft.oom_kill else None,
        nodemask=_nodemask(draft),
        cpuset=(draft.oom_kill and draft.oom_kill.cpuset) or draft.cpuset,
        mems_allowed=(draft.oom_kill and draft.oom_kill.mems_allowed) or draft.mems_allowed,
        killed=killed,
        panic=draft.panic,
        no_killable=draft.no_killable,
        manual=_manual(draft),
        page_fault_path=_page_fault(draft),
        invoker=_invoker(draft),
        task_path=_task_path(draft),
        memcg=memcg_facts(draft),
        node=node_facts(draft.mem, size),
        table_columns=draft.columns,
        tasks=tasks,
        tasks_dropped=draft.rows_dropped,
        chosen=_chosen(draft),
        group_path=draft.group_path,
        victims=victims,
        traits=infer_traits(draft, size, basis),
        marks=_marks(draft, tasks, victims),
    )


def _tasks(draft: Draft, size: int) -> tuple[TaskRow, ...]:
    """The rows in their units; each goes as soon as it is built, so that a large table is there once."""
    if not draft.columns:
        return ()
    build = row_builder(draft.columns, size)
    rows, draft.rows = draft.rows[::-1], []
    tasks = []
    while rows:
        tasks.append(build(rows.pop()))
    return tuple(tasks)


def _nodemask(draft: Draft) -> str | None:
    if draft.oom_kill is not None and draft.oom_kill.nodemask is not None:
        return draft.oom_kill.nodemask
    return draft.header.nodemask if draft.header else None


def _manual(draft: Draft) -> bool:
    return "manual" in draft.frames or (draft.header is not None and draft.header.order == -1)


def _page_fault(draft: Draft) -> bool:
    if "memcg" in draft.frames or "allocator" in draft.frames or draft.memcg.usage:
        return False
    if "page-fault" in draft.frames:
        return True
    return (
        draft.header is not None
        and (draft.header.gfp_mask, draft.header.order) == (0, 0)
        and not draft.frames
    )


def _invoker(draft: Draft) -> Invoker:
    header = draft.header
    pid = draft.cpu.pid if draft.cpu else None
    if header is None:
        return Invoker(comm=draft.cpu.comm if draft.cpu else None, pid=pid)
    comm = header.comm or (draft.cpu.comm if draft.cpu else None)
    return Invoker(comm, pid, header.gfp_mask, header.gfp_flags, header.order, header.oom_score_adj)


def _task_path(draft: Draft) -> str | None:
    if draft.oom_kill is not None and draft.oom_kill.task_memcg is not None:
        return draft.oom_kill.task_memcg
    return draft.memcg.task_path


def _chosen(draft: Draft) -> tuple[int, str, int] | None:
    choice = draft.choice
    if choice is None or choice.score is None:
        return None
    return choice.pid, choice.comm, choice.score


def _killed(draft: Draft) -> bool | None:
    """True with a kill line, False where the text says that nobody was; else the text ends too early."""
    if draft.kills:
        return True
    return False if draft.no_killable or draft.panic else None


def _complete(draft: Draft, killed: bool | None) -> bool:
    """Header, cgroup or Mem-Info block and an end, with nothing known to be missing between."""
    header = draft.header
    return (
        header is not None
        and header.gfp_mask is not None
        and header.order is not None
        and bool(draft.memcg.usage or draft.mem.zones)
        and killed is not None
        and not draft.damaged
        and not draft.rows_dropped
        and all(known.kill.whole for known in draft.kills.values())
    )


def _victims(draft: Draft) -> tuple[Victim, ...]:
    summary = draft.oom_kill
    victims = [_victim(known, draft) for known in draft.kills.values()]
    if not victims and summary is not None and summary.pid is not None and summary.comm is not None:
        victims.append(Victim(draft.oom_kill_line, summary.pid, summary.comm, uid=summary.uid))
    victims.extend(Victim(line, shared.pid, shared.comm, via="other") for line, shared in draft.sharing)
    return tuple(victims)


def _victim(known: KillDraft, draft: Draft) -> Victim:
    kill, summary = known.kill, draft.oom_kill
    named = summary if summary is not None and summary.pid == kill.pid else None
    comm = kill.comm if kill.comm is not None else named.comm if named else None
    uid = kill.uid if kill.uid is not None else named.uid if named else None
    return Victim(
        known.line,
        kill.pid,
        comm or "",
        cast("Via", known.via),
        uid,
        _bytes(kill.total_vm_kb),
        _bytes(kill.anon_rss_kb),
        _bytes(kill.file_rss_kb),
        _bytes(kill.shmem_rss_kb),
        _bytes(kill.pgtables_kb),
        kill.oom_score_adj,
        known.reaped,
        _bytes(known.left_anon_kb),
    )


def _bytes(kb: int | None) -> int | None:
    return None if kb is None else kb * _KIB


def _marks(draft: Draft, tasks: tuple[TaskRow, ...], victims: tuple[Victim, ...]) -> tuple[Mark, ...]:
    """The kept lines in order, with the rows of victims, invoker and the largest tasks among them."""
    wanted = {victim.pid for victim in victims}
    if draft.choice is not None:
        wanted.add(draft.choice.pid)
    if draft.cpu is not None and draft.cpu.pid is not None:
        wanted.add(draft.cpu.pid)
    weights = [(task.rss_pages or 0) + (task.swap_pages or 0) for task in tasks]
    places = set(nlargest(_ROWS_MARKED, range(len(weights)), key=weights.__getitem__))
    places.update(place for place, task in enumerate(tasks) if task.pid in wanted)
    rows = [Mark("task", tasks[place].line, draft.row_texts[place]) for place in places]
    return tuple(sorted([*draft.marks, *rows], key=attrgetter("line")))
