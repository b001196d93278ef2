"""How long ``memory.high`` makes an allocating task sleep, in the kernel's integers.

``mm/memcontrol.c:calculate_overage`` and ``calculate_high_delay`` (v5.10, v6.1, v6.12): the same arithmetic.
In real terms the delay is 64 s * r**2 * (pages / batch), where r = (usage - high) / high; ``memory.max`` is
nowhere in it. It is worked out when a task returns to user space, for the pages that it was charged since,
and the task only sleeps when reclaim freed nothing in all its rounds.
"""

from collections.abc import Iterable
from typing import Final

PRECISION_SHIFT: Final = 20
"""``MEMCG_DELAY_PRECISION_SHIFT``: overage is in units of 2**-20."""
SCALING_SHIFT: Final = 14
"""``MEMCG_DELAY_SCALING_SHIFT``."""
MAX_DELAY_S: Final = 2
"""``MEMCG_MAX_HIGH_DELAY_JIFFIES`` is so many times HZ, per return to user space."""
ROUNDS: Final = 17
"""Fruitless rounds of reclaim before the sleep: the first and ``MAX_RECLAIM_RETRIES``."""
RETRY_PAGES: Final = 32
"""``SWAP_CLUSTER_MAX``: what every round after the first asks for."""
_U64: Final = (1 << 64) - 1


def overage(usage_pages: int, high_pages: int) -> int:
    """How far usage is above high, as a share of high in units of 2**-20; 0 at or below it."""
    if usage_pages <= high_pages:
        return 0
    return ((usage_pages - high_pages << PRECISION_SHIFT) & _U64) // max(high_pages, 1)


def penalty_jiffies(charged_pages: int, max_overage: int, *, hz: int, batch_pages: int) -> int:
    """Jiffies for one kind of memory, before the ceiling of :func:`delay_us`.

    ``batch_pages`` is ``MEMCG_CHARGE_BATCH``: 32 in 5.10, 64 from 6.1 on. The square overflows 64 bits as it
    does in C.
    """
    if not max_overage:
        return 0
    penalty = (max_overage * max_overage & _U64) * hz & _U64
    penalty >>= PRECISION_SHIFT
    penalty >>= SCALING_SHIFT
    return (penalty * charged_pages & _U64) // batch_pages


def delay_jiffies(charged_pages: int, overages: Iterable[int], *, hz: int, batch_pages: int) -> int:
    """The sleep of one return: the sum over memory and swap, at most 2 s, none up to 10 ms."""
    total = sum(penalty_jiffies(charged_pages, each, hz=hz, batch_pages=batch_pages) for each in overages)
    total = min(total, MAX_DELAY_S * hz)
    return 0 if total <= hz // 100 else total
