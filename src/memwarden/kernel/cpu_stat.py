"""CPU time of a cgroup: ``cpu.stat`` of cgroup v2.

::

    usage_usec 2105482
    user_usec 1650100
    system_usec 455382
    nr_periods 0
    nr_throttled 0
    throttled_usec 0

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/rstat.c:cgroup_base_stat_cputime_show``.
The last lines exist where the cpu controller is enabled.
"""

from typing import Final, TypedDict, cast

from memwarden.kernel import flat_keyed


class CpuStat(TypedDict, total=False):
    """Microseconds and counts since the cgroup was made, of the whole subtree."""

    usage_usec: int
    user_usec: int
    system_usec: int
    nice_usec: int
    nr_periods: int
    nr_throttled: int
    throttled_usec: int
    nr_bursts: int
    burst_usec: int


KEYS: Final = frozenset(CpuStat.__annotations__)


def parse(text: str, *, path: str = "<cpu.stat>") -> CpuStat:
    """Parse the file; other keys are ignored."""
    return cast("CpuStat", flat_keyed.parse(text, KEYS, path=path))
