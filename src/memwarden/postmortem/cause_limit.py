"""Which limit of the cgroup was hit: memory, memory+swap (v1), kernel memory (v1), or none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from memwarden.units import Max

if TYPE_CHECKING:
    from memwarden.postmortem.model import MemcgFacts, OomReport
    from memwarden.units import Limit

CHARGE_PAGES: Final = 64
"""The largest batch of one charge (``include/linux/memcontrol.h:MEMCG_CHARGE_BATCH``, v6.12): a charge of
up to this much fails although usage is still below the limit by less than it."""

SETTLED: Final = 200
"""Half a percent of the limit: what other tasks free between the failed charge and the printing."""

HIGHEST_ORDER: Final = 20
"""Above every architecture's MAX_PAGE_ORDER (``include/linux/mmzone.h``: 10, on some 13)."""

Which = Literal["memory", "memory+swap", "kmem", "none", "unknown"]


class LimitHit(NamedTuple):
    """``which`` limit, what it counted and how often it was hit before; ``near`` tells all that were full."""

    which: Which
    usage_bytes: int | None = None
    limit_bytes: Limit | None = None
    failcnt: int | None = None
    near: tuple[Which, ...] = ()

    @property
    def reached(self) -> bool:
        """False where the printed usage is well below the printed limit: it has moved since."""
        return self.which in self.near


def limit_hit(report: OomReport) -> LimitHit:
    """Compare usage with limit, for each limit that the report prints.

    Memory+swap and kernel memory are named only where memory itself is not full: with both full it is the
    memory limit that makes the kernel look for something to free.
    """
    memcg = report.memcg
    if memcg is None:
        return LimitHit("unknown")
    slack = max(CHARGE_PAGES * report.host.page_size_bytes, requested_bytes(report))
    counters = _counters(memcg)
    near = tuple(which for which, usage, limit, _ in counters if _near(usage, limit, slack))
    for which, usage, limit, failcnt in counters:
        if which in near:
            return LimitHit(which, usage, limit, failcnt, near)
    usage, limit = memcg.usage_bytes, memcg.limit_bytes
    if usage is None or limit is None:
        return LimitHit("unknown", usage, limit, memcg.failcnt)
    unlimited = all(isinstance(limit, Max) for _, _, limit, _ in counters if limit is not None)
    return LimitHit("none" if unlimited else "memory", usage, limit, memcg.failcnt)


def requested_bytes(report: OomReport) -> int:
    """What was asked for in one piece: 2^order pages. The order of damaged text may be any number."""
    return report.host.page_size_bytes << min(max(0, report.invoker.order or 0), HIGHEST_ORDER)


def _counters(memcg: MemcgFacts) -> tuple[tuple[Which, int | None, Limit | None, int | None], ...]:
    return (
        ("memory", memcg.usage_bytes, memcg.limit_bytes, memcg.failcnt),
        ("memory+swap", memcg.memsw_usage_bytes, memcg.memsw_limit_bytes, memcg.memsw_failcnt),
        ("kmem", memcg.kmem_usage_bytes, memcg.kmem_limit_bytes, memcg.kmem_failcnt),
    )


def _near(usage: int | None, limit: Limit | None, slack: int) -> bool:
    if usage is None or limit is None or isinstance(limit, Max):
        return False
    # A tiny limit is smaller than the batch; an empty counter is not at it.
    return usage > 0 and usage >= limit - max(min(slack, limit // 4), limit // SETTLED)


def is_v1(memcg: MemcgFacts) -> bool | None:
    """Cgroup v1 prints ``memory+swap:`` or ``kmem:``, v2 ``swap:``; ``None`` when neither stands there."""
    if memcg.memsw_limit_bytes is not None or memcg.kmem_limit_bytes is not None:
        return True
    return False if memcg.swap_limit_bytes is not None else None
