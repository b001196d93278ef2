"""Which files of a v1 memory cgroup are read, in the words of v2 where they mean the same.

``oom_kill`` of ``memory.oom_control`` counts kills in the cgroup alone
(``mm/memcontrol.c:memcg_memory_event`` stops at the first level on v1), as ``memory.events.local`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.collect.cgroup_v2 import CgroupFile, thread_count
from memwarden.kernel import cgroup_procs, scalar, v1_limit, v1_memory_stat, v1_oom_control

if TYPE_CHECKING:
    from memwarden.kernel.memory_events import MemoryEvents

USAGE: Final = "memory.usage_in_bytes"


def _oom_control(text: str) -> tuple[bool, bool, MemoryEvents | None]:
    control = v1_oom_control.parse(text)
    events: MemoryEvents | None = None if control.oom_kill is None else {"oom_kill": control.oom_kill}
    return control.oom_kill_disable, control.under_oom, events


def _stat(text: str) -> tuple[object, ...]:
    return v1_memory_stat.parse(text)[:3]


FILES: Final = (
    CgroupFile(USAGE, ("current_bytes",), scalar.parse_number),
    CgroupFile("memory.max_usage_in_bytes", ("peak_bytes",), scalar.parse_number),
    CgroupFile("memory.limit_in_bytes", ("max_bytes",), v1_limit.parse),
    CgroupFile("memory.soft_limit_in_bytes", ("v1_soft_limit_bytes",), v1_limit.parse),
    CgroupFile("memory.failcnt", ("v1_failcnt",), scalar.parse_number),
    CgroupFile("memory.memsw.usage_in_bytes", ("v1_memsw_current_bytes",), scalar.parse_number),
    CgroupFile("memory.memsw.limit_in_bytes", ("v1_memsw_max_bytes",), v1_limit.parse),
    CgroupFile("memory.memsw.failcnt", ("v1_memsw_failcnt",), scalar.parse_number),
    CgroupFile("memory.kmem.usage_in_bytes", ("v1_kmem_current_bytes",), scalar.parse_number),
    CgroupFile("memory.swappiness", ("v1_swappiness",), scalar.parse_number),
    CgroupFile("memory.oom_control", ("v1_oom_kill_disable", "v1_under_oom", "events_local"), _oom_control),
    CgroupFile("memory.stat", ("stat", "swap_current_bytes", "v1_hierarchical_max_bytes"), _stat),
    CgroupFile("tasks", ("threads",), thread_count),
    CgroupFile("cgroup.procs", ("procs",), cgroup_procs.parse),
)
