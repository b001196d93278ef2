"""``explain`` as one HTML page that needs nothing else: no script, no network, no other file.

Everything that a log says goes through :func:`said`: control characters made visible, markup harmless.
"""

from __future__ import annotations

from html import escape as html_escape
from typing import TYPE_CHECKING

from memwarden.present.explain_page import END, head
from memwarden.present.explain_table import MANY, Group, Groups, brief
from memwarden.present.explain_view import WHY_THIS, Item, Ranked, View, line_list, view
from memwarden.present.kept import Kept
from memwarden.present.svg import Segment, class_of, stacked_bar
from memwarden.present.text import ABSENT, escape, percent, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.postmortem.model import Incident

RANKED_AT_ONCE = 10
"""Rows of the ranking that are shown before the rest is unfolded."""


def page(incidents: Iterable[Incident]) -> Iterator[str]:
    """The whole page in pieces. Title and table come first: what was drawn is kept, but not the incidents."""
    groups, kept = Groups(), Kept()
    for number, incident in enumerate(incidents, 1):
        groups.add(brief(incident))
        kept.add(said(incident.verdict.summary))
        kept.add(_body(incident, number))
    yield head(next(iter(kept)) if groups.incidents == 1 else groups.title)
    if groups.incidents != 1:
        yield f"<h1>{groups.title}</h1>\n"
    if groups.incidents > MANY:
        yield _summary_table(groups) + "\n"
    if not groups.incidents:
        yield "<p>No OOM report was found in what was read.</p>\n"
    texts = iter(kept)
    for number, (summary, rest) in enumerate(zip(texts, texts, strict=True), 1):
        count = f'<span class="count">{number} of {groups.incidents}</span> ' if groups.incidents > 1 else ""
        yield f'<article id="i{number}"><h2>{count}{summary}</h2>\n{rest}\n</article>\n'
    yield END


def said(text: str) -> str:
    r"""Text of a log, harmless.

    >>> said('<a href="x">' + chr(27))
    '&lt;a href=&quot;x&quot;&gt;\\x1b'
    """
    return html_escape(escape(text))


def _summary_table(groups: Groups) -> str:
    rows = "".join(_group(group) for group in groups)
    return (
        '<div class="wide"><table><thead><tr><th>No</th><th class="n">Kills</th><th>First seen</th>'
        '<th>Where</th><th>Processes</th><th class="n">Limit</th><th>Cause</th></tr></thead><tbody>'
        f"{rows}</tbody></table></div>"
    )


def _group(group: Group) -> str:
    first = group.first
    return (
        f'<tr><td><a href="#i{group.number}">{group.range}</a></td><td class="n">{group.kills}</td>'
        f"<td>{said(first.seen)}</td><td>{said(first.where)}</td>"
        f"<td>{said(', '.join(group.comms)) or ABSENT}</td>"
        f'<td class="n">{size(first.limit)}</td><td>{first.cause}</td></tr>'
    )


def _body(incident: Incident, number: int) -> str:
    shown, name = view(incident), f"i{number}"
    facts = "".join(
        f"<div><dt>{label}</dt><dd>{_sentence(item, link=name)}</dd></div>" for label, item in shown.facts
    )
    parts = [f'<p class="place">{said(shown.place)}</p><dl>{facts}</dl>', _picture(shown)]
    for heading, items in shown.sections:
        sentences = "".join(f"<p>{_sentence(item, link=name)}</p>" for item in items)
        ranking = _ranking(shown) if heading == WHY_THIS else ""
        parts.append(f"<section><h3>{heading}</h3>{sentences}{ranking}</section>")
    parts += [_steps(shown), _helped(shown), _evidence(shown, name)]
    return "\n".join(part for part in parts if part)


def _sentence(item: Item, *, link: str) -> str:
    doubt = f' <span class="doubt">{item.doubt}</span>' if item.doubt else ""
    lines = f' <a class="lines" href="#{link}-log">{line_list(item.lines)}</a>' if item.lines else ""
    return f"{said(item.text)}{doubt}{lines}"


def _picture(shown: View) -> str:
    if not shown.bars or not shown.whole_bytes:
        return ""
    segments = [Segment(*bar) for bar in shown.bars]
    legend = "".join(
        f'<li><span class="key part-{class_of(bar.word)}"></span>{bar.name} <b>{size(bar.size_bytes)}</b> '
        f"{percent(bar.size_bytes, shown.whole_bytes)}</li>"
        for bar in shown.drawn
    )
    return (
        f"<section><h3>Where the memory was, of {shown.whole_name}, {size(shown.whole_bytes)}</h3>"
        f"{stacked_bar(segments, shown.whole_bytes, shown.whole_name)}"
        f'<ul class="legend">{legend}</ul></section>'
    )


def _ranking(shown: View) -> str:
    if len(shown.ranking) < 2:
        return ""
    most = max(one.memory_bytes for one in shown.ranking) or 1
    scored = any(one.points is not None for one in shown.ranking)
    rows = [_ranked(one, most, scored=scored) for one in shown.ranking]
    head = (
        f'<tr>{"<th class=n>Points</th>" if scored else ""}<th class="n">Memory</th><th class="n">Swap</th>'
        '<th class="n">oom_score_adj</th><th class="n">Pid</th><th>Process</th><th></th></tr>'
    )
    if len(rows) <= RANKED_AT_ONCE:
        return _table(head, rows)
    rest = _table(head, rows[RANKED_AT_ONCE:])
    return (
        f"{_table(head, rows[:RANKED_AT_ONCE])}<details><summary>{len(rows) - RANKED_AT_ONCE} more</summary>"
        f"{rest}</details>"
    )


def _table(head: str, rows: list[str]) -> str:
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _ranked(one: Ranked, most: int, *, scored: bool) -> str:
    row = one.row
    adj = ABSENT if row.oom_score_adj is None else row.oom_score_adj
    points = f'<td class="n">{ABSENT if one.points is None else one.points}</td>' if scored else ""
    mark = ' class="dead"' if one.is_victim else ""
    killed = " <b>killed</b>" if one.is_victim else ""
    bar = f'<span class="mini" style="width:{one.memory_bytes * 100 // most}%"></span>'
    return (
        f'<tr{mark}>{points}<td class="n">{size(one.memory_bytes)}</td>'
        f'<td class="n">{size(one.swap_bytes)}</td><td class="n">{adj}</td><td class="n">{row.pid}</td>'
        f'<td>{said(row.comm)}{killed}</td><td class="minis">{bar}</td></tr>'
    )


def _steps(shown: View) -> str:
    if not shown.steps:
        return ""
    items = "".join(f"<li>{said(step.what)}{_command(step.command)}</li>" for step in shown.steps)
    return f"<section><h3>What to do</h3><ol>{items}</ol></section>"


def _command(command: str | None) -> str:
    return "" if command is None else f"<pre><code>{said(command)}</code></pre>"


def _helped(shown: View) -> str:
    if not shown.helped:
        return ""
    items = "".join(f"<li>{said(sentence)}</li>" for sentence in shown.helped)
    return f"<section><h3>What would have helped</h3><ul>{items}</ul></section>"


def _evidence(shown: View, name: str) -> str:
    if not shown.evidence:
        return ""
    rows = "".join(
        f'<tr><td class="n">{number}</td><td><code>{said(line)}</code></td></tr>'
        for number, line in shown.evidence
    )
    return (
        f'<section id="{name}-log"><h3>Log lines</h3><div class="wide log"><table><tbody>{rows}</tbody>'
        "</table></div></section>"
    )
