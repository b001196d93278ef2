r"""Whose a cgroup is: systemd unit, container, pod - from its path alone.

Formats: systemd ``src/basic/cgroup-util.c``, container runtimes (:mod:`memwarden.rules.container_path`),
kubelet (:mod:`memwarden.rules.kubepods`). Nothing is asked of a manager or an API, so that a path in a
report of a dead machine reads the same as one of this machine.
"""

import re
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from memwarden.rules.container_path import Container, parse_container
from memwarden.rules.kubepods import Level, parse_pod
from memwarden.rules.systemd_unit import Unit, parse_unit

Manager = Literal["system", "user", "container"]

# runc's "slice:prefix:id", taken literally as a directory name when the runtime's driver is cgroupfs but
# the kubelet's (or docker's) is systemd.
_COLONS: Final = re.compile(r"(?P<slice>[^:]*\.slice)?:(?P<prefix>[a-z-]+):(?P<id>[^:]+)")


class Identity(NamedTuple):
    """What a cgroup path names; ``None`` where it does not say.

    ``unit`` is the innermost systemd unit as ``systemctl`` takes it, ``unit_title`` the same without
    escapes. ``manager`` tells who to ask for it: the system's manager, the one of user ``user_uid``, or
    one inside a container. ``container`` is the innermost, ``outer_containers`` those it runs in,
    outermost first. ``qos`` is guaranteed, burstable or besteffort.
    """

    path: str
    unit: str | None = None
    unit_title: str | None = None
    template: str | None = None
    instance: str | None = None
    slice: str | None = None
    manager: Manager | None = None
    user_uid: int | None = None
    container: Container | None = None
    outer_containers: tuple[Container, ...] = ()
    qos: str | None = None
    pod_uid: str | None = None
    level: Level | None = None
    ecs_task: str | None = None

    @property
    def runtime(self) -> str | None:
        """The innermost container's runtime."""
        return self.container.runtime if self.container else None

    @property
    def container_id(self) -> str | None:
        """The innermost container's id."""
        return self.container.id if self.container else None


def identify(path: str) -> Identity:
    r"""Read a cgroup path as the kernel prints it (``/proc/PID/cgroup``, ``task_memcg=``).

    A trailing `` (deleted)`` of a removed cgroup is dropped.

    >>> identify("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service").manager
    'user'
    >>> identify("/system.slice/docker-" + 64 * "a" + ".scope").runtime
    'docker'
    """
    path = path.removesuffix(" (deleted)")
    components = tuple(_components(path))
    containers = _containers(components)
    unit = _Units(components, {index for index, _ in containers})
    pod = parse_pod(components)
    in_pod = pod is not None and bool(containers) and containers[-1][0] > pod.depth
    chain = tuple(container for _, container in containers)
    # The node of a nested cluster is a container too, but not the one a pod-level path names.
    inner = None if pod is not None and not in_pod else (chain[-1] if chain else None)
    return Identity(
        path=path,
        unit=unit.unit.name if unit.unit else None,
        unit_title=unit.unit.title if unit.unit else None,
        template=unit.unit.template if unit.unit else None,
        instance=unit.unit.instance if unit.unit else None,
        slice=unit.slice,
        manager=unit.manager,
        user_uid=unit.user_uid,
        container=inner,
        outer_containers=chain[:-1] if inner else chain,
        qos=pod.qos if pod else None,
        pod_uid=pod.pod_uid if pod else None,
        level=("container" if in_pod else pod.level) if pod else None,
        ecs_task=_ecs_task(components),
    )


def _components(path: str) -> list[str]:
    found: list[str] = []
    for component in filter(None, path.split("/")):
        match = _COLONS.fullmatch(component)
        if match is None:
            found.append(component)
            continue
        if match["slice"]:
            found.append(match["slice"])
        found.append(f"{match['prefix']}-{match['id']}")
    return found


def _containers(components: tuple[str, ...]) -> list[tuple[int, Container]]:
    found = []
    for index, component in enumerate(components):
        container = parse_container(component, components[:index])
        if container is not None:
            found.append((index, container))
    return found


class _Units:
    """The walk down a path from one service manager to the next.

    A manager's units are slices and, in the last of them, one other unit; what lies below that is the
    unit's own business, unless it is a user's service manager or a container with a manager inside.
    """

    def __init__(self, components: tuple[str, ...], container_at: set[int]) -> None:
        self.unit: Unit | None = None
        self.slice: str | None = None
        self.manager: Manager | None = None
        self.user_uid: int | None = None
        closed = inside = False
        for index, component in enumerate(components):
            unit = None if closed else parse_unit(component)
            if unit is not None:
                self._enter(unit, inside=inside)
                closed = not unit.is_slice and unit.user_manager_uid is None
            if index in container_at:
                closed, inside = False, True

    def _enter(self, unit: Unit, *, inside: bool) -> None:
        if inside:
            self.manager, self.user_uid = "container", None
        elif self.manager is None:
            self.manager = "system"
        elif self.unit is not None and self.unit.user_manager_uid is not None:
            self.manager, self.user_uid = "user", self.unit.user_manager_uid
        if unit.is_slice:
            self.slice = unit.name
        self.unit = unit


def _ecs_task(components: tuple[str, ...]) -> str | None:
    """The task of Amazon ECS: ``/ecs/[CLUSTER/]TASK/ID``, under systemd ``ecstasks-TASK.slice``."""
    for above, component in pairwise(components):
        if above == "ecstasks.slice" and component.endswith(".slice"):
            return component.removeprefix("ecstasks-").removesuffix(".slice")
    if "ecs" in components[:-2]:
        return components[-2]
    return None
