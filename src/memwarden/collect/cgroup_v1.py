"""Which files of a v1 memory cgroup are read, in the words of v2 where they mean the same.

``oom_kill`` of ``memory.oom_control`` counts kills in the cgroup alone
(``mm/memcontrol.c:memcg_memory_event`` stops at the first level on v1), as ``memory.events.local`` does.

Two things are left alone because they do not mean the same:

* ``memory.numa_stat`` of v1 counts the pages of LRU lists (``mm/memcontrol.c:memcg_numa_stat_show``, v6.1):
  its ``anon`` holds shared memory, its ``file`` does not, unlike those of v2. Only ``unevictable`` agrees.
  (A guest of 6.1: ``anon`` 4881 pages with ``total_rss`` 4374, ``total_shmem`` 1024 and 513 of these locked.)
* Pressure in the cgroup2 tree that systemd mounts beside v1 is that of the tasks in a cgroup of that tree.
  Container runtimes put theirs into v1 trees only: the pressure of ``containerd.service`` there is that of
  all its containers, none of which is in the memory cgroup of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.collect.cgroup_v2 import cgroup_file, thread_count
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
    cgroup_file(USAGE, scalar.parse_number, "current_bytes"),
    cgroup_file("memory.max_usage_in_bytes", scalar.parse_number, "peak_bytes"),
    cgroup_file("memory.limit_in_bytes", v1_limit.parse, "max_bytes"),
    cgroup_file("memory.soft_limit_in_bytes", v1_limit.parse, "v1_soft_limit_bytes"),
    cgroup_file("memory.failcnt", scalar.parse_number, "v1_failcnt"),
    cgroup_file("memory.memsw.usage_in_bytes", scalar.parse_number, "v1_memsw_current_bytes"),
    cgroup_file("memory.memsw.limit_in_bytes", v1_limit.parse, "v1_memsw_max_bytes"),
    cgroup_file("memory.memsw.failcnt", scalar.parse_number, "v1_memsw_failcnt"),
    cgroup_file("memory.kmem.usage_in_bytes", scalar.parse_number, "v1_kmem_current_bytes"),
    cgroup_file("memory.swappiness", scalar.parse_number, "v1_swappiness"),
    cgroup_file("memory.oom_control", _oom_control, "v1_oom_kill_disable", "v1_under_oom", "events_local"),
    cgroup_file("memory.stat", _stat, "stat", "swap_current_bytes", "v1_hierarchical_max_bytes"),
    cgroup_file("tasks", thread_count, "threads"),
    cgroup_file("cgroup.procs", cgroup_procs.parse, "procs"),
)
