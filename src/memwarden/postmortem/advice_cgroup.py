"""Steps and numbers when a cgroup's limit was hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import advice_numbers
from memwarden.postmortem.advice_limit import cgroup_file, raise_limit
from memwarden.postmortem.advice_quote import quoted, spelled
from memwarden.postmortem.advice_workers import workers
from memwarden.postmortem.cause_limit import is_v1
from memwarden.postmortem.filled_memcg import swapped_bytes
from memwarden.postmortem.model import Advice
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Cause


def steps(facts: Facts, cause: Cause) -> tuple[Advice, ...]:
    """What to do; empty for causes of the machine."""
    if facts.report.scope != "memcg" or cause in ("manual", "spurious"):
        return ()
    found = [*_first(facts, cause), *(workers(facts) if cause == "memcg-anon" else ())]
    if (wanted := advice_numbers.wanted_limit(facts)) is not None:
        which = "memory+swap" if cause == "memcg-swap-limit" else "memory"
        found += raise_limit(facts, wanted, which)
    return (*found, *_look(facts))


def _first(facts: Facts, cause: Cause) -> tuple[Advice, ...]:
    """What comes before more memory, where more memory is not the cure."""
    if cause == "memcg-shmem":
        room = advice_numbers.tmpfs_bytes(facts)
        at = f"size={spelled(room, 'm', 'k')}" if room is not None else "size=..."
        what = (
            "Delete files in tmpfs mounts (/dev/shm, /run, emptyDir with medium Memory) or cap them "
            "with size= "
            "or emptyDir.sizeLimit: they count until they are deleted, whoever exits."
        )
        return (Advice(what, f"mount -o remount,{at} /dev/shm"),)
    if cause == "memcg-kernel":
        what = (
            "See which kernel memory grows (slab, page tables, sockets): killing processes does not "
            "free a leak."
        )
        return (Advice(what, _stat_command(facts)),)
    if cause == "memcg-unevictable":
        what = (
            "Lower what the program may lock (mlock): LimitMEMLOCK= in its unit, ulimit -l, or its "
            "own option."
        )
        return (Advice(what, "grep -H VmLck /proc/[0-9]*/status | sort -k2 -n | tail"),)
    if cause == "memcg-file":
        what = (
            "Let the writer write less far ahead: with a lower memory.high the kernel makes it wait "
            "for the disk before "
            "the limit is full (cgroup v2), or sync or use direct I/O (dd: oflag=direct) while writing."
        )
        high = advice_numbers.throttle_bytes(facts)
        if high is not None and facts.owner is not None and not _v1(facts):
            return (Advice(what, f"echo {high} > {cgroup_file(facts.owner.path, 'memory.high', v1=False)}"),)
        return (Advice(what, None),)
    return ()


def _v1(facts: Facts) -> bool:
    return bool(facts.report.memcg is not None and is_v1(facts.report.memcg))


def _stat_command(facts: Facts) -> str | None:
    if facts.owner is None:
        return None
    path = cgroup_file(facts.owner.path, "memory.stat", v1=_v1(facts))
    return f"grep -E '^(kernel|slab|pagetables|percpu|sock|vmalloc)' {path}"


def _look(facts: Facts) -> tuple[Advice, ...]:
    if facts.owner is None:
        return ()
    what = "See who would die next there, and how much room is left."
    return (Advice(what, f"memwarden rank --cgroup {quoted(facts.owner.path)}"),)


def helped(facts: Facts, cause: Cause) -> tuple[str, ...]:
    """What would have prevented it."""
    if facts.report.scope != "memcg" or cause in ("manual", "spurious"):
        return ()
    if facts.owner is not None and facts.owner.level in ("qos", "node-allocatable"):
        return _node(facts)
    return (*_limit(facts, cause), *_tmpfs(facts, cause), *_swap(facts, cause), *_high(facts, cause))


def _node(facts: Facts) -> tuple[str, ...]:
    """The kubelet sets this limit from the node's size: it is the pods' sum that does not fit."""
    limit = facts.limit.limit_bytes
    amount = f" {size(limit)}" if limit is not None else ""
    text = (
        "Memory limits on all pods that add up to less than what the node has for "
        f"pods{amount and ',' + amount}, or "
        "fewer pods on it: then the pod that grows hits its own limit, and nobody else suffers."
    )
    return (text,)


def _limit(facts: Facts, cause: Cause) -> tuple[str, ...]:
    wanted = advice_numbers.wanted_limit(facts)
    used = facts.limit.usage_bytes
    if wanted is None or used is None:
        return ()
    swapped = swapped_bytes(facts.report) or 0
    swap = f", {size(swapped)} in swap" if swapped and facts.limit.which != "memory+swap" else ""
    text = (
        f"A limit of {size(wanted)} or more: {size(used)} charged{swap}, and a quarter on top because "
        "a log shows where "
    )
    if cause == "memcg-kernel":
        return (
            text + "growth was stopped, not where it would have ended. A leak only takes longer to fill it.",
        )
    return (text + "growth was stopped, not where it would have ended.",)


def _tmpfs(facts: Facts, cause: Cause) -> tuple[str, ...]:
    room = advice_numbers.tmpfs_bytes(facts)
    if cause != "memcg-shmem" or room is None:
        return ()
    return (
        (
            f"tmpfs mounts capped at {size(room)} in all: that is the limit less what the processes hold, "
            "and a tenth."
        ),
    )


def _swap(facts: Facts, cause: Cause) -> tuple[str, ...]:
    memcg, idle = facts.report.memcg, advice_numbers.idle_anon_bytes(facts)
    if cause not in ("memcg-anon", "memcg-shmem") or memcg is None or memcg.swap_limit_bytes != 0 or not idle:
        return ()
    return (
        (
            f"Swap for the cgroup (memory.swap.max is 0): the kernel counted {size(idle)} as "
            "inactive, which is "
            "what it swaps first."
        ),
    )


def _high(facts: Facts, cause: Cause) -> tuple[str, ...]:
    high = advice_numbers.throttle_bytes(facts)
    if cause not in ("memcg-anon", "memcg-file", "memcg-shmem") or high is None or _v1(facts):
        return ()
    if facts.limit.which != "memory":
        return ()
    return (
        (
            f"memory.high at {size(high)}: above it the kernel first reclaims and then slows whoever "
            "allocates, fully so just "
            "below the limit. That buys time for an alarm or a restart; it does not stop growth."
        ),
    )
