"""What things are called in sentences: processes, cgroups and whoever owns them, limits, parts of memory.

Names come from the log and are kept as they stand; whoever shows them escapes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.cause_limit import is_v1
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import TaskRow, Victim
    from memwarden.rules.container_path import Container
    from memwarden.rules.identity import Identity

PARTS: Final = {
    "anon": "anonymous memory (the programs' own data)",
    "file": "page cache (contents of files)",
    "shmem": "shared memory and tmpfs",
    "kernel": "kernel memory (slab, page tables, stacks)",
    "sockets": "socket buffers",
    "swap cache": "swap cache (pages on their way to or from swap)",
    "leaving": "memory of a process that was just ending (no longer mapped, not yet given back)",
    "swapped": "swapped-out memory",
    "hugepages": "huge pages set aside (hugetlb)",
    "unevictable": "locked memory",
    "unexplained": "memory that nothing in the report explains",
}
"""The words of :mod:`memwarden.postmortem.filled` with a gloss, for the first mention."""

SHORT_PARTS: Final = {
    **{word: gloss.partition(" (")[0] for word, gloss in PARTS.items()},
    "unexplained": "unexplained",
}

_QOS: Final = {"guaranteed": "Guaranteed", "burstable": "Burstable", "besteffort": "BestEffort"}
_RUNTIMES: Final = {"lxc": "LXC", "docker": "Docker", "podman": "Podman"}
ID_LENGTH: Final = 12
"""Container ids are shown as the runtimes' own tools show them."""


def process(who: Victim | TaskRow) -> str:
    """``java (pid 4242)``; a process may have an empty name."""
    return f"{who.comm or 'a process without a name'} (pid {who.pid})"


def short_id(identifier: str) -> str:
    """A container id as ``docker ps`` and ``crictl ps`` show it; other names in full.

    >>> short_id(64 * "a"), short_id("my-container-name")
    ('aaaaaaaaaaaa', 'my-container-name')
    """
    return identifier[:ID_LENGTH] if len(identifier) == 64 else identifier


def qos(identity: Identity) -> str | None:
    """The QoS class as Kubernetes writes it."""
    return None if identity.qos is None else _QOS.get(identity.qos, identity.qos)


def pod(identity: Identity) -> str:
    """``pod 17efb6ec-... (Burstable)``."""
    return f"pod {identity.pod_uid} ({qos(identity)})"


def container(identity: Identity) -> str | None:
    """``Docker container 2e088fe462e2``; ``None`` when the path names none."""
    return None if identity.container is None else _container(identity.container)


def _container(inner: Container) -> str:
    runtime, name = inner.runtime, short_id(inner.id)
    if runtime.startswith(("qemu", "libvirt-qemu")):
        return f"virtual machine {name}"
    if runtime == "unknown":
        return f"container {name}"
    return f"{_RUNTIMES.get(runtime, runtime)} container {name}"


def group(identity: Identity) -> str:
    """Whose cgroup it is, as precisely as its path says."""
    inside = container(identity)
    if identity.level == "container":
        return f"{inside} of {pod(identity)}"
    if identity.level == "pod":
        return pod(identity)
    if identity.level == "qos":
        return f"all {qos(identity)} pods of the node together"
    if identity.level == "node-allocatable":
        return "all pods of the node together (node allocatable)"
    unit = _unit(identity)
    if inside is not None:
        chain = [inside, *(_container(outer) for outer in reversed(identity.outer_containers))]
        # A runtime's own scope is named after the container and says nothing more.
        own = identity.manager == "container" and (identity.container_id or "") not in (identity.unit or "")
        return " in ".join([unit, *chain] if own and unit is not None else chain)
    return unit or ("the root cgroup" if identity.path == "/" else f"cgroup {identity.path}")


def _unit(identity: Identity) -> str | None:
    if identity.unit is None:
        return None
    kind = "slice" if identity.unit.endswith(".slice") else "unit"
    owner = f" of user {identity.user_uid}" if identity.manager == "user" else ""
    return f"systemd {kind} {identity.unit_title}{owner}"


def limit_phrase(facts: Facts) -> str:
    """``the pod's memory limit of 512 MiB``: whose limit it was, beside a victim that was named already."""
    owner, home = facts.owner, facts.home
    word = {"memory+swap": "memory+swap limit", "kmem": "kernel-memory limit"}.get(
        facts.limit.which, "memory limit"
    )
    if facts.limit.limit_bytes is not None:
        word += f" of {size(facts.limit.limit_bytes)}"
    if owner is None:
        return f"the {word} of a cgroup that the text does not name"
    if owner.level in ("qos", "node-allocatable"):
        return f"the {word} of {group(owner)}"
    if home is not None and owner.pod_uid is not None and owner.pod_uid == home.pod_uid:
        return f"the {'pod' if owner.level == 'pod' else 'container'}'s {word}"
    if home is not None and owner.path == home.path:
        return f"the {_kind(owner)}'s {word}"
    return f"the {word} of {group(owner)}"


def _kind(identity: Identity) -> str:
    if identity.container is not None and identity.manager != "container":
        return "container"
    if identity.unit is not None:
        return "slice" if identity.unit.endswith(".slice") else "unit"
    return "cgroup"


def home(facts: Facts) -> str | None:
    """Where the victim lived; ``None`` where the text does not say."""
    return None if facts.home is None else group(facts.home)


def owner(facts: Facts) -> str:
    """Whose limit was hit."""
    return "a cgroup whose name is not in the text" if facts.owner is None else group(facts.owner)


def limit(facts: Facts) -> str:
    """The limit that was hit, with the file that sets it where the text tells v1 from v2."""
    return {
        "memory+swap": "memory+swap limit (memory.memsw.limit_in_bytes)",
        "kmem": "kernel-memory limit (memory.kmem.limit_in_bytes)",
    }.get(facts.limit.which, "memory limit" + _memory_file(facts))


def _memory_file(facts: Facts) -> str:
    memcg = facts.report.memcg
    v1 = is_v1(memcg) if memcg is not None else None
    return {True: " (memory.limit_in_bytes)", False: " (memory.max)", None: ""}[v1]


def percent(part: int, whole: int) -> str:
    """``part`` of ``whole`` in whole percent, rounded down; ``under 1%`` of what is there but small.

    >>> percent(1, 3), percent(1, 1000), percent(0, 5)
    ('33%', 'under 1%', '0%')
    """
    share = part * 100 // whole if whole else 0
    return "under 1%" if share == 0 and part > 0 else f"{share}%"


def listed(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
