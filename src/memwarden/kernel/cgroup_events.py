"""Whether a cgroup has processes and is frozen: ``cgroup.events`` of cgroup v2.

::

    populated 1
    frozen 0

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/cgroup.c:cgroup_events_show``. The
root has no such file; ``populated`` counts the processes of the whole subtree.
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel import flat_keyed

_KEYS: Final = frozenset({"populated", "frozen"})


class CgroupEvents(NamedTuple):
    """State of a cgroup and its subtree; ``frozen`` is ``None`` before 5.2, which had no freezer in v2."""

    populated: bool
    frozen: bool | None


def parse(text: str, *, path: str = "<cgroup.events>") -> CgroupEvents:
    """Parse the file; a value other than 0 and 1 is an error."""
    figures = flat_keyed.parse(text, _KEYS, path=path)
    if "populated" not in figures or max(figures.values()) > 1:
        raise ParseError(path, text, "no 'populated 0' or 'populated 1'")
    frozen = figures.get("frozen")
    return CgroupEvents(bool(figures["populated"]), None if frozen is None else bool(frozen))
