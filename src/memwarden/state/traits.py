"""What a kernel does, as named traits, so that no rule ever compares versions.

A trait is probed on a live machine, stored in a recording, or inferred from a report: first from
its format, last from its version string. ``basis`` says which, per trait.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple


class Basis(Enum):
    """Where a trait came from, best first."""

    PROBED = "probed"
    RECORDED = "recorded"
    FORMAT = "format"
    VERSION = "version"
    ASSUMED = "assumed"


class BadnessRule(Enum):
    """Generations of ``mm/oom_kill.c:oom_badness`` and of the ``/proc/PID/oom_score`` mapping.

    * ``SIGNED`` (mainline 5.9): signed points, ``LONG_MIN`` for ineligible; oom_score =
      ``(1000 + points * 1000 / total) * 2 / 3``.
    * ``UNSIGNED`` (4.17 to 5.8): at least 1 point for an eligible task, 0 for ineligible; no root bonus.
    * ``UNSIGNED_ROOT_BONUS`` (3.14 to 4.16, and RHEL 7's 3.10): the same with 3 percent less for
      CAP_SYS_ADMIN tasks.
    * ``UNSIGNED_ROOT_ADJ`` (3.5 to 3.13): the same, the bonus being 30 less of oom_score_adj.
    * ``PERMILLE`` (2.6.36 to 3.4): points are thousandths of the total, 1 to 1000, with 30 less for
      CAP_SYS_ADMIN tasks; small tasks all tie.
    * ``LEGACY`` (2.6.35 and older): total_vm, run time, nice and ``oom_adj`` shifts; not computable
      from a report's table.
    """

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    UNSIGNED_ROOT_BONUS = "unsigned-root-bonus"
    UNSIGNED_ROOT_ADJ = "unsigned-root-adj"
    PERMILLE = "permille"
    LEGACY = "legacy"


class KernelTraits(NamedTuple):
    """The traits that rules and the simulator ask for; ``None`` is unknown."""

    page_size_bytes: int = 4096
    badness: BadnessRule = BadnessRule.SIGNED
    hz: int | None = None
    charge_batch_pages: int | None = None
    mglru: bool | None = None
    mglru_proportional_protection: bool | None = None
    recursive_protection: bool | None = None
    stale_protection_bug: bool | None = None
    local_events: bool | None = None
    hugetlb_accounting: bool | None = None
    approximate_rss: bool | None = None
    """RSS is read from counters that may lag behind (5.10 to 6.12): another figure may decide a tie."""
    last_of_equals: bool | None = None
    """Of tasks with equal points the last visited is taken (``oom_evaluate_task``, 5.9); else the first."""
    sacrifice_child: bool | None = None
    """A child of the selected task dies first (before 5.1)."""
    over_kill: bool | None = None
    """A cgroup's OOM killer does not see a victim that exits, and takes another if nothing came back.

    Since Linux kernel commit a72f73c4dd9b ("cgroup: Don't expose dead tasks in cgroup") (in v7.0), which is
    meant for cgroup.procs: ``mem_cgroup_scan_tasks`` goes by the same iterator (``css_task_iter_advance``).
    """
    stale_dirty_counts: bool | None = None
    """A cgroup's dirty pages are counted every 2 s, and its writers are held up by the last count.

    Since Linux kernel commit d9b3ce8769e3 ("mm: writeback: ratelimit stat flush from mem_cgroup_wb_stats")
    (in v6.9). Whoever reads its memory.stat has them counted, too.
    """
    stat_itemises_kernel: bool | None = None
    """``memory.stat`` has ``kernel`` (v5.18): usage is anon + file + kernel + sock."""
    reaps_locked: bool | None = None
    """The OOM reaper and ``process_mrelease`` take locked memory, too.

    Since Linux kernel commit a213e5cf71cb ("mm/munlock: delete munlock_vma_pages_all(), allow oomreap") (in
    v5.18). Nothing can be called that tells.
    """
    process_mrelease: bool | None = None
    """Whoever kills can have the memory taken at once: 5.10 has no ``process_mrelease``, 6.1 has it."""
    memory_reclaim: bool | None = None
    """Cgroups have ``memory.reclaim``.

    Since Linux kernel commit 94968384dde1 ("memcg: introduce per-memcg reclaim interface") (in v5.19).
    """
    kswapd_stays_down: bool | None = None
    """kswapd that gave up is not woken again before direct reclaim leaves the machine above high.

    Since Linux kernel commit dc9fe9b7056a ("mm/vmscan: mitigate spurious kswapd_failures reset from direct
    reclaim") (in v7.0); before, any page that is reclaimed wakes it.
    """
    mglru_exact: bool | None = None
    """The multi-generational LRU looks at its share of a list at each priority, however small that is.

    ``mm/vmscan.c:scan_folios`` of v7.0: ``scan_batch = min(nr_to_scan, MAX_LRU_BATCH)``; that of v6.12 goes
    on up to ``MIN_LRU_BATCH``. It counts folios, so that this matters where these are of one page, as
    anonymous ones are.
    """
    partial_walks: bool | None = None
    """A cgroup's reclaim ends at the one below it with which it is enough, and the next begins behind that.

    Since Linux kernel commit b82b530740b9 ("mm: vmscan: restore incremental cgroup iteration") (in v6.11);
    before, it goes to all of them at each priority.
    """
    basis: Mapping[str, Basis] = MappingProxyType({})
    """Trait name to where it came from; a name that is missing was assumed."""

    def basis_of(self, name: str) -> Basis:
        """Where the trait ``name`` came from."""
        return self.basis.get(name, Basis.ASSUMED)
