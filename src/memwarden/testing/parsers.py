"""Every parser of :mod:`memwarden.kernel`, and the sample of text that stands in its module's docstring."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from memwarden.kernel import (
    buddyinfo,
    cgroup_events,
    cgroup_marks,
    cgroup_procs,
    cgroup_stat,
    cgroups,
    controllers,
    cpu_stat,
    io_stat,
    kmsg,
    lru_gen,
    meminfo,
    memory_events,
    memory_numa_stat,
    memory_stat,
    mountinfo,
    pid_cgroup,
    pid_oom_score,
    pid_oom_score_adj,
    pid_smaps_rollup,
    pid_stat,
    pid_statm,
    pid_status,
    psi,
    scalar,
    swaps,
    sysctl_vm,
    v1_limit,
    v1_memory_stat,
    v1_oom_control,
    vmstat,
    zoneinfo,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS: Final[tuple[Callable[..., object], ...]] = (
    buddyinfo.parse,
    cgroup_events.parse,
    cgroup_marks.parse,
    cgroup_procs.parse,
    cgroup_stat.parse,
    cgroups.parse,
    controllers.parse,
    cpu_stat.parse,
    io_stat.parse,
    kmsg.parse,
    lru_gen.parse,
    meminfo.parse,
    memory_events.parse,
    memory_events.parse_swap,
    memory_numa_stat.parse,
    memory_stat.parse,
    mountinfo.parse,
    pid_cgroup.parse,
    pid_oom_score.parse,
    pid_oom_score_adj.parse,
    pid_smaps_rollup.parse,
    pid_stat.parse,
    pid_statm.parse,
    pid_status.parse,
    psi.parse,
    scalar.parse,
    scalar.parse_number,
    scalar.parse_switch,
    swaps.parse,
    sysctl_vm.parse,
    v1_limit.parse,
    v1_memory_stat.parse,
    v1_oom_control.parse,
    vmstat.parse,
    zoneinfo.parse,
)
"""All of them take ``(text, *, path=...)`` and raise nothing but :class:`memwarden.errors.ParseError`."""

EXTRA_SAMPLES: Final = {
    "memory_events.parse_swap": "high 0\nmax 3\nfail 3\n",
    "scalar.parse_switch": "1\n",
}
"""For the parsers that are not the first of their module."""


def name_of(parser: Callable[..., object]) -> str:
    """``"psi.parse"``."""
    return f"{parser.__module__.rpartition('.')[2]}.{parser.__name__}"


def sample_of(parser: Callable[..., object]) -> str:
    """Text that the parser takes: the indented block after ``::`` in the docstring of its module."""
    extra = EXTRA_SAMPLES.get(name_of(parser))
    if extra is not None:
        return extra
    documentation = sys.modules[parser.__module__].__doc__ or ""
    block = documentation.partition("\n::\n\n")[2].partition("\n\n")[0]
    return dedent(block) + "\n"
