r"""Where the cgroup hierarchies are mounted: ``/proc/PID/mountinfo``.

::

    31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
    36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
    48 27 8:1 /a /srv/with\040blank rw - ext4 /dev/sda1 rw

Kernel: Documentation/filesystems/proc.rst, ``fs/proc_namespace.c:show_mountinfo``. Blanks, tabs, newlines
and backslashes in paths are printed as ``\ooo``.
"""

from collections.abc import Iterable
from typing import NamedTuple

from memwarden.errors import ParseError
from memwarden.kernel.escapes import unescape
from memwarden.kernel.numbers import unsigned


class Mount(NamedTuple):
    """One mount. ``root`` is the part of the file system that is seen at ``mount_point``."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    mount_point: str
    options: tuple[str, ...]
    fs_type: str
    source: str
    super_options: tuple[str, ...]


def parse(text: str, *, path: str = "<mountinfo>") -> tuple[Mount, ...]:
    """All mounts, in the order printed: of two at the same place the later hides the earlier."""
    mounts = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            mounts.append(_mount(line))
        except ValueError:
            raise ParseError(path, line, "not a mount", line_number=number) from None
    return tuple(mounts)


def _mount(line: str) -> Mount:
    words = line.split(" ")
    mount_id, parent_id, device, root, mount_point, options = words[:6]
    # Any number of tagged fields (shared:9 master:1) comes before the dash.
    fs_type, source, *super_options = words[words.index("-", 6) + 1 :]
    return Mount(
        mount_id=unsigned(mount_id),
        parent_id=unsigned(parent_id),
        device=device,
        root=unescape(root),
        mount_point=unescape(mount_point),
        options=tuple(options.split(",")),
        fs_type=fs_type,
        source=unescape(source),
        super_options=tuple(" ".join(super_options).split(",")),
    )


def cgroup2(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """The mounts of the v2 hierarchy; its options (``memory_recursiveprot``…) are in ``super_options``."""
    return tuple([mount for mount in mounts if mount.fs_type == "cgroup2"])


def cgroup_v1_memory(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """The mounts of the v1 hierarchy that has the memory controller."""
    return tuple([mount for mount in mounts if mount.fs_type == "cgroup" and "memory" in mount.super_options])
