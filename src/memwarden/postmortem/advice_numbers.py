"""The numbers behind "what would have helped": how much limit, swap, tmpfs, throttle, oom_score_adj."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.advice_quote import rounded_up
from memwarden.postmortem.choice_rank import OOM_SCORE_ADJ_MIN_USEFUL, rule_of
from memwarden.postmortem.filled_memcg import subtree, swapped_bytes
from memwarden.state.traits import BadnessRule

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import TaskRow

SPARE_PERCENT: Final = 25
"""On top of what was wanted, since a log shows where growth was stopped and not where it would have ended."""

HIGH_PERCENT: Final = 118
"""Usage 17.7 percent above memory.high is braked with the full 2 s per return to user space
(``mm/memcontrol.c:calculate_high_delay``, v6.12): with high at limit / 1.18 that is just below the limit."""

IDLE_SHARE: Final = 0.05
"""With less than a twentieth of the memory idle, swap would have bought next to nothing."""

RESERVE_PERCENT: Final = 10
"""Of the machine's memory, left to the kernel and to short peaks."""


def wanted_limit(facts: Facts) -> int | None:
    """What the cgroup had charged, plus what it had in swap already, plus a quarter, rounded up."""
    memcg = facts.report.memcg
    if memcg is None or facts.limit.usage_bytes is None:
        return None
    used = facts.limit.usage_bytes
    if facts.limit.which != "memory+swap":
        used += swapped_bytes(facts.report) or 0
    return rounded_up(used * (100 + SPARE_PERCENT) // 100)


def idle_anon_bytes(facts: Facts) -> int | None:
    """Anonymous memory on the inactive list, which reclaim looks at first.

    ``None`` where it is not printed, or too little to make a difference.
    """
    memcg, node = facts.report.memcg, facts.report.node
    if facts.report.scope == "memcg":
        idle = None if memcg is None else subtree(memcg).get("inactive_anon")
    else:
        idle = None if node is None else node.inactive_anon_bytes
    if idle is None or facts.fill is None or facts.fill.share(idle) < IDLE_SHARE:
        return None
    return idle


def throttle_bytes(facts: Facts) -> int | None:
    """A memory.high below the limit by as much as the brake needs to reach its full strength."""
    limit = facts.limit.limit_bytes
    return limit * 100 // HIGH_PERCENT if isinstance(limit, int) else None


def tmpfs_bytes(facts: Facts) -> int | None:
    """What a tmpfs may hold so that the limit still has room for the rest: limit less everything else."""
    fill, limit = facts.fill, facts.limit.limit_bytes
    if fill is None or not isinstance(limit, int):
        return None
    others = sum(part.size_bytes for part in fill.parts if part.word not in ("shmem", "file"))
    room = limit - others - limit * RESERVE_PERCENT // 100
    return room if room > 0 else None


def cap_bytes(facts: Facts) -> int | None:
    """A limit for the victim's unit that leaves room for all else in use and a tenth of the machine."""
    fill, victims = facts.fill, facts.report.victims
    if fill is None or fill.whole_bytes is None or not victims:
        return None
    held = sum(
        (one.anon_rss_bytes or 0) + (one.file_rss_bytes or 0) + (one.shmem_rss_bytes or 0) for one in victims
    )
    others = fill.whole_bytes - fill.free_bytes - held
    cap = fill.whole_bytes * (100 - RESERVE_PERCENT) // 100 - others
    # A cap below half of what it held would be another way to kill it.
    return rounded_up(cap) if cap * 2 > held else None


class OtherAdj(NamedTuple):
    """The oom_score_adj at or below which the selected process would have been passed over, and for whom."""

    adj: int
    selected: TaskRow
    instead: TaskRow


def other_adj(facts: Facts) -> OtherAdj | None:
    """Solve points(selected, adj) < points(next): lower it by the lead over the weight, rounded up.

    ``None`` where the weight is not known or nothing (a total under 1000 pages), or no adj is low enough.
    """
    choice = facts.choice
    if choice.selected is None or choice.total is None or not choice.total.exact or choice.runner_up is None:
        return None
    if rule_of(facts.report) is BadnessRule.PERMILLE or choice.selected.open or choice.runner_up.open:
        return None
    mine, other = choice.selected.listed, choice.runner_up.listed
    lead = mine.points - other.points
    if mine.unit_pages == 0 or lead < 0 or mine.raised or other.raised:
        return None
    adj = mine.oom_score_adj - (lead // mine.unit_pages + 1)
    if adj < OOM_SCORE_ADJ_MIN_USEFUL:
        return None
    return OtherAdj(adj, choice.selected.row, choice.runner_up.row)
