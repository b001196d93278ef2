"""One memory cgroup at one instant, in cgroup v2 vocabulary."""

from typing import NamedTuple

from memwarden.kernel.memory_events import MemoryEvents, SwapEvents
from memwarden.kernel.memory_numa_stat import NumaStat
from memwarden.kernel.memory_stat import MemoryStat
from memwarden.kernel.psi import Psi
from memwarden.units import Limit


class Cgroup(NamedTuple):
    """A memory cgroup. Bytes, ``MAX`` for unlimited, ``None`` for absent.

    ``path`` is relative to the root of the hierarchy and starts with ``/``; the root is ``/``.
    The directory is known by ``inode``; when it changes, counters belong to another cgroup.
    A v1 cgroup is mapped onto the same words where they mean the same (``limit_in_bytes`` is
    ``max``, ``usage_in_bytes`` is ``current``, hierarchical ``total_*`` statistics are ``stat``);
    what only v1 has is in the ``v1_*`` fields, and v2 fields without a v1 meaning are ``None``.
    """

    path: str
    inode: int
    version: int = 2
    populated: bool | None = None
    frozen: bool | None = None
    procs: tuple[int, ...] | None = None
    """Pids of the processes directly in this cgroup, in order of joining."""
    current_bytes: int | None = None
    peak_bytes: int | None = None
    min_bytes: Limit | None = None
    low_bytes: Limit | None = None
    high_bytes: Limit | None = None
    max_bytes: Limit | None = None
    oom_group: bool | None = None
    swap_current_bytes: int | None = None
    swap_peak_bytes: int | None = None
    swap_high_bytes: Limit | None = None
    swap_max_bytes: Limit | None = None
    zswap_current_bytes: int | None = None
    zswap_max_bytes: Limit | None = None
    zswap_writeback: bool | None = None
    stat: MemoryStat | None = None
    numa_stat: NumaStat | None = None
    events: MemoryEvents | None = None
    events_local: MemoryEvents | None = None
    swap_events: SwapEvents | None = None
    memory_pressure: Psi | None = None
    cpu_pressure: Psi | None = None
    io_pressure: Psi | None = None
    cpu_usage_us: int | None = None
    io_bytes: dict[str, tuple[int, int]] | None = None
    """Device ``major:minor`` to bytes read and written."""
    controllers: tuple[str, ...] | None = None
    threads: int | None = None
    descendants: int | None = None
    dying_descendants: int | None = None
    has_kill: bool | None = None
    has_reclaim: bool | None = None
    v1_memsw_current_bytes: int | None = None
    v1_memsw_max_bytes: Limit | None = None
    v1_memsw_failcnt: int | None = None
    v1_failcnt: int | None = None
    v1_kmem_current_bytes: int | None = None
    v1_oom_kill_disable: bool | None = None
    v1_under_oom: bool | None = None
    v1_swappiness: int | None = None
    v1_hierarchical_max_bytes: Limit | None = None
    v1_soft_limit_bytes: Limit | None = None
    owner_uid: int | None = None
    """Who owns the directory; read on request only, like ``marks``."""
    marks: tuple[str, ...] | None = None
    """Which of the extended attributes of :mod:`memwarden.kernel.cgroup_marks` are set, sorted."""
    children: tuple[str, ...] = ()
    """Paths of the child cgroups, sorted."""


def parent_path(path: str) -> str | None:
    """The path of the parent, ``None`` for the root.

    >>> parent_path("/a/b"), parent_path("/a"), parent_path("/")
    ('/a', '/', None)
    """
    if path == "/":
        return None
    return path.rpartition("/")[0] or "/"


def ancestry(path: str) -> tuple[str, ...]:
    """The path itself and its ancestors, nearest first, the root last.

    >>> ancestry("/a/b")
    ('/a/b', '/a', '/')
    """
    chain = [path]
    while (above := parent_path(chain[-1])) is not None:
        chain.append(above)
    return tuple(chain)
