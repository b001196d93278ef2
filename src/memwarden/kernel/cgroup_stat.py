"""How many cgroups are below a cgroup: ``cgroup.stat`` of cgroup v2.

::

    nr_descendants 12
    nr_subsys_memory 13
    nr_dying_descendants 1
    nr_dying_subsys_memory 1

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/cgroup.c:cgroup_stat_show``. 5.10 and
6.1 print the descendants only, 6.12 adds a pair of lines per controller; ours is memory.
"""

from typing import Final, TypedDict, cast

from memwarden.kernel import flat_keyed


class CgroupStat(TypedDict, total=False):
    """Counts of cgroups now. A dying one was removed but still holds charged memory."""

    nr_descendants: int
    nr_dying_descendants: int
    nr_subsys_memory: int
    nr_dying_subsys_memory: int


KEYS: Final = frozenset(CgroupStat.__annotations__)


def parse(text: str, *, path: str = "<cgroup.stat>") -> CgroupStat:
    """Parse the file; counts of other controllers are ignored."""
    return cast("CgroupStat", flat_keyed.parse(text, KEYS, path=path))
