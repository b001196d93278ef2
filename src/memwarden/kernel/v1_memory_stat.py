"""What the memory of a cgroup v1 is made of: ``memory.stat`` of v1, in the words of v2.

::

    cache 204525568
    rss 219189248
    inactive_anon 214818816
    hierarchical_memory_limit 268435456
    hierarchical_memsw_limit 9223372036854771712
    total_cache 204525568
    total_rss 219189248
    total_swap 0
    total_inactive_anon 214818816

Kernel: Documentation/admin-guide/cgroup-v1/memory.rst, ``mm/memcontrol-v1.c:memcg1_stat_format``. The
``total_`` lines are those of the subtree, as all of v2 is; the others are of the cgroup alone and
are left out. Also left out, because v2 has nothing that means the same: ``pgpgin`` and ``pgpgout``,
which count charges and uncharges, not paging. v1 does not itemise kernel memory here (``memory.kmem.*``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from memwarden.errors import ParseError
from memwarden.kernel import flat_keyed
from memwarden.kernel.v1_limit import limit

if TYPE_CHECKING:
    from memwarden.kernel.memory_stat import MemoryStat
    from memwarden.units import Limit

V2_KEYS: Final = {
    "total_cache": "file",
    "total_rss": "anon",
    "total_rss_huge": "anon_thp",
    "total_shmem": "shmem",
    "total_mapped_file": "file_mapped",
    "total_dirty": "file_dirty",
    "total_writeback": "file_writeback",
    "total_swapcached": "swapcached",
    "total_workingset_refault_anon": "workingset_refault_anon",
    "total_workingset_refault_file": "workingset_refault_file",
    "total_pgfault": "pgfault",
    "total_pgmajfault": "pgmajfault",
    "total_inactive_anon": "inactive_anon",
    "total_active_anon": "active_anon",
    "total_inactive_file": "inactive_file",
    "total_active_file": "active_file",
    "total_unevictable": "unevictable",
}
"""Key of v1 to the key of v2 that means the same (``NR_FILE_PAGES`` is ``cache`` and ``file``, and so on)."""

_LIMITS: Final = frozenset({"hierarchical_memory_limit", "hierarchical_memsw_limit", "total_swap"})
_KEYS: Final = frozenset(V2_KEYS) | _LIMITS


class V1MemoryStat(NamedTuple):
    """``stat`` in v2 keys; ``swap_bytes`` is what v2 has in ``memory.swap.current``.

    The hierarchical limits are the tightest ``limit_in_bytes`` (with swap: ``memsw.limit_in_bytes``) of the
    cgroup and its ancestors; ``None`` where swap is not accounted.
    """

    stat: MemoryStat
    swap_bytes: int | None
    hierarchical_max_bytes: Limit | None
    hierarchical_memsw_max_bytes: Limit | None


def parse(text: str, *, path: str = "<v1 memory.stat>") -> V1MemoryStat:
    """Parse the file; a file without any ``total_`` line is an error."""
    figures = flat_keyed.parse(text, _KEYS, path=path)
    stat = {V2_KEYS[key]: value for key, value in figures.items() if key in V2_KEYS}
    if not stat:
        raise ParseError(path, text, "no total_ line")
    return V1MemoryStat(
        stat=cast("MemoryStat", stat),
        swap_bytes=figures.get("total_swap"),
        hierarchical_max_bytes=_limit(figures.get("hierarchical_memory_limit")),
        hierarchical_memsw_max_bytes=_limit(figures.get("hierarchical_memsw_limit")),
    )


def _limit(value: int | None) -> Limit | None:
    return None if value is None else limit(value)
