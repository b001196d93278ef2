"""``explain`` as Markdown for a ticket. What a log says stands in code spans or is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.present.explain_table import MANY, Group, Groups, brief
from memwarden.present.explain_view import WHY_THIS, Item, Ranked, View, line_list, top, view
from memwarden.present.kept import Kept
from memwarden.present.text import ABSENT, escape, percent, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memwarden.postmortem.model import Incident

SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!@&$])")
"""What Markdown, or a tracker's dialect of it (mentions, HTML), could take for markup."""


def text(incidents: Iterable[Incident]) -> Iterator[str]:
    """All incidents in pieces, a table of them first where there are more than three.

    Each head tells how many there are: what was drawn is kept, but not the incidents.
    """
    groups, kept = Groups(), Kept()
    for incident in incidents:
        groups.add(brief(incident))
        kept.add(plain(incident.verdict.summary))
        kept.add("\n".join(_body(incident)))
    if not groups.incidents:
        yield "No OOM report found.\n"
    if groups.incidents > MANY:
        yield "\n".join([*_summary_table(groups), "", ""])
    texts = iter(kept)
    for number, (summary, body) in enumerate(zip(texts, texts, strict=True), 1):
        head = f"{number} of {groups.incidents}: " if groups.incidents > 1 else ""
        rest = f"{body}\n\n" if number < groups.incidents else body.rstrip("\n") + "\n"
        yield f"## {head}{summary}\n\n{rest}"


def plain(text: str) -> str:
    r"""Text of a log without effect as markup.

    >>> plain("a_b <c>")
    'a\\_b \\<c\\>'
    """
    return SPECIAL.sub(r"\\\1", escape(text))


def block(lines: Sequence[str], kind: str = "") -> list[str]:
    """A fenced block, the fence longer than any run of backquotes in it."""
    shown = [escape(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", *shown, fence]


def _summary_table(groups: Groups) -> list[str]:
    return [
        f"# {groups.title}",
        "",
        "| No | Kills | First seen | Where | Processes | Limit | Cause |",
        "|---|---:|---|---|---|---:|---|",
        *(_group(group) for group in groups),
    ]


def _group(group: Group) -> str:
    first = group.first
    cells = (
        group.range,
        str(group.kills),
        plain(first.seen),
        plain(first.where),
        plain(", ".join(group.comms)) or ABSENT,
        size(first.limit),
        first.cause,
    )
    return f"| {' | '.join(cells)} |"


def _body(incident: Incident) -> list[str]:
    shown = view(incident)
    lines = [plain(shown.place), ""]
    lines += [f"- **{label}:** {_sentence(item)}" for label, item in shown.facts]
    lines += _picture(shown)
    for heading, items in shown.sections:
        lines += ["", f"### {heading}", ""]
        lines += [f"- {_sentence(item)}" for item in items]
        if heading == WHY_THIS:
            lines += _ranking(shown)
    return lines + _steps(shown) + _helped(shown) + _evidence(shown)


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
    heading = f"### Where the memory was, of {shown.whole_name}, {size(shown.whole_bytes)}"
    return ["", heading, "", "| What | Size | Share |", "|---|---:|---:|", *rows]


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
