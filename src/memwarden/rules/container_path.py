r"""Containers and virtual machines by the names that their runtimes give to cgroups.

Each runtime names the directory after the container: as a systemd scope with a prefix (``docker-ID.scope``),
as a plain directory with a prefix (``crio-ID``), or as the bare id below a directory of its own
(``/docker/ID``). One component is judged at a time, by its name and the name of its parent.
"""

import re
from typing import Final, NamedTuple

from memwarden.rules.systemd_unit import unescape

UNKNOWN_RUNTIME: Final = "unknown"

_ID: Final = r"[0-9a-f]{64}"
_PREFIXED: Final = re.compile(rf"(?P<prefix>[a-z][a-z-]*?)-(?P<id>{_ID})(?:\.scope)?")
_BARE: Final = re.compile(_ID)
_ECS_ID: Final = re.compile(rf"{_ID}|[0-9a-f]{{32}}-\d+")
_MACHINE: Final = re.compile(r"machine-(?P<name>.+)\.scope")
_NSPAWN: Final = re.compile(r"systemd-nspawn@(?P<name>.+)\.service")
_LIBVIRT: Final = re.compile(r"(?P<driver>qemu|lxc)-\d+-(?P<name>.+)")
_PROXMOX_VM: Final = re.compile(r"(?P<id>\d+)\.scope")

_RUNTIME_OF_PREFIX: Final = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod-payload": "podman",
    "buildah": "buildah",
}
_RUNTIME_OF_PARENT: Final = {
    "docker": "docker",
    "default": "containerd",  # containerd's namespace "default", used by ctr and nerdctl
    "k8s.io": "containerd",  # containerd's namespace of the kubelet
}


class Container(NamedTuple):
    """A container or virtual machine. ``runtime`` is ``unknown`` where the name does not tell it."""

    runtime: str
    id: str


def is_monitor(component: str) -> bool:
    """Whether the directory holds a container's monitor (conmon) rather than the container.

    >>> is_monitor("crio-conmon-" + 64 * "a" + ".scope")
    True
    """
    match = _PREFIXED.fullmatch(component)
    return match is not None and match["prefix"].endswith("conmon")


def parse_container(component: str, parents: tuple[str, ...]) -> Container | None:
    """Read one component of a cgroup path as a container; ``parents`` stand above it, root first.

    >>> parse_container("docker-" + 64 * "0" + ".scope", ("system.slice",)).runtime
    'docker'
    >>> parse_container("101", ("lxc",))
    Container(runtime='lxc', id='101')
    """
    parent = parents[-1] if parents else ""
    if "ecs" in parents and _ECS_ID.fullmatch(component):
        return Container("ecs", component)
    if _BARE.fullmatch(component):
        return Container(_RUNTIME_OF_PARENT.get(parent, UNKNOWN_RUNTIME), component)
    if match := _PREFIXED.fullmatch(component):
        if is_monitor(component):
            return None
        return Container(_RUNTIME_OF_PREFIX.get(match["prefix"], UNKNOWN_RUNTIME), match["id"])
    return _lxc(component, parent) or _machine(component, parent)


def _lxc(component: str, parent: str) -> Container | None:
    """LXC, and what starts containers through liblxc: LXD, Incus, Proxmox."""
    if component.startswith("lxc.payload."):
        return Container("lxc", component.removeprefix("lxc.payload."))
    if parent in ("lxc", "lxc.payload"):
        return Container("lxc", component)
    return None


def _machine(component: str, parent: str) -> Container | None:
    """What systemd-machined registers, and Proxmox virtual machines."""
    if match := _NSPAWN.fullmatch(component):
        return Container("systemd-nspawn", unescape(match["name"]))
    if match := _MACHINE.fullmatch(component):
        name = unescape(match["name"])
        if libvirt := _LIBVIRT.fullmatch(name):
            return Container(f"libvirt-{libvirt['driver']}", libvirt["name"])
        return Container("systemd-nspawn", name)
    if parent == "qemu.slice" and (match := _PROXMOX_VM.fullmatch(component)):
        return Container("qemu", match["id"])
    return None
