"""Pods by the cgroup names of the kubelet.

The kubelet's name is a list, ``[kubepods, burstable|besteffort, pod<UID>]`` with the class left out for
Guaranteed pods. With the cgroupfs driver it is joined by ``/``; with the systemd driver each element has
``-`` replaced by ``_`` and every prefix becomes a slice (kubernetes
``pkg/kubelet/cm/cgroup_manager_linux.go:CgroupName.ToSystemd``). ``--cgroup-root`` puts names in front.
"""

from typing import Final, Literal, NamedTuple

Level = Literal["container", "pod", "qos", "node-allocatable"]

_ROOT: Final = "kubepods"
_CLASSES: Final = ("burstable", "besteffort")


class PodPath(NamedTuple):
    """What a path says of a pod. ``depth`` is the component that says it, counted from 0."""

    qos: str | None
    pod_uid: str | None
    depth: int

    @property
    def level(self) -> Level:
        """The level of the kubelet's own directories; a container below a pod is found by its name."""
        if self.pod_uid is not None:
            return "pod"
        return "qos" if self.qos is not None else "node-allocatable"


def parse_pod(components: tuple[str, ...]) -> PodPath | None:
    """Find the pod in the components of a path; in nested clusters the innermost counts.

    >>> parse_pod(("kubepods", "burstable", "pod1-2"))
    PodPath(qos='burstable', pod_uid='1-2', depth=2)
    >>> parse_pod(("kubepods.slice", "kubepods-pod1_2.slice"))
    PodPath(qos='guaranteed', pod_uid='1-2', depth=1)
    """
    for index in range(len(components) - 1, -1, -1):
        component = components[index]
        if component == _ROOT:
            return _read(components[index + 1 :], index)
        names = component.removesuffix(".slice").split("-") if component.endswith(".slice") else []
        if _ROOT in names:
            below = names[len(names) - names[::-1].index(_ROOT) :]
            found = _read(tuple(name.replace("_", "-") for name in below), index)
            return found._replace(depth=index)
    return None


def _read(names: tuple[str, ...], index: int) -> PodPath:
    """``names`` stand after ``kubepods``, which is component ``index`` of the path."""
    qos = names[0] if names and names[0] in _CLASSES else None
    at = 0 if qos is None else 1
    if len(names) > at and names[at].startswith("pod"):
        return PodPath(qos or "guaranteed", names[at].removeprefix("pod"), index + at + 1)
    return PodPath(qos, None, index + at)
