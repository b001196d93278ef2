"""What to do about it, and what would have helped: by cause, with numbers, as commands to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import advice_cgroup, advice_machine, advice_numbers, names
from memwarden.postmortem.advice_limit import find_pod
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Advice, Cause


def advice(facts: Facts, cause: Cause) -> tuple[Advice, ...]:
    """Steps in the order in which to take them."""
    steps = [*advice_cgroup.steps(facts, cause), *advice_machine.steps(facts, cause)]
    where = facts.home
    if where is not None and where.pod_uid is not None and facts.report.victims:
        finders = find_pod(where)
        steps = [*finders, *(step for step in steps if step not in finders)]
    return tuple(steps)


def would_have_helped(facts: Facts, cause: Cause) -> tuple[str, ...]:
    """What would have prevented the kill or sent it elsewhere, with the numbers that the text allows."""
    return (
        *advice_cgroup.helped(facts, cause),
        *advice_machine.helped(facts, cause),
        *_other_victim(facts, cause),
    )


def _other_victim(facts: Facts, cause: Cause) -> tuple[str, ...]:
    if not cause.startswith(("memcg-", "system-")):
        return ()
    other = advice_numbers.other_adj(facts)
    dead = {victim.pid for victim in facts.report.victims}
    if other is None or not dead or other.instead.pid in dead:
        return ()
    held = (other.instead.rss_pages or 0) * facts.report.host.page_size_bytes
    return (
        (
            f"For another victim: with oom_score_adj {other.adj} or lower on "
            f"{names.process(other.selected)} the kernel would "
            f"have taken {names.process(other.instead)} ({size(held)} resident) instead. That saves a "
            "process, not memory."
        ),
    )
