"""The one word for why memory ran out, and how sure it is: a fixed order of small questions.

The order is that of docs/reference/explain.md: what no accounting can show comes first (asked for by hand,
raised by mistake, nobody left to kill), then whose memory it was (a cgroup's, some nodes', the machine's),
then whether memory was there but not usable (zone, fragments), and at last what filled it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.filled import confidence_of

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.filled import Fill
    from memwarden.postmortem.model import Cause, Confidence

KNOWN_CONSTRAINTS: Final = ("NONE", "CPUSET", "MEMORY_POLICY", "MEMCG")
"""``include/linux/oom.h:enum oom_constraint`` (v6.12); anything else was added by a patch."""

UNEVICTABLE_SHARE: Final = 0.5
"""With half of the memory locked, neither swap nor reclaim could have helped: that is the story then."""

MEMCG_CAUSES: Final[dict[str, Cause]] = {
    "anon": "memcg-anon",
    "swap cache": "memcg-anon",
    "leaving": "memcg-anon",
    "file": "memcg-file",
    "shmem": "memcg-shmem",
    "kernel": "memcg-kernel",
    "sockets": "memcg-kernel",
}
SYSTEM_CAUSES: Final[dict[str, Cause]] = {
    "anon": "system-anon",
    "shmem": "system-shmem",
    "kernel": "system-slab",
    "hugepages": "system-hugepages",
    "unevictable": "system-unevictable",
}


class Ruling(NamedTuple):
    """The cause, and how sure it is."""

    cause: Cause
    confidence: Confidence


def rule(facts: Facts) -> Ruling:
    """The first question that is answered yes decides."""
    return (
        manual(facts)
        or spurious(facts)
        or no_victim(facts)
        or memcg(facts)
        or numa_bound(facts)
        or zones(facts)
        or system(facts)
        or Ruling("unknown", "certain")
    )


def manual(facts: Facts) -> Ruling | None:
    """Asked for by a person (sysrq-f), or by a policy loaded into the kernel (an unknown constraint)."""
    report = facts.report
    if report.manual:
        return Ruling("manual", "certain")
    constraint = (report.constraint or "").removeprefix("CONSTRAINT_")
    if constraint and constraint not in KNOWN_CONSTRAINTS and report.invoker.gfp_mask == 0:
        return Ruling("manual", "likely")
    return None


def spurious(facts: Facts) -> Ruling | None:
    """Raised by the page-fault handler without a request, while zones were above their low watermarks."""
    report = facts.report
    if report.scope == "memcg" or not (report.page_fault_path or report.invoker.gfp_mask == 0):
        return None
    if facts.zones is None or not facts.zones.ample:
        return None
    return Ruling("spurious", "likely")


def no_victim(facts: Facts) -> Ruling | None:
    """The kernel found nobody that it may kill."""
    if not facts.report.no_killable:
        return None
    return Ruling("no-victim", "certain")


def memcg(facts: Facts) -> Ruling | None:
    """A cgroup's limit: which one, and what the cgroup's usage was made of."""
    if facts.report.scope != "memcg":
        return None
    if facts.limit.which == "memory+swap":
        return Ruling("memcg-swap-limit", "certain")
    if facts.limit.which == "kmem":
        return Ruling("memcg-kernel", "certain")
    fill = facts.fill
    part = fill.largest if fill is not None else None
    if fill is None or part is None or part.word not in MEMCG_CAUSES:
        return Ruling("memcg-unknown", "certain")
    cause = MEMCG_CAUSES[part.word]
    sure = confidence_of(fill, *(one for one in fill.parts if MEMCG_CAUSES.get(one.word) == cause))
    if fill.share(fill.unevictable_bytes) >= UNEVICTABLE_SHARE:
        cause = "memcg-unevictable"
    # Figures that have moved away from the limit since are not those that filled it.
    return Ruling(cause, "likely" if sure == "certain" and not facts.limit.reached else sure)


def numa_bound(facts: Facts) -> Ruling | None:
    """Only some nodes counted: a cpuset's or a memory policy's."""
    if facts.report.scope not in ("cpuset", "mempolicy"):
        return None
    return Ruling("numa-bound", "certain")


def zones(facts: Facts) -> Ruling | None:
    """Memory was there, but in pieces that were too small, or in zones that the request cannot use."""
    found = facts.zones
    if facts.report.scope != "system" or found is None:
        return None
    if found.fragmented:
        return Ruling("fragmentation", "certain")
    if found.low:
        return Ruling("low-zone", "certain" if found.spare else "likely")
    if found.mostly_free:
        return Ruling("system-unknown", "likely")
    return None


def system(facts: Facts) -> Ruling | None:
    """The whole machine: the largest part of its memory that could not be given back."""
    if facts.report.scope != "system":
        return None
    part = _not_reclaimable(facts.fill)
    if facts.fill is None or part not in SYSTEM_CAUSES:
        # Without a line that says so, nodes of a cpuset or a policy may have run out instead.
        said = facts.fill is None and facts.report.scope_from_text
        return Ruling("system-unknown", "certain" if said else "likely")
    largest = facts.fill.largest
    assert largest is not None
    return Ruling(SYSTEM_CAUSES[part], confidence_of(facts.fill, largest))


def _not_reclaimable(fill: Fill | None) -> str | None:
    largest = fill.largest if fill is not None else None
    return None if largest is None else largest.word
