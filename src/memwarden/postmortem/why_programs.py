"""Memory by program: many small processes of one name can fill what no single one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem import names
from memwarden.postmortem.model import Statement
from memwarden.postmortem.why_lines import lines
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import OomReport

SHOWN: Final = 3
WORKERS: Final = 16
"""From so many processes of one name on they are called workers, whose number somebody chose."""
ONE_SHARE: Final = 4
"""A single process with a quarter of its program's memory is a big process, not one of many workers."""


class Program(NamedTuple):
    """All processes of one name: how many, their memory and swap together, and the largest one's."""

    comm: str
    processes: int
    size_bytes: int
    largest_bytes: int

    @property
    def is_workers(self) -> bool:
        """Whether it is their number that makes the size."""
        return self.processes >= WORKERS and self.largest_bytes * ONE_SHARE < self.size_bytes


def programs(report: OomReport) -> tuple[Program, ...]:
    """Programs by resident memory and swap, most first."""
    page = report.host.page_size_bytes
    found: dict[str, list[int]] = {}
    for row in report.tasks:
        found.setdefault(row.comm, []).append(((row.rss_pages or 0) + (row.swap_pages or 0)) * page)
    made = [Program(comm, len(sizes), sum(sizes), max(sizes)) for comm, sizes in found.items()]
    return tuple(sorted(made, key=lambda one: -one.size_bytes))


def by_program(facts: Facts) -> tuple[Statement, ...]:
    """Said where the program that holds most is more than one process."""
    found = [one for one in programs(facts.report) if one.size_bytes]
    if not found or found[0].processes == 1:
        return ()
    shown = [f"{_named(one)} with {size(one.size_bytes)}" for one in found[:SHOWN]]
    text = f"By program: {names.listed(shown)} (memory that processes share counts in each)."
    return (Statement(text, lines(facts.report, "table"), "likely"),)


def _named(one: Program) -> str:
    return one.comm if one.processes == 1 else f"{one.processes} processes of {one.comm}"
