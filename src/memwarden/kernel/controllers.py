"""The controllers of a cgroup: ``cgroup.controllers`` and ``cgroup.subtree_control`` of cgroup v2.

::

    cpuset cpu io memory pids

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/cgroup.c:cgroup_print_ss_mask``. Where
``memory`` is missing in the root, the memory controller is on cgroup v1 or switched off.
"""

from __future__ import annotations

from memwarden.errors import ParseError


def parse(text: str, *, path: str = "<cgroup.controllers>") -> tuple[str, ...]:
    """Controller names in the order printed; none when the file is empty."""
    names = tuple(text.split())
    if not all(name.isascii() and name.isidentifier() for name in names):
        raise ParseError(path, text, "not a list of controller names")
    return names
