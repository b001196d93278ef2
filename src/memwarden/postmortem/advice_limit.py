"""How to give a cgroup more memory, in the words of whatever manages it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.postmortem.advice_quote import option_safe, quoted, spelled
from memwarden.postmortem.cause_limit import is_v1
from memwarden.postmortem.model import Advice
from memwarden.postmortem.names import short_id
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.rules.identity import Identity

_FILES: Final = {
    # (v1, which limit) -> file; memory+swap and kernel memory have limits of their own in v1 only.
    (True, "memory"): "memory.limit_in_bytes",
    (True, "memory+swap"): "memory.memsw.limit_in_bytes",
    (False, "memory"): "memory.max",
}
_COLUMNS: Final = {
    "NAMESPACE": ".metadata.namespace",
    "POD": ".metadata.name",
    "OWNER": ".metadata.ownerReferences[*].kind",
    "NAME": ".metadata.ownerReferences[*].name",
    "CONTAINERS": ".spec.containers[*].name",
    "UID": ".metadata.uid",
    "HASH": r".metadata.annotations.kubernetes\.io/config\.hash",
}
"""Of ``kubectl get pods``. A static pod's cgroup has the hash in its name, not the uid that the API shows."""


def raise_limit(facts: Facts, to_bytes: int, which: str = "memory") -> tuple[Advice, ...]:
    """Ways to raise the limit that was hit; the first is the one for whoever manages the cgroup."""
    owner = facts.owner
    if owner is None:
        return ()
    if owner.level == "container":
        return _pod(owner, to_bytes)
    if owner.level == "pod":
        return _pod(owner, to_bytes)
    if owner.level in ("qos", "node-allocatable"):
        return _node(owner)
    found = _container(owner, to_bytes, which) or _unit(owner, to_bytes, which)
    return (found,) if found is not None else (plain(facts, owner, to_bytes, which),)


def _pod(owner: Identity, to_bytes: int) -> tuple[Advice, ...]:
    amount = spelled(to_bytes, "Mi", "Ki")
    what = (
        f"Raise resources.limits.memory of the container to {amount}"
        if owner.level == "container"
        else f"Raise resources.limits.memory of the pod's containers, so that they add up to {amount}"
    )
    if _is_static(owner):
        where = "in the pod's manifest on the node (a static pod: /etc/kubernetes/manifests as a rule)."
        return (*find_pod(owner), Advice(f"{what}, {where}", None))
    return (
        *find_pod(owner),
        Advice(
            f"{what}, where the pod is defined; the words in capitals are those of the line found above.",
            f"kubectl set resources -n NAMESPACE deployment/NAME -c CONTAINER --limits=memory={amount}",
        ),
    )


def _is_static(identity: Identity) -> bool:
    """The kubelet names a static pod by a hash of its manifest, which has no dashes."""
    return "-" not in (identity.pod_uid or "-")


def find_pod(identity: Identity) -> tuple[Advice, ...]:
    """Namespace, name, owner and containers of a pod by its uid, while it is there and afterwards."""
    uid = quoted(identity.pod_uid or "")
    columns = ",".join(f"{title}:{path}" for title, path in _COLUMNS.items())
    return (
        Advice(
            (
                "Find the pod by its uid, which is all that the kernel knows of it. OWNER is what made it; "
                "of a ReplicaSet's name take the hash off, and it is the deployment's."
            ),
            f"kubectl get pods -A -o custom-columns={quoted(columns)} | grep -F -e POD -e {uid}",
        ),
        Advice(
            "If it is gone already, its node still has its logs, named NAMESPACE_POD_UID. There:",
            f"ls -d /var/log/pods/*_{uid}",
        ),
    )


def _node(owner: Identity) -> tuple[Advice, ...]:
    what = (
        "The pods of the node together used more than the node gives them. Set memory limits on the "
        "pods that have none, "
        "move pods away, or lower kubeReserved and systemReserved in the kubelet's configuration."
    )
    return (
        Advice(what, None),
        Advice("See which pods use most on the nodes.", "kubectl top pods -A --sort-by=memory | head -20"),
    )


def _container(owner: Identity, to_bytes: int, which: str) -> Advice | None:
    if owner.container is None or owner.manager == "container":
        return None
    runtime, name = owner.container.runtime, quoted(short_id(owner.container.id))
    amount = spelled(to_bytes, "m", "k")
    if runtime in ("docker", "podman"):
        memory = "" if which == "memory+swap" else f" --memory {amount}"
        return Advice(
            f"Raise the container's limit to {size(to_bytes)} (and in its compose file or run command).",
            f"{runtime} update{memory} --memory-swap {amount} {name}",
        )
    if runtime == "lxc" and which == "memory":
        return Advice(
            (
                f"Raise the container's limit to {size(to_bytes)}: limits.memory with LXD or Incus, "
                "memory with Proxmox."
            ),
            f"lxc config set {name} limits.memory {spelled(to_bytes, 'MiB', 'KiB')}",
        )
    return None


def _unit(owner: Identity, to_bytes: int, which: str) -> Advice | None:
    if owner.unit is None or which != "memory" or owner.container is not None:
        return None
    amount = spelled(to_bytes, "M", "K")
    return Advice(
        f"Raise the unit's limit to {size(to_bytes)}; it takes effect at once and stays.",
        f"{systemctl(owner)} set-property {option_safe(owner.unit)} MemoryMax={amount}",
    )


def systemctl(identity: Identity) -> str:
    """The systemctl for the manager of the unit: the system's, or that of a user."""
    if identity.manager != "user":
        return "systemctl"
    uid = identity.user_uid
    return f"sudo -u '#{uid}' XDG_RUNTIME_DIR=/run/user/{uid} systemctl --user"


def plain(facts: Facts, owner: Identity, to_bytes: int, which: str = "memory") -> Advice:
    """Write the cgroup's own file."""
    v1 = bool(facts.report.memcg is not None and is_v1(facts.report.memcg))
    name = _FILES.get((v1, which), _FILES[v1, "memory"])
    what = (
        f"Raise the cgroup's limit to {size(to_bytes)} (until it is made anew: set it where it is "
        "created, too)."
    )
    return Advice(what, f"echo {to_bytes} > {cgroup_file(owner.path, name, v1=v1)}")


def cgroup_file(path: str, name: str, *, v1: bool) -> str:
    """A cgroup's file where cgroups are usually mounted, quoted."""
    root = "/sys/fs/cgroup/memory" if v1 else "/sys/fs/cgroup"
    return quoted(f"{root}{path.rstrip('/')}/{name}")
