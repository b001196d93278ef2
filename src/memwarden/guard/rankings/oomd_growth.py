"""``oomd-growth``: how oomd's ``kill_by_memory_size_or_growth`` ranks siblings.

oomd ``src/oomd/plugins/KillMemoryGrowth-inl.h``. Three figures, the first that differs decides: effective
usage of one whose usage is at least ``size_threshold`` percent of that of all siblings, else 0; the growth
ratio (usage over its running average) of one that grew by ``min_growth_ratio`` and is among the largest, else
0; effective usage. Among the largest is with no less effective usage than the n-th, n = ceil(siblings * (100
- percentile) / 100).
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from memwarden.guard.rankings import current, effective
from memwarden.guard.rankings.key import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memwarden.guard.rankings.key import Figure, Ground
    from memwarden.state.cgroup import Cgroup


def ratio(cgroup: Cgroup, ground: Ground) -> float:
    """Usage over its running average of a quarter per look; 0 without either."""
    average = ground.view.history.average_bytes(
        cgroup.path, from_zero=bool(ground.parameters.get("average_from_zero", 0))
    )
    return (cgroup.current_bytes or 0) / average if average else 0.0


def of_group(cgroups: Sequence[Cgroup], ground: Ground) -> list[tuple[Figure, ...]]:
    """The three figures of each."""
    parameters = ground.parameters
    usages = [cgroup.current_bytes or 0 for cgroup in cgroups]
    effectives = [effective.of_cgroup(cgroup, ground) or 0 for cgroup in cgroups]
    threshold = int(sum(usages) * (parameters.get("size_threshold", 50) / 100))
    percentile = parameters.get("growing_size_percentile", 80)
    nth = ceil(len(cgroups) * (100 - percentile) / 100) - 1
    floor = sorted(effectives, reverse=True)[nth]
    found: list[tuple[Figure, ...]] = []
    for cgroup, usage, own in zip(cgroups, usages, effectives, strict=True):
        grown = ratio(cgroup, ground)
        growing = grown >= parameters.get("min_growth_ratio", 1.25) and own >= floor
        found.append((own if usage >= threshold else 0, grown if growing else 0, own))
    return found


KEY = Key(effective.of_cgroup, current.of_process, quantity=False, of_group=of_group)
