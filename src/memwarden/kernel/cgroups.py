"""The controllers this kernel has: ``/proc/cgroups``.

::

    #subsys_name	hierarchy	num_cgroups	enabled
    cpuset	0	12	1
    memory	4	17	1

Kernel: ``kernel/cgroup/cgroup-v1.c:proc_cgroupstats_show``. Hierarchy 0 is v2 or none. 6.12 and later
list only controllers that have v1 files, so a missing ``memory`` does not mean that there is none.
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


class Controller(NamedTuple):
    """One controller; ``enabled`` is false after ``cgroup_disable=memory`` on the kernel command line."""

    name: str
    hierarchy: int
    cgroups: int
    enabled: bool


def parse(text: str, *, path: str = "<cgroups>") -> dict[str, Controller]:
    """Controllers by name."""
    controllers = {}
    heading, *lines = text.removesuffix("\n").split("\n")
    if not heading.startswith("#subsys_name"):
        raise ParseError(
            path, heading, "no heading '#subsys_name hierarchy num_cgroups enabled'", line_number=1
        )
    for number, line in enumerate(lines, 2):
        try:
            name, hierarchy, cgroups, enabled = line.split("\t")
            controllers[name] = Controller(
                name, unsigned(hierarchy), unsigned(cgroups), bool(unsigned(enabled))
            )
        except ValueError:
            raise ParseError(
                path, line, "not name, hierarchy, count and 0 or 1", line_number=number
            ) from None
    return controllers
