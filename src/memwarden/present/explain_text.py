"""``explain`` as text for a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memwarden.present.colour import PLAIN, Paint
from memwarden.present.explain_table import MANY, Groups, brief, summary_table
from memwarden.present.explain_view import WHY_THIS, Item, Ranked, View, line_list, top, view
from memwarden.present.kept import Kept
from memwarden.present.table import Column, Row, render
from memwarden.present.text import ABSENT, cells, cut, escape, percent, short_size, size
from memwarden.present.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import Incident

ZONE: Final = re.compile(r" free:\d+kB| \d+\*\d+kB|^Mem-Info|^active_|^\w+ active_")
LABEL: Final = 9
"""Cells of the labels Died, Limit, Filled, Cause and the space behind them."""
FIGURES: Final = 19
"""Cells beside a bar and its name: gaps, the size and the share."""
LEAST: Final = 40
"""Narrower than this is not tried."""

RANKING: Final = (
    Column("POINTS", keep_empty=False, drop=1),
    Column("MEMORY"),
    Column("SWAP", drop=2),
    Column("ADJ"),
    Column("PID"),
    Column("PROCESS", right=False, flexible=True),
)


def text(incidents: Iterable[Incident], width: int = 80, paint: Paint = PLAIN) -> Iterator[str]:
    """All incidents in pieces, a table of them first where there are more than three; nothing for none.

    Each head tells how many there are: what was drawn is kept, but not the incidents.
    """
    width = max(width, LEAST)
    groups, kept = Groups(), Kept()
    for incident in incidents:
        groups.add(brief(incident))
        kept.add(escape(incident.verdict.summary))
        kept.add("\n".join(_body(incident, width, paint)))
    if groups.incidents > MANY:
        yield "\n".join([*summary_table(groups, width, paint), "", ""])
    texts = iter(kept)
    for number, (summary, body) in enumerate(zip(texts, texts, strict=True), 1):
        head = f"[{number} of {groups.incidents}] " if groups.incidents > 1 else ""
        heading = [paint(line, "bold") for line in wrap(head + summary, width)]
        yield "\n".join([*heading, body, ""]) + ("\n" if number < groups.incidents else "")


def _body(incident: Incident, width: int, paint: Paint) -> list[str]:
    """The lines of one incident below its summary."""
    shown = view(incident)
    lines = [paint(line, "dim") for line in wrap(escape(shown.place), width)]
    lines.append("")
    for label, item in shown.facts:
        lines += _labelled(label, item, width, paint)
    lines += _picture(shown, width, paint)
    for title, items in shown.sections:
        lines += ["", paint(title, "bold")]
        for item in items:
            lines += _sentence(item, width)
        if title == WHY_THIS:
            lines += _ranking(shown, width, paint)
    return lines + _steps(shown, width, paint) + _helped(shown, width, paint) + _evidence(shown, width, paint)


def _labelled(label: str, item: Item, width: int, paint: Paint) -> list[str]:
    style = ("bold",) if label != "Died" else ("bold", "red")
    found = wrap(_with_doubt(item), width, first=" " * LABEL)
    return [paint(label, *style) + found[0][len(label) :], *found[1:]]


def _with_doubt(item: Item) -> str:
    text = escape(item.text)
    return f"{text} ({item.doubt})" if item.doubt else text


def _sentence(item: Item, width: int) -> list[str]:
    where = f" [{line_list(item.lines)}]" if item.lines else ""
    return wrap(_with_doubt(item) + where, width, first="  ")


def _picture(shown: View, width: int, paint: Paint) -> list[str]:
    if not shown.bars or not shown.whole_bytes:
        return []
    name = min(max((cells(bar.name) for bar in shown.drawn), default=0), width // 3)
    room = width - name - FIGURES
    title = f"Where the memory was, of {shown.whole_name}, {size(shown.whole_bytes)}"
    lines = ["", *(paint(line, "bold") for line in wrap(title, width))]
    for bar in shown.drawn:
        length = min(room, -(-bar.size_bytes * room // shown.whole_bytes))
        figures = f"{size(bar.size_bytes):>8}  {percent(bar.size_bytes, shown.whole_bytes):>4}"
        drawn = ("." if bar.word == "free" else "#") * length
        lines.append(f"  {cut(bar.name, name):<{name}}  {drawn:<{room}} {figures}".rstrip())
    return lines


def _ranking(shown: View, width: int, paint: Paint) -> list[str]:
    if len(shown.ranking) < 2:
        return []
    rows = [_ranked(one) for one in top(shown.ranking)]
    lines = [f"  {line}" for line in render(RANKING, rows, width - 2, paint)]
    left = len(shown.ranking) - len(rows)
    return ["", *lines, *([f"  and {left} smaller"] if left else [])]


def _ranked(one: Ranked) -> Row:
    row = one.row
    name = f"{escape(row.comm)}{'  <- killed' if one.is_victim else ''}"
    texts = (
        ABSENT if one.points is None else str(one.points),
        short_size(one.memory_bytes),
        short_size(one.swap_bytes),
        ABSENT if row.oom_score_adj is None else str(row.oom_score_adj),
        str(row.pid),
        name,
    )
    return Row(texts, {5: ("red",)} if one.is_victim else {})


def _steps(shown: View, width: int, paint: Paint) -> list[str]:
    if not shown.steps:
        return []
    lines = ["", paint("What to do", "bold")]
    for number, step in enumerate(shown.steps, 1):
        lines += wrap(escape(step.what), width, first=f"  {number}. ", rest="     ")
        if step.command is not None:
            lines.append(paint(f"     {escape(step.command)}", "cyan"))
    return lines


def _helped(shown: View, width: int, paint: Paint) -> list[str]:
    if not shown.helped:
        return []
    lines = ["", paint("What would have helped", "bold")]
    for sentence in shown.helped:
        lines += wrap(escape(sentence), width, first="  - ", rest="    ")
    return lines


def _evidence(shown: View, width: int, paint: Paint) -> list[str]:
    if not shown.evidence:
        return []
    digits = len(str(shown.evidence[-1][0]))
    lines = ["", paint("Log lines", "bold")]
    for number, line in shown.key_lines:
        lines.append(paint(f"  {number:>{digits}}  {_shortened(line, width - digits - 4)}", "dim"))
    left = len(shown.evidence) - len(shown.key_lines)
    if left > 0:
        lines.append(f"  and {left} more; --format json lists all")
    return lines


def _shortened(line: str, width: int) -> str:
    """One space where the kernel aligns columns; zone lines begin with what counts, others end with it."""
    shown = escape(" ".join(line.split()))
    if ZONE.search(shown) and shown.isascii() and len(shown) > width:
        return f"{shown[: width - 2]}.."
    return cut(shown, width)
