"""What every form of an explanation shows, in one order: text, Markdown and HTML only draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.names import SHORT_PARTS
from memwarden.present.explain_keys import all_evidence
from memwarden.present.explain_table import limit_hit
from memwarden.units import Max

if TYPE_CHECKING:
    from memwarden.postmortem.model import Advice, Incident, Statement, TaskRow

WHY_THIS: Final = "Why this process"
"""The section that the ranking belongs to."""
KEY_LINES: Final = 16
LINES_PER_STATEMENT: Final = 4
TOP_TASKS: Final = 5
"""Rows of the ranking in text; HTML shows them all."""

CAUSES: Final = {
    "memcg-anon": "a cgroup's limit, filled by the programs' own data",
    "memcg-file": "a cgroup's limit, filled by file contents not yet written or not given back",
    "memcg-shmem": "a cgroup's limit, filled by shared memory or tmpfs",
    "memcg-kernel": "a cgroup's limit, filled by kernel memory",
    "memcg-unevictable": "a cgroup's limit, filled by locked memory",
    "memcg-swap-limit": "a cgroup's limit for memory and swap together",
    "memcg-unknown": "a cgroup's limit; with what it was filled is not in the text",
    "system-anon": "the whole machine, filled by the programs' own data",
    "system-shmem": "the whole machine, filled by shared memory or tmpfs",
    "system-slab": "the whole machine, filled by kernel memory",
    "system-hugepages": "the whole machine, most of it set aside as huge pages",
    "system-unevictable": "the whole machine, filled by locked memory",
    "system-unknown": "the whole machine; with what it was filled the text does not show",
    "fragmentation": "memory was free, but not in one piece",
    "low-zone": "a low zone ran out while others had memory",
    "numa-bound": "only some NUMA nodes counted, and they could not serve the request",
    "manual": "asked for by hand or by a policy, not by a shortage",
    "no-victim": "no process was left that may be killed",
    "spurious": "raised by mistake while memory was there",
    "unknown": "the text holds too little",
}
"""Each cause in words."""

BAR_NAMES: Final = {"free": "free", "unexplained": "not explained", "leaving": "ending process"}
"""Names that a sentence spells out."""

SURE: Final = {"certain": "certain", "likely": "likely", "possible": "only possible"}


class Item(NamedTuple):
    """A sentence, the numbers of the lines it rests on, and a doubt word or nothing."""

    text: str
    lines: tuple[int, ...] = ()
    doubt: str = ""


class Bar(NamedTuple):
    """One part of the picture: its word, its name, its size."""

    word: str
    name: str
    size_bytes: int


class Ranked(NamedTuple):
    """One process of the ranking; ``points`` is ``None`` where they cannot be computed or it is exempt."""

    row: TaskRow
    points: int | None
    is_victim: bool
    memory_bytes: int
    swap_bytes: int | None


@dataclass(frozen=True, slots=True)
class View:
    """One incident, ready to draw."""

    summary: str
    place: str
    facts: tuple[tuple[str, Item], ...]
    """Label and sentence: Died, Limit, Filled, Cause."""
    sections: tuple[tuple[str, tuple[Item, ...]], ...]
    bars: tuple[Bar, ...]
    whole_bytes: int | None
    """What the bars are parts of: the limit where it is known, else the usage, else the machine's memory."""
    whole_name: str
    ranking: tuple[Ranked, ...]
    steps: tuple[Advice, ...]
    helped: tuple[str, ...]
    evidence: tuple[tuple[int, str], ...]
    """Every line, in the order of the text."""
    key_lines: tuple[tuple[int, str], ...]
    """The few that carry most, in the order of the text."""

    @property
    def drawn(self) -> tuple[Bar, ...]:
        """The bars that are large enough to be seen: half a percent of the whole."""
        return tuple(bar for bar in self.bars if bar.size_bytes * 200 >= (self.whole_bytes or 0))


def view(incident: Incident) -> View:
    """What to show of an incident."""
    verdict = incident.verdict
    whole, name = _whole(incident)
    return View(
        summary=verdict.summary,
        place=_place(incident),
        facts=_facts(incident),
        sections=tuple(
            (title, items)
            for title, items in (
                (WHY_THIS, _items(verdict.why_victim) + _check(incident)),
                ("Why while memory was free", _items(verdict.why_while_free)),
                ("Worth knowing", _items(verdict.statements)),
            )
            if items
        ),
        bars=tuple(Bar(word, _bar_name(word), amount) for word, amount in verdict.filled_by),
        whole_bytes=whole,
        whole_name=name,
        ranking=_ranking(incident),
        steps=verdict.advice,
        helped=verdict.would_have_helped,
        evidence=tuple(all_evidence(verdict)),
        key_lines=_key_lines(incident),
    )


def _key_lines(incident: Incident) -> tuple[tuple[int, str], ...]:
    """The first lines of each statement, statements in order of weight, until there are enough."""
    verdict = incident.verdict
    first = [one for _, one in _first(incident) if one is not None]
    found: dict[int, str] = {}
    for statement in (
        *first[:2],
        *verdict.why_while_free,
        *first[2:],
        *verdict.why_victim,
        *verdict.statements,
    ):
        found.update(statement.evidence[:LINES_PER_STATEMENT])
    chosen = dict(list(found.items())[:KEY_LINES])
    return tuple(sorted(chosen.items()))


def _place(incident: Incident) -> str:
    report = incident.report
    source = report.source
    lines = f"lines {source.first_line}-{source.last_line}"
    if source.first_line == source.last_line:
        lines = f"line {source.first_line}"
    parts = [f"{source.file}, {lines}"]
    if report.when.wall is not None:
        parts.append(report.when.wall)
    elif report.when.monotonic_us is not None:
        parts.append(f"{report.when.monotonic_us / 1_000_000:.3f} s after boot")
    if report.host.name is not None:
        parts.append(f"host {report.host.name}")
    if report.host.kernel is not None:
        parts.append(f"kernel {report.host.kernel}")
    return ", ".join(parts)


def _facts(incident: Incident) -> tuple[tuple[str, Item], ...]:
    verdict = incident.verdict
    rows = [(label, _item(one)) for label, one in _first(incident) if one is not None]
    sure = "" if verdict.cause == "unknown" else f" ({SURE[verdict.confidence]})"
    rows.append(("Cause", Item(f"{verdict.cause}: {CAUSES[verdict.cause]}{sure}")))
    return tuple(rows)


def _first(incident: Incident) -> tuple[tuple[str, Statement | None], ...]:
    verdict = incident.verdict
    return (("Died", verdict.died), ("Limit", verdict.limit), ("Filled", verdict.filled))


def _items(statements: tuple[Statement, ...]) -> tuple[Item, ...]:
    return tuple(_item(statement) for statement in statements)


def _item(statement: Statement) -> Item:
    doubt = "" if statement.confidence == "certain" else statement.confidence
    return Item(statement.text, tuple(one.line for one in statement.evidence), doubt)


def _check(incident: Incident) -> tuple[Item, ...]:
    verdict = incident.verdict
    if not incident.report.victims or verdict.choice_note is None:
        return ()
    if verdict.choice_checked is None:
        return ()  # the note is among the reasons already, or says only what cannot be done
    head = "Checked" if verdict.choice_checked else "Checked, and it does not fit"
    return (Item(f"{head}: {verdict.choice_note}."),)


def _bar_name(word: str) -> str:
    return BAR_NAMES.get(word) or SHORT_PARTS[word]


def _whole(incident: Incident) -> tuple[int | None, str]:
    whole = incident.verdict.filled_of_bytes
    if incident.report.scope == "memcg":
        limit = limit_hit(incident)
        if limit is not None and not isinstance(limit, Max) and (whole is None or limit >= whole):
            return limit, "the limit"
        return whole, "what was in use"
    nodes = incident.report.scope in ("cpuset", "mempolicy")
    return whole, "the allowed nodes' memory" if nodes else "the machine's memory"


def _ranking(incident: Incident) -> tuple[Ranked, ...]:
    dead = {victim.pid for victim in incident.report.victims}
    page = incident.report.host.page_size_bytes
    rows = [
        Ranked(
            row,
            row.badness_pages,
            row.pid in dead or row.tgid in dead,
            ((row.rss_pages or 0) + (row.swap_pages or 0)) * page + (row.pgtables_bytes or 0),
            None if row.swap_pages is None else row.swap_pages * page,
        )
        for row in incident.tasks
    ]
    return tuple(sorted(rows, key=lambda one: (one.points is None, -(one.points or 0), -one.memory_bytes)))


def top(ranking: tuple[Ranked, ...], count: int = TOP_TASKS) -> tuple[Ranked, ...]:
    """The first few, and as many of the victims wherever they stand."""
    victims = [one for one in ranking if one.is_victim][:count]
    return tuple(one for at, one in enumerate(ranking) if at < count or one in victims)


def line_list(numbers: tuple[int, ...]) -> str:
    """Line numbers with runs drawn together: ``12, 40-44``.

    >>> line_list((12, 40, 41, 42)), line_list((7,))
    ('lines 12, 40-42', 'line 7')
    """
    if not numbers:
        return ""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
    return f"line{'s' if len(numbers) > 1 else ''} {text}"
