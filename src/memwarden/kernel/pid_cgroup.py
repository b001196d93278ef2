"""The cgroups of a process: ``/proc/PID/cgroup``.

::

    9:name=systemd:/user.slice
    4:cpu,cpuacct:/
    3:memory:/docker/5f1c
    0::/system.slice/nginx.service

Kernel: Documentation/admin-guide/cgroup-v2.rst, ``kernel/cgroup/cgroup.c:proc_cgroup_show``. Hierarchy 0
is v2. Nothing is escaped: a path may hold colons, and on kernels whose ``cgroup_mkdir`` took them,
newlines. A removed cgroup of v2 ends in `` (deleted)``; a path that starts with ``/..`` is outside the
reader's cgroup namespace.
"""

from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.numbers import unsigned

_DELETED = " (deleted)"


class Membership(NamedTuple):
    """The cgroup of a process in one hierarchy.

    ``controllers`` is empty for v2 and ``("name=systemd",)`` for a named hierarchy without controllers.
    ``deleted`` cannot be told from a cgroup whose name ends that way; look whether the directory is there.
    """

    hierarchy: int
    controllers: tuple[str, ...]
    path: str
    deleted: bool


def parse(text: str, *, path: str = "<cgroup>") -> tuple[Membership, ...]:
    """One membership per hierarchy, in the order printed."""
    memberships: dict[int, Membership] = {}
    for number, line in enumerate(_entries(text), 1):
        try:
            membership = _membership(line)
        except ValueError:
            raise ParseError(path, line, "not hierarchy:controllers:/path", line_number=number) from None
        # Twice the same: a name with a newline pretends to be an entry, and nothing tells which is true.
        if membership.hierarchy in memberships:
            raise ParseError(path, line, "a second cgroup in the same hierarchy", line_number=number)
        memberships[membership.hierarchy] = membership
    return tuple(memberships.values())


def _membership(line: str) -> Membership:
    hierarchy, controllers, cgroup = line.split(":", 2)
    if not cgroup.startswith("/"):
        raise ValueError(line)
    return Membership(
        hierarchy=unsigned(hierarchy),
        controllers=tuple(controllers.split(",")) if controllers else (),
        path=cgroup.removesuffix(_DELETED),
        deleted=cgroup.endswith(_DELETED),
    )


def _entries(text: str) -> list[str]:
    """The lines; one that does not begin like an entry is the rest of a path with a newline in it."""
    entries: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        hierarchy, colon, _ = line.partition(":")
        if entries and not (colon and hierarchy.isdecimal()):
            entries[-1] += "\n" + line
        else:
            entries.append(line)
    return entries


def memory_path(memberships: tuple[Membership, ...], *, version: int) -> str | None:
    """The cgroup that memory is charged to, ``None`` without one: of v2, or of v1's memory hierarchy."""
    for membership in memberships:
        if membership.hierarchy == 0 if version == 2 else "memory" in membership.controllers:
            return membership.path
    return None
