"""What this kernel does, found out from the files of a snapshot; never by comparing versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from memwarden.collect.leniency import decode
from memwarden.errors import ParseError, ReadError
from memwarden.kernel import lru_gen, pid_oom_score, pid_oom_score_adj
from memwarden.state.snapshot import CgroupMode
from memwarden.state.traits import BadnessRule, Basis, KernelTraits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memwarden.collect.hierarchy import Hierarchy
    from memwarden.collect.source import Source
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process

LRU_GEN: Final = "/sys/kernel/mm/lru_gen/enabled"
DEFAULT_PAGE_SIZE: Final = 4096
CLEAR_ADJ: Final = -850
"""Above it an idle task's score tells the generations apart: 100 of 2000 against 0."""


def page_size(source: Source) -> int:
    """Bytes of a page of the machine that was read."""
    told = source.facts.get("page_size_bytes", "")
    return int(told) if told.isdecimal() and int(told) > 0 else DEFAULT_PAGE_SIZE


def probe(
    source: Source,
    hierarchy: Hierarchy,
    cgroups: Mapping[str, Cgroup],
    processes: Mapping[int, Process],
) -> KernelTraits:
    """The traits. What a file says by itself is probed; what its presence suggests has the basis format."""
    known: dict[str, Any] = {}
    hz = source.facts.get("hz", "")
    if hz.isdecimal():
        known["hz"] = int(hz)
    if "page_size_bytes" in source.facts:
        known["page_size_bytes"] = page_size(source)
    release = source.facts.get("process_mrelease", "")
    if release in ("0", "1"):
        known["process_mrelease"] = release == "1"
    badness = _badness(source, processes)
    if badness is not None:
        known["badness"] = badness
    mglru = _mglru(source)
    if mglru is not None:
        known["mglru"] = mglru
    if hierarchy.mode is CgroupMode.V2:
        known["recursive_protection"] = "memory_recursiveprot" in hierarchy.options
        known["local_events"] = "memory_localevents" in hierarchy.options
        known["hugetlb_accounting"] = "memory_hugetlb_accounting" in hierarchy.options
    basis = dict.fromkeys(known, Basis.PROBED if source.live else Basis.RECORDED)
    suggested: dict[str, Any] = _suggested(cgroups, known.get("badness"), mglru=known.get("mglru"))
    basis = dict.fromkeys(suggested, Basis.FORMAT) | basis
    return KernelTraits(**(suggested | known), basis=basis)


def _badness(source: Source, processes: Mapping[int, Process]) -> BadnessRule | None:
    """By our own score, that of a task of nearly no size: 666 at adj 0 since 5.9, before that 0.

    ``fs/proc/base.c:proc_oom_score``. Where our own cannot be read or says nothing (at adj -1000 it is 0
    everywhere), the median of the others with adj 0 decides: a few of them may read 0 although they have
    memory (init, tasks in the middle of vfork, reaped ones).
    """
    adj = _own(source, "oom_score_adj", pid_oom_score_adj.parse)
    score = _own(source, "oom_score", pid_oom_score.parse)
    if adj is None or score is None or adj < CLEAR_ADJ:
        adj = 0
        others = sorted(
            process.oom_score
            for process in processes.values()
            if process.oom_score is not None
            and process.oom_score_adj == 0
            and process.rss_bytes
            and process.pid != 1
        )
        score = others[len(others) // 2] if others else None
    if score is None:
        return None
    return BadnessRule.SIGNED if score >= (1000 + adj) * 2 // 3 - 66 else BadnessRule.UNSIGNED


def _own(source: Source, name: str, parse: Callable[[str], int]) -> int | None:
    try:
        return parse(decode(source.read(f"/proc/self/{name}")))
    except (ReadError, ParseError):
        return None


def _mglru(source: Source) -> bool | None:
    try:
        return bool(lru_gen.parse(decode(source.read(LRU_GEN))) & lru_gen.CORE)
    except ReadError as error:
        return False if error.errno_name == "ENOENT" else None
    except ParseError:
        return None


def _suggested(
    cgroups: Mapping[str, Cgroup], badness: BadnessRule | None, *, mglru: bool | None
) -> dict[str, Any]:
    """Traits that other features of the same kernels stand for."""
    traits: dict[str, Any] = {}
    if badness is not None:
        # mm/oom_kill.c:oom_evaluate_task takes the last of equals since the same rewrite in 5.9.
        traits["last_of_equals"] = badness is BadnessRule.SIGNED
    if badness is BadnessRule.SIGNED:
        traits["sacrifice_child"] = False
    typical = next(
        (
            each
            for each in cgroups.values()
            if each.version == 2
            and each.has_reclaim is not None
            and each.path != "/"
            and each.current_bytes is not None
            and each.stat is not None
        ),
        None,
    )
    if typical is None or typical.stat is None:
        return traits
    # MEMCG_CHARGE_BATCH is 32 in 5.10, which has no memory.reclaim, and 64 in 6.1, which has it.
    traits["charge_batch_pages"] = 64 if typical.has_reclaim else 32
    traits["process_mrelease"] = typical.has_reclaim  # the same two kernels
    traits["memory_reclaim"] = typical.has_reclaim
    if typical.swap_current_bytes is not None:
        # Fixed between 6.1, which has no memory.swap.peak, and 6.12, which has it.
        traits["stale_protection_bug"] = typical.swap_peak_bytes is None
    # Of 5.18 both, `kernel` in memory.stat and locked memory that is reaped.
    traits["stat_itemises_kernel"] = traits["reaps_locked"] = "kernel" in typical.stat
    newest = "pgscan_proactive" in typical.stat  # 7.2 has it, 6.12 has not
    traits["approximate_rss"] = not newest
    traits["over_kill"] = traits["kswapd_stays_down"] = traits["mglru_exact"] = newest  # all of 7.0
    if "pgdemote_kswapd" in typical.stat:  # 6.12 has it, 6.1 has not
        traits["stale_dirty_counts"] = traits["partial_walks"] = True  # of 6.9 and of 6.11
    elif traits.get("stale_protection_bug"):
        traits["stale_dirty_counts"] = traits["partial_walks"] = False
    if mglru:
        traits["mglru_proportional_protection"] = newest
    return traits
