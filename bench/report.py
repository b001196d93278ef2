"""A claim, its bar, and the table that ``docs/benchmarks.md`` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bench.measure import Ratio


class Claim(NamedTuple):
    """One measured ratio. Exactly one of ``at_most`` and ``at_least`` is its bar."""

    what: str
    rival: str
    measure: str
    value: Ratio
    detail: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the median keeps the bar."""
        if self.at_most is not None:
            return self.value.median <= self.at_most
        return self.at_least is not None and self.value.median >= self.at_least

    @property
    def bar(self) -> str:
        """The bar in words."""
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


HEAD = (
    "| what | against | measure | ratio: median (least to greatest) | bar | kept | figures |",
    "|---|---|---|---|---|---|---|",
)


def table(claims: list[Claim], kept: str = "") -> str:
    """The claims as a Markdown table; rows of the table ``kept`` that none of them is about come first."""
    rows = {_what(row): row for row in kept.splitlines() if row.startswith("| ") and row not in HEAD}
    for c in claims:
        row = (
            f"| {c.what} | {c.rival} | {c.measure} | {c.value} | {c.bar} | {'yes' if c.met else '**no**'} "
            f"| {c.detail} |"
        )
        rows[_what(row)] = row
    return "\n".join([*HEAD, *rows.values()]) + "\n"


def _what(row: str) -> tuple[str, ...]:
    """What a row is about: its first three cells."""
    return tuple(cell.strip() for cell in row.split(" | ")[:3])
