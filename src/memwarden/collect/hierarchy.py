"""Which cgroup hierarchy controls memory, and where it is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.collect.leniency import decode, gap
from memwarden.errors import ParseError, ReadError
from memwarden.kernel import controllers, mountinfo
from memwarden.state.gaps import Gap, GapReason
from memwarden.state.snapshot import CgroupMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.collect.leniency import Reading
    from memwarden.kernel.mountinfo import Mount

USUAL: Final = "/sys/fs/cgroup"
MOUNTINFO: Final = "/proc/self/mountinfo"


class Hierarchy(NamedTuple):
    """The hierarchy with the memory controller.

    ``mount_point`` is where its root is seen; ``root`` which part of the hierarchy that is, ``/`` for all
    of it. A container without a cgroup namespace sees ``/docker/ID`` of the hierarchy at ``/sys/fs/cgroup``.
    """

    mode: CgroupMode
    mount_point: str = USUAL
    root: str = "/"
    options: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """1 or 2."""
        return 2 if self.mode is CgroupMode.V2 else 1

    def relative(self, path: str) -> str | None:
        """A cgroup path of ``/proc/PID/cgroup`` seen from the mount point; ``None`` for one outside of it."""
        if self.root != "/":
            if path != self.root and not path.startswith(self.root + "/"):
                return None
            path = path[len(self.root) :] or "/"
        return None if path.startswith("/..") and path[3:4] in ("", "/") else path


def mounts(reading: Reading) -> tuple[Mount, ...]:
    """The mounts of our own mount namespace."""
    return reading.file(MOUNTINFO, mountinfo.parse) or ()


def detect(reading: Reading, all_mounts: Iterable[Mount], given: str | None) -> Hierarchy:
    """The hierarchy among the mounts, or at and below the directory ``given``, mounted or not."""
    if given is not None:
        below = given.rstrip("/") + "/"
        all_mounts = [mount for mount in all_mounts if (mount.mount_point + "/").startswith(below)]
    v1 = mountinfo.cgroup_v1_memory(all_mounts)
    v2 = mountinfo.cgroup2(all_mounts)
    if v1:
        return _of(CgroupMode.HYBRID if v2 else CgroupMode.V1, v1)
    if v2:
        found = _of(CgroupMode.V2, v2)
        return found if _has_memory(reading, found.mount_point) else found._replace(mode=CgroupMode.NONE)
    if given is not None:
        return _by_files(reading, given)
    reading.gaps.append(
        Gap(MOUNTINFO, GapReason.NOT_SUPPORTED, "no cgroup hierarchy with the memory controller is mounted")
    )
    return Hierarchy(CgroupMode.NONE)


def _of(mode: CgroupMode, found: tuple[Mount, ...]) -> Hierarchy:
    """The mount that shows most: the whole hierarchy, at the usual place, nearest to the root."""
    best = min(
        reversed(found),  # of two at one place the later hides the earlier
        key=lambda mount: (
            mount.root != "/",
            not (mount.mount_point + "/").startswith(USUAL + "/"),
            len(mount.mount_point),
        ),
    )
    return Hierarchy(mode, best.mount_point, best.root, best.super_options)


def _has_memory(reading: Reading, mount_point: str) -> bool:
    path = f"{mount_point}/cgroup.controllers"
    try:
        names = controllers.parse(decode(reading.source.cgroups(mount_point).read("cgroup.controllers")))
    except (ReadError, ParseError) as error:
        reading.gaps.append(gap(error, path))
        return False
    if "memory" in names:
        return True
    reading.gaps.append(
        Gap(path, GapReason.NOT_SUPPORTED, "this hierarchy has no memory controller (cgroup_disable=memory?)")
    )
    return False


def _by_files(reading: Reading, given: str) -> Hierarchy:
    """What the files in a directory that no mount is known of say: a tree that was bound or copied there."""
    if _holds(reading, given, "cgroup.controllers"):
        mode = CgroupMode.V2 if _has_memory(reading, given) else CgroupMode.NONE
        return Hierarchy(mode, given)
    both = _holds(reading, f"{given}/unified", "cgroup.controllers")
    for place in (given, f"{given}/memory"):
        if _holds(reading, place, "memory.usage_in_bytes"):
            return Hierarchy(CgroupMode.HYBRID if both else CgroupMode.V1, place)
    reading.gaps.append(Gap(given, GapReason.NO_FILE, "no cgroup.controllers and no memory.usage_in_bytes"))
    return Hierarchy(CgroupMode.NONE, given)


def _holds(reading: Reading, directory: str, name: str) -> bool:
    try:
        reading.source.cgroups(directory).read(name)
    except ReadError:
        return False
    return True
