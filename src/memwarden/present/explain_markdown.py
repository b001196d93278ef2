"""``explain`` as Markdown for a ticket. What a log says stands in code spans or is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.present.explain_table import MANY, first_seen, groups, limit_of, numbers, where
from memwarden.present.explain_view import Item, Ranked, View, line_list, top, view
from memwarden.present.text import ABSENT, counted, escape, percent, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.postmortem.model import Incident

SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!@&$])")
"""What Markdown, or a tracker's dialect of it (mentions, HTML), could take for markup."""


def text(incidents: Sequence[Incident]) -> str:
    """All incidents, a table of them first where there are more than three."""
    if not incidents:
        return "No OOM report found.\n"
    parts: list[str] = []
    if len(incidents) > MANY:
        parts += [*_summary_table(incidents), ""]
    for number, incident in enumerate(incidents, 1):
        parts += _one(incident, number, len(incidents))
    return "\n".join(parts).rstrip("\n") + "\n"


def plain(text: str) -> str:
    r"""Text of a log without effect as markup.

    >>> plain("a_b <c>")
    'a\\_b \\<c\\>'
    """
    return SPECIAL.sub(r"\\\1", escape(text))


def code(text: str) -> str:
    """Text of a log in a code span, which no run of backquotes in it can end.

    >>> code("a`b")
    '`` a`b ``'
    """
    shown = escape(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    if not longest:
        return f"`{shown}`"
    fence = "`" * (longest + 1)
    return f"{fence} {shown} {fence}"


def block(lines: Sequence[str], kind: str = "") -> list[str]:
    """A fenced block, the fence longer than any run of backquotes in it."""
    shown = [escape(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", *shown, fence]


def _summary_table(incidents: Sequence[Incident]) -> list[str]:
    found = groups(incidents)
    rows = [
        f"| {numbers(group.numbers)} | {group.kills} | {plain(first_seen(group.first))} | "
        f"{plain(where(group.first))} "
        f"| {plain(', '.join(group.comms)) or ABSENT} | {size_or_dash(group.first)} | "
        f"{group.first.verdict.cause} |"
        for group in found
    ]
    return [
        f"# {counted(len(incidents), 'OOM report')}",
        "",
        "| No | Kills | First seen | Where | Processes | Limit | Cause |",
        "|---|---:|---|---|---|---:|---|",
        *rows,
    ]


def size_or_dash(incident: Incident) -> str:
    """The limit that was hit."""
    limit = limit_of(incident)
    return ABSENT if limit is None else size(limit)


def _one(incident: Incident, number: int, of: int) -> list[str]:
    shown = view(incident)
    head = f"{number} of {of}: " if of > 1 else ""
    lines = [f"## {head}{plain(shown.summary)}", "", f"{plain(shown.place)}", ""]
    lines += [f"- **{label}:** {_sentence(item)}" for label, item in shown.facts]
    lines += _picture(shown)
    for title, items in shown.sections:
        lines += ["", f"### {title}", ""]
        lines += [f"- {_sentence(item)}" for item in items]
        if title == "Why this process":
            lines += _ranking(shown)
    lines += _steps(shown) + _helped(shown) + _evidence(shown)
    return [*lines, ""]


def _sentence(item: Item) -> str:
    doubt = f" ({item.doubt})" if item.doubt else ""
    where_from = f" *({line_list(item.lines)})*" if item.lines else ""
    return f"{plain(item.text)}{doubt}{where_from}"


def _picture(shown: View) -> list[str]:
    if not shown.bars or not shown.whole_bytes:
        return []
    rows = [
        f"| {bar.name} | {size(bar.size_bytes)} | {percent(bar.size_bytes, shown.whole_bytes)} |"
        for bar in shown.drawn
    ]
    title = f"### Where the memory was, of {shown.whole_name}, {size(shown.whole_bytes)}"
    return ["", title, "", "| What | Size | Share |", "|---|---:|---:|", *rows]


def _ranking(shown: View) -> list[str]:
    if len(shown.ranking) < 2:
        return []
    rows = [_ranked(one) for one in top(shown.ranking)]
    return [
        "",
        "| Points | Memory | Swap | oom_score_adj | Pid | Process |",
        "|---:|---:|---:|---:|---:|---|",
        *rows,
    ]


def _ranked(one: Ranked) -> str:
    row = one.row
    name = f"**{plain(row.comm)}** (killed)" if one.is_victim else plain(row.comm)
    points = ABSENT if one.points is None else str(one.points)
    adj = ABSENT if row.oom_score_adj is None else str(row.oom_score_adj)
    return f"| {points} | {size(one.memory_bytes)} | {size(one.swap_bytes)} | {adj} | {row.pid} | {name} |"


def _steps(shown: View) -> list[str]:
    if not shown.steps:
        return []
    lines = ["", "### What to do", ""]
    for number, step in enumerate(shown.steps, 1):
        lines.append(f"{number}. {plain(step.what)}")
        if step.command is not None:
            lines += ["", *(f"   {line}" for line in block([step.command], "sh")), ""]
    return lines


def _helped(shown: View) -> list[str]:
    if not shown.helped:
        return []
    return ["", "### What would have helped", "", *(f"- {plain(sentence)}" for sentence in shown.helped)]


def _evidence(shown: View) -> list[str]:
    if not shown.evidence:
        return []
    return ["", "### Log lines", "", *block([f"{number}: {line}" for number, line in shown.key_lines])]
