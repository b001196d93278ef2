"""The settings of the memory manager: ``/proc/sys/vm/*``, one number per file.

::

    60

Kernel: Documentation/admin-guide/sysctl/vm.rst, ``mm/*.c`` (``vm_table``, ``vmscan_sysctl_table``, …).
"""

from __future__ import annotations

from typing import Final

from memwarden.errors import ParseError
from memwarden.kernel.numbers import signed

NAMES: Final = (
    "admin_reserve_kbytes",
    "defrag_mode",
    "dirty_background_bytes",
    "dirty_background_ratio",
    "dirty_bytes",
    "dirty_ratio",
    "max_map_count",
    "min_free_kbytes",
    "nr_hugepages",
    "nr_overcommit_hugepages",
    "oom_dump_tasks",
    "oom_kill_allocating_task",
    "overcommit_kbytes",
    "overcommit_memory",
    "overcommit_ratio",
    "page-cluster",
    "panic_on_oom",
    "swappiness",
    "user_reserve_kbytes",
    "vfs_cache_pressure",
    "vfs_cache_pressure_denom",
    "watermark_boost_factor",
    "watermark_scale_factor",
    "zone_reclaim_mode",
)
"""The files that bear on running out of memory; older kernels lack some. Units are as printed."""


def parse(text: str, *, path: str = "<sys/vm>") -> int:
    """The number, as printed."""
    try:
        return signed(text.removesuffix("\n"))
    except ValueError:
        raise ParseError(path, text, "not one number") from None
