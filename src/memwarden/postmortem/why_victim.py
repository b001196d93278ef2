"""Why this process and not the bigger one beside it: the arithmetic of the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem import names
from memwarden.postmortem.choice_rank import may_be_chosen, rule_of
from memwarden.postmortem.model import Statement
from memwarden.postmortem.why_lines import lines, row_lines
from memwarden.rules.identity import identify
from memwarden.state.traits import BadnessRule
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.choice_rank import Scored
    from memwarden.postmortem.model import Cause, TaskRow

BYSTANDER: Final = 0.1
"""A victim that holds less than a tenth of what was full did not fill it."""

BIGGER_SHOWN: Final = 3


def why_victim(facts: Facts, cause: Cause) -> tuple[Statement, ...]:
    """The sentences, the most telling first; empty when nobody was chosen."""
    report = facts.report
    if not report.victims and report.chosen is None:
        return ()
    found = [*_decided(facts), *_scores(facts), *_bigger(facts), *_leader(facts)]
    if cause.startswith(("memcg-", "system-")):
        found += _bystander(facts)
    return (*found, *_sacrificed(facts), *_group(facts))


def _decided(facts: Facts) -> list[Statement]:
    """What decided instead of the score, or that nothing can be said."""
    report, choice = facts.report, facts.choice
    if report.victims and report.victims[0].via == "allocating-task":
        text = (
            "It was the process that asked for memory, and vm.oom_kill_allocating_task is set: "
            "the kernel kills the one that asks, whatever the others hold."
        )
        return [Statement(text, lines(report, "kill"))]
    if choice.selected is None:
        return [
            Statement(
                f"{choice.note[0].upper()}{choice.note[1:]}.", lines(report, "kill", "table"), "possible"
            )
        ]
    doubtful = choice.checked is None and choice.leader is None
    if choice.by_order or (doubtful and report.victims):
        return [
            Statement(f"{choice.note[0].upper()}{choice.note[1:]}.", lines(report, "table", "kill"), "likely")
        ]
    return []


def _scores(facts: Facts) -> list[Statement]:
    report, choice = facts.report, facts.choice
    selected = choice.selected
    if selected is None or (report.victims and report.victims[0].via == "allocating-task"):
        return []
    head = "It had the most points" if choice.checked else "Its points"
    others = [one for one in choice.ranking if one is not selected]
    text = f"{head}: {_sum(facts, selected)}."
    if not others:
        text = f"It was the only process that could be chosen: {_sum(facts, selected)}."
    if others and choice.leader is None and not choice.by_order:
        text += _next(facts, selected, others[0])
    rows = (selected.row, *(one.row for one in others[:1]))
    return [Statement(text, row_lines(report, *rows), "certain" if choice.checked else "likely")]


def _next(facts: Facts, selected: Scored, other: Scored) -> str:
    adj = other.row.oom_score_adj
    name = names.process(other.row)
    if not adj or adj != selected.row.oom_score_adj:
        return f" Next came {name} with {_sum(facts, other)}."
    return (
        f" Next came {name} with {_memory_sum(facts, other)}; its oom_score_adj is the same, so size decided."
    )


def _sum(facts: Facts, one: Scored) -> str:
    """``612 MiB in memory + 3 MiB in swap + oom_score_adj 300 (counts as 307 MiB)``."""
    badness, text = one.listed, _memory_sum(facts, one)
    if badness.oom_score_adj:
        return f"{text}, and oom_score_adj {badness.oom_score_adj}{_weight(facts, one)}"
    return f"{text} = {badness.memory_pages} points (pages)" if " + " in text else text


def _memory_sum(facts: Facts, one: Scored) -> str:
    page, badness = facts.report.host.page_size_bytes, one.listed
    terms = [f"{size(badness.rss_pages * page)} resident"]
    if badness.swap_pages:
        terms.append(f"{size(badness.swap_pages * page)} in swap")
    if badness.pgtables_pages:
        terms.append(f"{size(badness.pgtables_pages * page)} of page tables")
    return " + ".join(terms)


def _weight(facts: Facts, one: Scored) -> str:
    """What oom_score_adj added or took, in bytes, or at least."""
    total, page = facts.choice.total, facts.report.host.page_size_bytes
    if total is None:
        return ", whose weight the text does not tell"
    amount = one.listed.adj_pages * page
    verb = "adds" if amount >= 0 else "takes off"
    least = "" if total.exact else "at least "
    return f", which {verb} {least}{size(abs(amount))}"


def _bigger(facts: Facts) -> list[Statement]:
    """Processes that held more and were passed over, with the reason."""
    selected = facts.choice.selected
    if selected is None or facts.choice.leader is not None:
        return []
    held = selected.listed.memory_pages
    scored = {one.row.pid: one for one in facts.choice.ranking}
    page = facts.report.host.page_size_bytes
    bigger = sorted(
        (row for row in facts.report.tasks if _memory(row, page) > held and row is not selected.row),
        key=lambda row: -_memory(row, page),
    )
    if not bigger:
        return []
    texts = [_passed_over(facts, row, scored.get(row.pid)) for row in bigger[:BIGGER_SHOWN]]
    more = f"; {len(bigger) - BIGGER_SHOWN} more were bigger too" if len(bigger) > BIGGER_SHOWN else ""
    text = f"Bigger, but passed over: {'; '.join(texts)}{more}."
    return [Statement(text, row_lines(facts.report, *bigger[:BIGGER_SHOWN]))]


def _passed_over(facts: Facts, row: TaskRow, one: Scored | None) -> str:
    amount = size(_memory(row, facts.report.host.page_size_bytes) * facts.report.host.page_size_bytes)
    name = f"{names.process(row)} with {amount}"
    if one is None:
        why = "init is never killed" if may_not_die(row) else f"oom_score_adj {row.oom_score_adj} exempts it"
        return f"{name} ({why})"
    selected = facts.choice.selected
    if row.oom_score_adj and selected is not None and row.oom_score_adj == selected.row.oom_score_adj:
        return f"{name} (the same oom_score_adj)"
    if row.oom_score_adj:
        return f"{name} (oom_score_adj {row.oom_score_adj}{_weight(facts, one)})"
    return f"{name} (its oom_score_adj is 0, the victim's is higher)"


def may_not_die(row: TaskRow) -> bool:
    """Whether the row is the machine's init."""
    return not may_be_chosen(row) and 1 in (row.pid, row.tgid)


def _memory(row: TaskRow, page: int) -> int:
    return (row.rss_pages or 0) + (row.swap_pages or 0) + (row.pgtables_bytes or 0) // page


def _leader(facts: Facts) -> list[Statement]:
    """The table says another one should have died: say so, and what explains it."""
    choice, report = facts.choice, facts.report
    if choice.leader is None:
        return []
    name = names.process(choice.leader.row)
    if choice.checked is None:
        text = f"{name} was as big within what the counters may lag: {_sum(facts, choice.leader)}."
        return [Statement(text, row_lines(report, choice.leader.row), "likely")]
    text = (
        f"By the table {name} scored higher: {_sum(facts, choice.leader)}.{_others_ahead(facts)} The "
        "kernel passes over a "
        "process that is "
        "already dying or whose memory was already taken back after an earlier kill; the table still "
        "lists it."
    )
    return [Statement(text, row_lines(report, choice.leader.row), "likely")]


def _bystander(facts: Facts) -> list[Statement]:
    """A small victim did not fill the memory: say who or what did."""
    victims, fill = facts.report.victims, facts.fill
    if not victims or fill is None or fill.whole_bytes is None or fill.largest is None:
        return []
    held = _held(facts)
    if held is None or held >= fill.whole_bytes * BYSTANDER:
        return []
    share = names.percent(held, fill.whole_bytes)
    what = names.SHORT_PARTS[fill.largest.word]
    text = f"It did not fill the memory itself: it held {size(held)}, {share} of what was in use. "
    if fill.largest.word in ("shmem", "file", "kernel", "sockets", "hugepages", "unexplained"):
        text += (
            f"Most was {what}, which belongs to no process; the kernel can only kill processes, "
            "so it takes the one with the most points although that frees little."
        )
    else:
        text += _biggest(facts)
    return [Statement(text, lines(facts.report, "kill"), "likely")]


def _held(facts: Facts) -> int | None:
    """What the victims held: resident by their kill lines, or more by the table, which counts swap too."""
    known = [one for one in facts.report.victims if one.anon_rss_bytes is not None]
    if len(known) < len(facts.report.victims):
        return None
    held = sum(
        (one.anon_rss_bytes or 0) + (one.file_rss_bytes or 0) + (one.shmem_rss_bytes or 0) for one in known
    )
    page = facts.report.host.page_size_bytes
    dead = {one.pid for one in known}
    listed = sum(
        _memory(row, page) * page for row in facts.report.tasks if row.pid in dead or row.tgid in dead
    )
    return max(held, listed)


def _others_ahead(facts: Facts) -> str:
    selected, ranking = facts.choice.selected, facts.choice.ranking
    assert selected is not None
    count = sum(one.listed.points > selected.listed.points for one in ranking) - 1
    return f" So did {count} more." if count > 0 else ""


def _biggest(facts: Facts) -> str:
    page = facts.report.host.page_size_bytes
    if not facts.report.tasks:
        return "Who held the most cannot be told without the task table."
    biggest = max(facts.report.tasks, key=lambda row: _memory(row, page))
    return f"The biggest process was {names.process(biggest)} with {size(_memory(biggest, page) * page)}."


def _sacrificed(facts: Facts) -> list[Statement]:
    """Before 5.1 a child of the chosen process died in its place; and the chosen pid may be a thread's."""
    report = facts.report
    if report.chosen is None or not report.victims:
        return []
    pid, comm, _ = report.chosen
    victim = report.victims[0]
    if victim.pid == pid:
        return []
    row = facts.choice.selected.row if facts.choice.selected else None
    same = (row is not None and victim.pid in (row.pid, row.tgid)) or comm == victim.comm
    if same:
        text = (
            f'"Kill process {pid}" and "Killed process {victim.pid}" mean the same program: '
            "the first number is one of its threads, the second the process."
        )
        return [Statement(text, lines(report, "kill-choice", "kill"), "likely")]
    if rule_of(report) is BadnessRule.SIGNED:
        return []
    text = (
        f"{comm} (pid {pid}) had the most points; kernels before 5.1 then kill one of its children "
        "with memory of "
        f"its own in its place, here {names.process(victim)}."
    )
    return [Statement(text, lines(report, "kill-choice", "kill"), "likely")]


def _group(facts: Facts) -> list[Statement]:
    report = facts.report
    if report.group_path is None:
        return []
    distinct = len({victim.pid for victim in report.victims})
    where = names.group(identify(report.group_path))
    text = (
        f"memory.oom.group is set on {where}: once one of its processes is chosen, all of "
        "them die "
        f"({distinct} here). Kubernetes sets this on every container since 1.28 (cgroup v2)."
    )
    return [Statement(text, lines(report, "group", "kill"))]
