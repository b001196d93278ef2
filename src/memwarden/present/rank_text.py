"""``rank`` as text: the machine, the candidates as a table, who dies and why, what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.present import gaps_text, machine_text, rank_rows, rank_words
from memwarden.present.colour import PLAIN, Paint
from memwarden.present.table import Column, Row, render
from memwarden.present.text import counted, escape, short_size
from memwarden.present.wrap import wrap
from memwarden.rules.victim import Outcome

if TYPE_CHECKING:
    from memwarden.present.rank_rows import RankRow
    from memwarden.rules.victim import Ranking
    from memwarden.state.snapshot import Snapshot

COLUMNS: Final = (
    Column("", right=False, keep_empty=False),
    Column("PID"),
    Column("NAME", right=False, flexible=True, least=8),
    Column("POINTS"),
    Column("RSS"),
    Column("SWAP", drop=1, keep_empty=False),
    Column("PGTBL", drop=2),
    Column("ADJ"),
    Column("ADJ.ADDS"),
    Column("FREES"),
    Column("CGROUP", right=False, flexible=True, least=10, drop=3),
)
FIRST: Final = ">"
ALONG: Final = "+"


def text(
    snapshot: Snapshot,
    ranking: Ranking,
    requested: str | None,
    *,
    top: int,
    width: int,
    paint: Paint = PLAIN,
) -> str:
    """The whole answer, at most ``top`` candidates in the table (0: all)."""
    everyone = rank_rows.rows(snapshot, ranking)
    shown = everyone[:top] if top else everyone
    head = rank_words.headline(snapshot, ranking)
    table = render(COLUMNS, [_row(ranking, row) for row in shown], width, paint) if shown else []
    hidden = len(everyone) - len(shown)
    more = [f"... and {counted(hidden, 'more candidate')}; --top 0 shows all"] if hidden else []
    said = rank_words.sentences(snapshot, ranking, requested)
    blocks = [
        machine_text.lines(snapshot),
        [*wrap(head, width), *table, *more],
        [line for sentence in said for line in wrap(sentence, width)],
        [line for note in gaps_text.plain(snapshot) for line in wrap(note, width, first="note: ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _row(ranking: Ranking, row: RankRow) -> Row:
    mark = _mark(ranking, row.pid)
    texts = (
        mark,
        str(row.pid),
        escape(row.comm),
        str(row.points),
        short_size(row.rss_bytes),
        short_size(row.swap_bytes) if row.swap_bytes else "",
        short_size(row.pgtables_bytes),
        str(row.oom_score_adj),
        short_size(row.adj_bytes),
        short_size(row.frees_bytes),
        escape(row.cgroup or ""),
    )
    return Row(texts, {2: ("red", "bold")} if mark == FIRST else {2: ("red",)} if mark == ALONG else {})


def _mark(ranking: Ranking, pid: int) -> str:
    """Who dies: the victim, and those that memory.oom.group takes along."""
    if ranking.outcome is not Outcome.KILL or ranking.victim is None:
        return ""
    if pid == ranking.victim.process.pid:
        return FIRST
    group = ranking.group.killed if ranking.group else ()
    return ALONG if any(process.pid == pid for process in group) else ""
