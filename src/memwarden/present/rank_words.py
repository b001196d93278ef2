"""Who dies next, why, and who goes along: sentences for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present.text import counted, escape, size
from memwarden.rules.accounting import kernel_bytes
from memwarden.rules.eligible import Eligibility
from memwarden.rules.freed import freed_by, freed_by_all
from memwarden.rules.headroom import Headrooms
from memwarden.rules.sureness import Sureness
from memwarden.rules.victim import Outcome
from memwarden.state.traits import BadnessRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.rules.badness import Badness
    from memwarden.rules.freed import Freed
    from memwarden.rules.victim import Candidate, Ranking
    from memwarden.state.process import Process
    from memwarden.state.snapshot import Snapshot

NAMED: Final = 3
"""Processes named one by one; the rest is counted."""
MUCH: Final = 4
"""A share of a cgroup's memory above 1 in so many is worth a sentence."""

INSTEAD: Final = {
    Outcome.ALLOCATING_TASK: (
        "vm.oom_kill_allocating_task is set: whichever process asks for the page dies, "
        "not the first of this list."
    ),
    Outcome.HANG: (
        "oom_kill_disable is set: nobody is killed, and every task that needs memory here waits until "
        "the limit is raised or memory is freed."
    ),
    Outcome.NO_VICTIM: (
        "Nobody here may be killed: page faults at the limit would be tried again for ever, each task "
        "using a CPU and filling the kernel log with reports. Give one process an oom_score_adj above -1000."
    ),
    Outcome.UNKNOWN: "Nobody can be named: no process's memory could be read, or its kernel is too old.",
}


DOUBT: Final = {
    Sureness.CERTAIN: "Sure, as of this reading.",
    Sureness.LIKELY: (
        "Likely, not sure: this kernel counts memory with an error of up to {error} for both together."
    ),
    Sureness.TIE: "Not sure: a page more or less decides.",
    Sureness.PARTIAL: "Not sure: there are processes here whose memory could not be read.",
}


def headline(snapshot: Snapshot, ranking: Ranking) -> str:
    """Whose memory runs out, and what a step of oom_score_adj weighs there."""
    scope, page = ranking.scope, snapshot.traits.page_size_bytes
    weight = scope.total_pages // 1000
    unit = f"1 of oom_score_adj weighs {counted(weight, 'point')}, {size(weight * page)}"
    total = size(scope.total_pages * page)
    if scope.path is None:
        return f"If the machine ran out of memory now (RAM and swap {total}; {unit}):"
    limit = snapshot.cgroups[scope.path].max_bytes
    swap = "" if limit == scope.total_pages * page else f", with swap {total}"
    return f"If {escape(scope.path)} ran out of memory now (limit {size(limit)}{swap}; {unit}):"


def sentences(snapshot: Snapshot, ranking: Ranking, requested: str | None) -> list[str]:
    """Everything there is to say, the answer first. ``requested`` is the cgroup that was asked for."""
    return [
        *_scope_note(snapshot, ranking, requested),
        *_answer(snapshot, ranking),
        *_passed_over(snapshot, ranking),
        *_excluded(ranking),
    ]


def _scope_note(snapshot: Snapshot, ranking: Ranking, requested: str | None) -> list[str]:
    if requested is None or requested == "/":
        return []
    domain = ranking.scope.path
    if domain != requested:
        whose = "the machine's" if domain is None else f"that of {escape(domain)}"
        return [f"{escape(requested)} has no limit of its own; the nearest one is {whose}, so that counts."]
    found = Headrooms(snapshot).of(requested)
    tightest = found.effective
    if tightest is None or tightest.path == requested or found.levels[0].effective_bytes is None:
        return []
    whose = "the machine" if tightest.kind == "machine" else escape(tightest.path)
    left = size(tightest.effective_bytes)
    return [f"{whose} has less left ({left} of effective headroom) and is likely to run out first."]


def _answer(snapshot: Snapshot, ranking: Ranking) -> list[str]:
    if ranking.outcome is Outcome.PANIC:
        return [_panic(snapshot, ranking)]
    if ranking.outcome is not Outcome.KILL:
        return [INSTEAD[ranking.outcome]]
    first, victim = ranking.first, ranking.victim
    assert first is not None
    assert victim is not None
    return [
        _why(snapshot, ranking, first),
        *_sacrificed(first, victim),
        *_frees("Its death", freed_by(victim.process)),
        *_group(ranking, victim),
        *_stays(snapshot, ranking),
        DOUBT[ranking.sureness].format(error=size(ranking.error_pages * snapshot.traits.page_size_bytes)),
    ]


def _panic(snapshot: Snapshot, ranking: Ranking) -> str:
    told = snapshot.sysctl.get("panic_on_oom", 0)
    if told:
        return f"The machine panics instead of killing anybody: vm.panic_on_oom is {told}."
    return "The machine panics: there is nobody left who may be killed."


def _why(snapshot: Snapshot, ranking: Ranking, first: Candidate) -> str:
    text = f"{name(first.process)} is killed: {_sum(snapshot, first.badness)}"
    if ranking.margin is None:
        return f"{text}, and it is the only candidate."
    second = name(ranking.candidates[1].process)
    if ranking.margin:
        return f"{text}, {ranking.margin}{_in_bytes(snapshot, ranking.margin)} more than {second}."
    visit = "first" if snapshot.traits.last_of_equals is False else "last"
    return f"{text}, the same as {second}; of equals the kernel takes the {visit} it visits."


def _sum(snapshot: Snapshot, badness: Badness) -> str:
    """The kernel's sum: ``44.6 MiB resident + 136 KiB of page tables = 11456 points (pages)``."""
    page = snapshot.traits.page_size_bytes
    text = f"{size(badness.rss_pages * page)} resident"
    for pages, what in (
        (badness.swap_pages, "in swap"),
        (badness.pgtables_pages, "of page tables"),
        (badness.root_bonus_pages, "of root's bonus"),
        (badness.adj_pages, f"for oom_score_adj {badness.oom_score_adj}"),
    ):
        if pages:
            text += f" {'+' if pages > 0 else '-'} {size(abs(pages) * page)} {what}"
    unit = "pages" if _in_pages(snapshot) else "thousandths"
    equals = ", but at least" if badness.raised else " ="
    return f"{text}{equals} {counted(badness.points, 'point')} ({unit})"


def _in_pages(snapshot: Snapshot) -> bool:
    return snapshot.traits.badness is not BadnessRule.PERMILLE


def _in_bytes(snapshot: Snapshot, points: int) -> str:
    return f" ({size(points * snapshot.traits.page_size_bytes)})" if _in_pages(snapshot) else ""


def _sacrificed(first: Candidate, victim: Candidate) -> list[str]:
    if victim is first:
        return []
    return [
        f"This kernel sacrifices a child of the process selected: {name(victim.process)} dies in its place."
    ]


def _group(ranking: Ranking, victim: Candidate) -> list[str]:
    group = ranking.group
    if group is None:
        return []
    others = [process for process in group.killed if process.pid != victim.process.pid]
    text = f"memory.oom.group is set on {escape(group.path)}: "
    text += (
        f"{_names(others)} {'dies' if len(others) == 1 else 'die'} too" if others else "nobody else is in it"
    )
    if group.spared:
        text += f"; {_names(group.spared)} {'is' if len(group.spared) == 1 else 'are'} spared"
    return [f"{text}.", *(_frees("Together their deaths", freed_by_all(group.killed)) if others else ())]


def _frees(whose: str, freed: Freed) -> list[str]:
    if freed.memory_bytes is None:
        return []
    verb = "free" if whose.endswith("s") else "frees"
    swap = f" and {size(freed.swap_bytes)} of swap" if freed.swap_bytes else ""
    return [f"{whose} {verb} at most {size(freed.memory_bytes)}{swap} at once."]


def _stays(snapshot: Snapshot, ranking: Ranking) -> list[str]:
    """What no kill gives back, where it is much of a cgroup: then the killing goes on."""
    cgroup = snapshot.cgroups.get(ranking.scope.path or "")
    if cgroup is None or cgroup.stat is None or not cgroup.current_bytes:
        return []
    stat = {key: value for key, value in cgroup.stat.items() if isinstance(value, int)}
    kernel = kernel_bytes(stat)[0] - stat.get("pagetables", 0) - stat.get("kernel_stack", 0)
    kinds = (
        ("in tmpfs or shared memory (shmem), which stays when its users die", stat.get("shmem", 0)),
        ("the kernel's (slab, pipes, sockets), which mostly stays", kernel + stat.get("sock", 0)),
    )
    return [
        f"{size(held)} of the {size(cgroup.current_bytes)} in {escape(cgroup.path)} is {what}."
        for what, held in kinds
        if held * MUCH > cgroup.current_bytes
    ]


def _passed_over(snapshot: Snapshot, ranking: Ranking) -> list[str]:
    """The candidate that holds the most memory, when it is not the one to die."""
    first = ranking.first
    if first is None:
        return []
    biggest = max(ranking.candidates, key=lambda candidate: candidate.badness.memory_pages)
    if biggest.badness.memory_pages <= first.badness.memory_pages:
        return []
    page = snapshot.traits.page_size_bytes
    badness = biggest.badness
    reason = f"{name(first.process)} has the higher oom_score_adj"
    if badness.adj_pages < 0:
        reason = f"its oom_score_adj {badness.oom_score_adj} takes {size(-badness.adj_pages * page)} off"
    return [f"{name(biggest.process)} holds more ({size(badness.memory_pages * page)}), but {reason}."]


def _excluded(ranking: Ranking) -> list[str]:
    """Who may not be killed, the biggest first; kernel threads and zombies are passed over in silence."""
    said = []
    for reason in (Eligibility.ADJ_MIN, Eligibility.EXEMPT, Eligibility.INIT, Eligibility.UNKNOWN):
        who = [process for process, why in ranking.excluded if why is reason]
        if who:
            who.sort(key=lambda process: -(process.rss_bytes or 0))
            said.append(f"Not killable: {_names(who, sizes=True)}: {reason.why}.")
    return said


def name(process: Process) -> str:
    """A process by name and pid."""
    return f"{escape(process.comm)} ({process.pid})"


def _names(processes: Iterable[Process], *, sizes: bool = False) -> str:
    everyone = list(processes)
    named = ", ".join(
        f"{name(process)} with {size(process.rss_bytes)}" if sizes and process.rss_bytes else name(process)
        for process in everyone[:NAMED]
    )
    rest = len(everyone) - NAMED
    return f"{named} and {counted(rest, 'more process', 'more processes')}" if rest > 0 else named
