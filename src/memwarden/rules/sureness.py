"""How sure a ranking is: the error of the counters against the distance between two candidates.

``include/linux/mm.h:get_mm_counter``. What /proc shows is what badness reads, so the error is not one of
reading but of time: counts that a CPU or a thread still holds back arrive later, and may change the order.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden.state.traits import KernelTraits

_COUNTERS: Final = 4
"""File, anonymous and shared memory, swap entries: each a counter of its own."""

_EVENTS: Final = 64
"""``TASK_RSS_EVENTS_THRESH`` (v6.1): page faults that a thread counts before it tells the process."""


class Sureness(Enum):
    """How sure it is that the first candidate dies first."""

    CERTAIN = "certain"  # the distance to the second is greater than the counters' error
    LIKELY = "likely"  # it is not, but there is one
    TIE = "tie"  # the order of visiting decides
    PARTIAL = "partial"  # the memory of some process in the scope could not be read


def rss_error_pages(traits: KernelTraits, *, threads: int, cpus: int) -> int:
    """By how many pages the counted memory of one process may be off.

    Where the kernel sums exactly (7.x), 0. ``lib/percpu_counter.c`` (6.2 to 6.x): each CPU holds back less
    than max(32, 2 * CPUs) pages of each counter. ``mm/memory.c:check_sync_rss_stat`` (to 6.1): each thread
    holds back up to 64 events. The greater of both is taken, since a trait says only that one is true.
    """
    if traits.approximate_rss is False:
        return 0
    per_cpu = max(32, 2 * cpus) * cpus * _COUNTERS
    return max(per_cpu, _EVENTS * threads)


def sureness(margin: int | None, error: int, *, unread: int) -> Sureness:
    """Judge a ranking by the distance of first and second (``None``: there is no second), in points."""
    if unread:
        return Sureness.PARTIAL
    if margin is None or margin > error:
        return Sureness.CERTAIN
    return Sureness.LIKELY if margin else Sureness.TIE
