"""How many pages one point of oom_score_adj was worth: the total of the scope, exactly or within bounds.

The total that :mod:`memwarden.rules.badness` divides by is not printed. A memcg report shows the limits, but
not how much swap the machine has; a system report shows both, unless they were cut; the score that kernels
before 5.1 print ("score 917 or sacrifice child") gives the total back by division.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.filled_system import managed_bytes
from memwarden.rules.badness import (
    memcg_total_pages,
    memcg_v1_total_pages,
    nodes_total_pages,
    system_total_pages,
)
from memwarden.units import MAX, Max

if TYPE_CHECKING:
    from memwarden.postmortem.model import MemcgFacts, NodeFacts, OomReport
    from memwarden.units import Limit

UNBOUNDED_PAGES: Final = 1 << 44
"""Stands for "any amount of swap": 64 PiB in pages of 4 KiB, where oom_score_adj alone decides."""

SCORE_ERROR_PERCENT: Final = 4
"""What the printed score may be off by: 3 percent of root bonus that nobody prints, and later growth."""


class Total(NamedTuple):
    """Pages from ``low`` to ``high``; ``high`` is ``None`` where nothing in the text bounds it.

    ``why`` says what is missing when the two differ.
    """

    low: int
    high: int | None
    why: str | None = None

    @property
    def exact(self) -> bool:
        """Whether the total is known."""
        return self.low == self.high

    @property
    def ends(self) -> tuple[int, ...]:
        """The totals at which to compute scores: one, or the two ends."""
        high = UNBOUNDED_PAGES if self.high is None else self.high
        return (self.low,) if high == self.low else (self.low, high)


def total_pages(report: OomReport) -> Total | None:
    """Bounds of the scope's total; ``None`` where the text holds nothing to start from."""
    if report.scope == "memcg":
        return _memcg(report)
    if report.node is None:
        return None
    if report.scope in ("cpuset", "mempolicy"):
        return _nodes(report.node, report.host.page_size_bytes)
    return _system(report.node, report.host.page_size_bytes)


def _memcg(report: OomReport) -> Total | None:
    memcg, page = report.memcg, report.host.page_size_bytes
    if memcg is None or memcg.limit_bytes is None or isinstance(memcg.limit_bytes, Max):
        return None
    limit = memcg.limit_bytes // page
    low, high = (_memcg_total(memcg, limit, page, swap) for swap in (0, _swap_pages(report)))
    if low == high:
        return Total(low, high)
    known = _swap_is_known(report)
    return Total(
        low,
        high if known or high < UNBOUNDED_PAGES else None,
        "a cgroup's report does not say how much swap the machine has",
    )


def _memcg_total(memcg: MemcgFacts, limit: int, page: int, swap: int) -> int:
    if memcg.swap_limit_bytes is not None:
        return memcg_total_pages(limit, _pages(memcg.swap_limit_bytes, page), swap)
    memsw = MAX if memcg.memsw_limit_bytes is None else memcg.memsw_limit_bytes
    # Both may be rounded to the same figure; memory+swap is never below memory.
    bound = _pages(memsw, page)
    return memcg_v1_total_pages(limit, bound if isinstance(bound, Max) else max(bound, limit), swap)


def _pages(limit: Limit, page: int) -> Limit:
    return limit if isinstance(limit, Max) else limit // page


def _swap_is_known(report: OomReport) -> bool:
    return report.node is not None and report.node.total_swap_bytes is not None


def _swap_pages(report: OomReport) -> int:
    """The machine's swap, which memcg reports before 3.9 print too; otherwise as much as one likes."""
    if report.node is not None and report.node.total_swap_bytes is not None:
        return report.node.total_swap_bytes // report.host.page_size_bytes
    return UNBOUNDED_PAGES


def _system(node: NodeFacts, page: int) -> Total | None:
    ram = managed_bytes(node)
    if ram is None:
        return None
    low = system_total_pages(ram // page, 0)
    if node.total_swap_bytes is None:
        return Total(low, None, "the text does not say how much swap the machine has")
    total = system_total_pages(ram // page, node.total_swap_bytes // page)
    return Total(total, total)


def _nodes(node: NodeFacts, page: int) -> Total | None:
    if node.total_swap_bytes is None or node.ram_bytes is None:
        return None
    swap = node.total_swap_bytes // page
    present = sum(zone.present_bytes or 0 for zone in node.zones) // page
    return Total(
        nodes_total_pages((), swap),
        nodes_total_pages((max(present, node.ram_bytes // page),), swap),
        "which nodes counted is not printed with their sizes",
    )


def narrowed(total: Total | None, memory_pages: int, oom_score_adj: int, score: int) -> Total | None:
    """Bounds drawn tighter by the score that old kernels print beside "Kill process".

    ``score = points * 1000 / total`` (``mm/oom_kill.c:select_bad_process``, v4.19), so the total is
    ``memory * 1000 / (score - adj)``, within what rounding to a thousandth leaves.
    """
    share = score - oom_score_adj
    if share <= 0 or memory_pages <= 0:
        return total
    low = memory_pages * 1000 * (100 - SCORE_ERROR_PERCENT) // ((share + 1) * 100)
    high = memory_pages * 1000 * (100 + SCORE_ERROR_PERCENT) // (share * 100)
    if total is None:
        return Total(low, high, "the total follows from the printed score, within its rounding")
    tight = Total(max(low, total.low), high if total.high is None else min(high, total.high), total.why)
    # A contradiction says that the row is not the one that was scored: keep what the limits say.
    return tight if tight.low <= (tight.high or 0) else total
