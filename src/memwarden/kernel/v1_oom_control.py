"""The OOM switch and state of a cgroup v1: ``memory.oom_control``.

::

    oom_kill_disable 0
    under_oom 0
    oom_kill 3

Kernel: Documentation/admin-guide/cgroup-v1/memory.rst, ``mm/memcontrol-v1.c:mem_cgroup_oom_control_read``.
``oom_kill`` exists since 4.13. Written as a number, read as keys.
"""

from typing import Final, NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel import flat_keyed

_KEYS: Final = frozenset({"oom_kill_disable", "under_oom", "oom_kill"})


class V1OomControl(NamedTuple):
    """``oom_kill_disable``: tasks wait at the limit instead; ``under_oom``: they are waiting now."""

    oom_kill_disable: bool
    under_oom: bool
    oom_kill: int | None


def parse(text: str, *, path: str = "<memory.oom_control>") -> V1OomControl:
    """Parse the file; ``oom_kill`` counts the processes of this cgroup that the OOM killer killed."""
    figures = flat_keyed.parse(text, _KEYS, path=path)
    try:
        disabled, under = figures["oom_kill_disable"], figures["under_oom"]
    except KeyError as missing:
        raise ParseError(path, text, f"no {missing.args[0]}") from None
    return V1OomControl(bool(disabled), bool(under), figures.get("oom_kill"))
