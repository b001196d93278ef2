"""``qos``: the Kubernetes class of a pod: BestEffort 3, Burstable 2, Guaranteed 1, and 0 of what is no pod.

The kubelet's oom_score_adj puts them in this order (``pkg/kubelet/qos/policy.go``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.guard.rankings.key import Key
from memwarden.rules.kubepods import parse_pod

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process

_CLASSES: Final = {"besteffort": 3, "burstable": 2, "guaranteed": 1}


def of_cgroup(cgroup: Cgroup, ground: Ground) -> int:
    """By the path."""
    return of_path(cgroup.path)


def of_process(process: Process, ground: Ground) -> int:
    """By the path of its cgroup."""
    return of_path(process.cgroup or "/")


def of_path(path: str) -> int:
    """The class that a path names.

    >>> of_path("/kubepods/besteffort/pod1"), of_path("/kubepods/pod1"), of_path("/system.slice")
    (3, 1, 0)
    """
    pod = parse_pod(tuple(path.split("/")[1:]))
    return 0 if pod is None else _CLASSES.get(pod.qos or "", 0)


KEY = Key(of_cgroup, of_process, unit="class", quantity=False)
