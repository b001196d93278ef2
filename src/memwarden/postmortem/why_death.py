"""Who died, whose limit it was, and what filled it: the first three sentences of every explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem import names
from memwarden.postmortem.model import Statement
from memwarden.postmortem.why_lines import lines, stat_lines
from memwarden.units import Max, size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Confidence, MarkKind, NodeFacts, OomReport, Victim

NAMED: Final = 4
"""Victims of a group kill that are named; the rest are counted."""

_BASES: Final[dict[str, tuple[MarkKind, ...]]] = {
    "stat": ("stats", "usage"),
    "mem-info": ("mem-info", "ram"),
    "slab": ("slab",),
    "zones": ("zone",),
    "table": ("table",),
}


def died(facts: Facts) -> Statement:
    """Who was killed, with how much; or why nobody was, or that the text does not reach that far."""
    report = facts.report
    if report.victims:
        evidence = lines(report, "kill", "group")
        return Statement(_killed(report.victims), evidence)
    if report.no_killable:
        panic = ", and stopped the machine (panic)" if report.panic else ""
        text = f"nobody: the kernel found no process that it may kill{panic}"
        return Statement(text, lines(report, "no-victim", "panic"))
    if report.panic:
        text = "nobody: the machine is set to stop (panic) when memory runs out (vm.panic_on_oom)"
        return Statement(text, lines(report, "panic"))
    if report.chosen is not None:
        pid, comm, _ = report.chosen
        text = f"{comm} (pid {pid}) was chosen; the line that says it was killed is not in the text"
        return Statement(text, lines(report, "oom-kill", "kill-choice"), "likely")
    return Statement(
        "not known: the text ends before the line that says who was killed", lines(report, "header")
    )


def _killed(victims: tuple[Victim, ...]) -> str:
    first = victims[0]
    text = f"{names.process(first)} was killed{_held(first)}"
    distinct = {victim.pid: victim for victim in victims[1:] if victim.pid != first.pid}
    if not distinct:
        return text
    others = [names.process(victim) for victim in distinct.values()]
    shown = others[:NAMED] + ([f"{len(others) - NAMED} more"] if len(others) > NAMED else [])
    why = " because the cgroup is killed as one (memory.oom.group)" if _by_group(victims) else ""
    return f"{text}; with it {names.listed(shown)}{why}"


def _by_group(victims: tuple[Victim, ...]) -> bool:
    return any(victim.via == "oom.group" for victim in victims)


def _held(victim: Victim) -> str:
    kinds = (
        (victim.anon_rss_bytes, "anonymous"),
        (victim.file_rss_bytes, "file"),
        (victim.shmem_rss_bytes, "shared"),
    )
    known = [(amount, word) for amount, word in kinds if amount is not None]
    if not known:
        return ""
    total = sum(amount for amount, _ in known)
    most, word = max(known)
    if total == 0:
        return ", which held no memory of its own by then"
    mostly = f", mostly {word}" if len(known) > 1 and most < total else f" of {word} memory"
    return f", holding {size(total)}{mostly}"


def limit(facts: Facts) -> Statement:
    """Whose limit was hit, or that it was the machine, some of its nodes, or nobody's."""
    report = facts.report
    if report.scope == "memcg":
        return Statement(
            _cgroup_limit(facts), lines(report, "task-in", "usage", "memsw", "swap", "kmem", "oom-kill")
        )
    if report.scope == "cpuset":
        where = report.mems_allowed or report.nodemask
        text = f"the NUMA nodes that cpuset {report.cpuset or '(unnamed)'} allows: {where or 'not named'}"
        return Statement(text, lines(report, "oom-kill", "cpuset"))
    if report.scope == "mempolicy":
        text = f"the NUMA nodes that a memory policy allows: {report.nodemask or 'not named'}"
        return Statement(text, lines(report, "oom-kill", "header"))
    if report.scope == "system":
        sure: Confidence = "certain" if report.scope_from_text else "likely"
        return Statement(_machine(report), lines(report, "ram", "swap-free", "swap-total", "oom-kill"), sure)
    return Statement("not known: the text does not say whose memory ran out", lines(report, "header"))


def _cgroup_limit(facts: Facts) -> str:
    hit, name = facts.limit, f"{names.limit(facts)} of {names.owner(facts)}"
    if hit.limit_bytes is None or hit.usage_bytes is None:
        return f"the {name}; its figures are not in the text"
    if isinstance(hit.limit_bytes, Max):
        return f"no limit of {names.owner(facts)}, which has none: {size(hit.usage_bytes)} used"
    before = f", hit {hit.failcnt} times so far" if hit.failcnt else ""
    figures = f"{size(hit.usage_bytes)} used of {size(hit.limit_bytes)}{before}"
    if not hit.reached:
        figures += "; usage had fallen again when this was printed, or the limit was being lowered"
    return f"the {name}: {figures}"


def _machine(report: OomReport) -> str:
    node = report.node
    if node is None or node.ram_bytes is None:
        return "no cgroup's limit: the whole machine" + ("" if node is None else _swap(node))
    return f"no cgroup's limit: the whole machine, {size(node.ram_bytes)} RAM{_swap(node)}"


def _swap(node: NodeFacts) -> str:
    if node.total_swap_bytes is None:
        return ""
    if node.total_swap_bytes == 0:
        return ", no swap"
    if node.free_swap_bytes is None:
        return f", {size(node.total_swap_bytes)} swap"
    used = node.total_swap_bytes - node.free_swap_bytes
    return f", {size(used)} of {size(node.total_swap_bytes)} swap used"


def filled(facts: Facts) -> Statement | None:
    """The parts with their shares; ``None`` when the text has no figure at all."""
    fill = facts.fill
    if fill is None:
        return None
    whole = fill.whole_bytes or sum(part.size_bytes for part in fill.parts)
    rest = [("unexplained", fill.unexplained_bytes)] if fill.unexplained_bytes * 20 >= whole else []
    parts = sorted([*fill.parts, *rest], key=lambda part: -part[1])
    named = [part for at, part in enumerate(parts) if at == 0 or part[1] * 50 >= whole]
    texts = [
        f"{names.PARTS[word] if at == 0 else names.SHORT_PARTS[word]} {size(amount)} "
        f"({names.percent(amount, whole)})"
        for at, (word, amount) in enumerate(named)
    ]
    text = ", ".join(texts)
    if fill.basis == "table":
        text = f"by the task table alone: {text}"
    if fill.basis == "slab":
        text = f"by the list of slabs alone: {text}"
    evidence = stat_lines(facts.report) if fill.basis == "stat" else lines(facts.report, *_BASES[fill.basis])
    return Statement(text, evidence, "likely" if fill.basis == "table" else "certain")
