"""The processes or threads in a cgroup: ``cgroup.procs``, ``cgroup.threads`` and v1 ``tasks``.

::

    1
    4242

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/cgroup.c:cgroup_procs_show``. v2 lists
in order of joining, v1 sorts by pid. A process that is in no pid namespace of the reader is 0.
"""

from __future__ import annotations

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned


def parse(text: str, *, path: str = "<cgroup.procs>") -> tuple[int, ...]:
    """Pids in the order printed, none for an empty cgroup; 0 is a process that the reader cannot name."""
    try:
        return tuple([unsigned(line) for line in text.removesuffix("\n").split("\n")]) if text else ()
    except ValueError:
        raise ParseError(path, text, "not one pid per line") from None
