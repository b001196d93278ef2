"""``badness``: the kernel's points against the whole machine, in pages; of a cgroup its worst process's.

:mod:`memwarden.rules.badness`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.guard.rankings.key import Key
from memwarden.rules.badness import oom_badness, system_total_pages
from memwarden.rules.eligible import Eligibility, eligibility, task_memory

if TYPE_CHECKING:
    from memwarden.guard.rankings.key import Figure, Ground
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.process import Process


def of_process(process: Process, ground: Ground) -> int | None:
    """Points; ``None`` of one that the kernel would not choose."""
    if eligibility(process) is not Eligibility.ELIGIBLE:
        return None
    traits, meminfo = ground.snapshot.traits, ground.snapshot.meminfo or {}
    page = traits.page_size_bytes
    total = system_total_pages(meminfo.get("MemTotal", 0) // page, meminfo.get("SwapTotal", 0) // page)
    found = oom_badness(task_memory(process, page), total, traits.badness)
    return None if found is None else found.points


def of_cgroup(cgroup: Cgroup, ground: Ground) -> Figure | None:
    """Points of the process with the most of them."""
    return ground.greatest("badness", cgroup.path, of_process)


KEY = Key(of_cgroup, of_process, bound=of_cgroup, unit="points", quantity=False, of_processes=True)
