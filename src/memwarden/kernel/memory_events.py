"""Events of a memory cgroup: ``memory.events``, ``memory.events.local`` and ``memory.swap.events``.

::

    low 0
    high 583
    max 18
    oom 1
    oom_kill 1
    oom_group_kill 0

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``mm/memcontrol.c:__memory_events_show``. All are
counts of attempts, exact and current at every read: a hopeless charge gives 18 ``max`` and one
``oom``. ``memory.events`` counts the cgroup and everything below it, ``memory.events.local`` the
cgroup alone. 5.10 prints the first five, 6.1 adds ``oom_group_kill``, 7.2 ``sock_throttled``.
"""

from typing import Final, TypedDict, cast

from memwarden.kernel import flat_keyed


class MemoryEvents(TypedDict, total=False):
    """Counts since the cgroup was made; a key the kernel does not print is missing."""

    low: int
    high: int
    max: int
    oom: int
    oom_kill: int
    oom_group_kill: int
    sock_throttled: int


class SwapEvents(TypedDict, total=False):
    """Counts of ``memory.swap.events``: over ``swap.high``, at ``swap.max``, and swap slots refused."""

    high: int
    max: int
    fail: int


KEYS: Final = frozenset(MemoryEvents.__annotations__)
SWAP_KEYS: Final = frozenset(SwapEvents.__annotations__)


def parse(text: str, *, path: str = "<memory.events>") -> MemoryEvents:
    """Parse ``memory.events`` or ``memory.events.local``."""
    return cast("MemoryEvents", flat_keyed.parse(text, KEYS, path=path))


def parse_swap(text: str, *, path: str = "<memory.swap.events>") -> SwapEvents:
    """Parse ``memory.swap.events``."""
    return cast("SwapEvents", flat_keyed.parse(text, SWAP_KEYS, path=path))
