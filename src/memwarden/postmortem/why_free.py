"""Why it could happen while memory was free: the question behind most bug reports about the OOM killer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import names
from memwarden.postmortem.cause_limit import requested_bytes
from memwarden.postmortem.cause_zones import ZONES
from memwarden.postmortem.model import Statement
from memwarden.postmortem.why_lines import lines, zone_lines
from memwarden.units import Max, size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Cause, ZoneFacts


def why_while_free(facts: Facts, cause: Cause) -> tuple[Statement, ...]:
    """The sentences that apply; empty where memory was simply all in use and nothing needs explaining."""
    scope = facts.report.scope
    if cause == "manual":
        return (_manual(facts),)
    if cause == "spurious":
        return (_spurious(facts),)
    if scope == "memcg":
        return (*_memcg(facts), *_memsw(facts))
    if scope in ("cpuset", "mempolicy"):
        return (_nodes(facts),)
    if cause == "fragmentation":
        return (_fragmentation(facts),)
    if cause == "low-zone":
        return (_low_zone(facts),)
    return (*_reserve(facts), *_swap_left(facts))


def _manual(facts: Facts) -> Statement:
    if not facts.report.manual:
        text = "A policy program loaded into the kernel asked for the kill; no limit was hit."
        return Statement(text, lines(facts.report, "oom-kill", "header"), "likely")
    node = facts.report.node
    free = f" {size(node.free_bytes)} were free." if node is not None and node.free_bytes is not None else ""
    text = (
        "Somebody asked for it: the kill was requested by hand (Alt+SysRq+F, or f written to "
        "/proc/sysrq-trigger). "
        f"Nothing had run out.{free}"
    )
    return Statement(text, lines(facts.report, "header", "trace"))


def _spurious(facts: Facts) -> Statement:
    free = facts.report.node.free_bytes if facts.report.node is not None else None
    amount = f" while {size(free)} were free" if free is not None else ""
    text = (
        f"No allocation had failed{amount}: the page-fault handler reported that some charge or "
        "allocation below it had "
        "(gfp_mask 0x0), most often one against a full cgroup, and kernels before 5.16 then ran a "
        "machine-wide kill."
    )
    return Statement(text, lines(facts.report, "header", "trace", "mem-info"), "likely")


def _memcg(facts: Facts) -> tuple[Statement, ...]:
    report, home, owner = facts.report, facts.home, facts.owner
    text = "Free memory of the machine does not help: the limit of the cgroup was full, and only that counts."
    if home is not None and owner is not None and home.path != owner.path:
        same_pod = owner.level == "pod" and owner.pod_uid == home.pod_uid
        above = "its pod" if same_pod else names.group(owner)
        text += (
            f" It is not the limit of the victim's own cgroup but that of {above}, above it: the "
            "victim's own "
            "limit may be higher, or not set."
        )
    return (Statement(text, lines(report, "usage", "oom-kill", "task-in")),)


def _memsw(facts: Facts) -> tuple[Statement, ...]:
    memcg, hit = facts.report.memcg, facts.limit
    if memcg is None or hit.which != "memory+swap" or memcg.usage_bytes is None:
        return ()
    if memcg.limit_bytes is None or isinstance(memcg.limit_bytes, Max):
        return ()
    text = (
        f"Memory alone was below its limit ({size(memcg.usage_bytes)} of {size(memcg.limit_bytes)}): "
        "what was full is "
        "memory and swap together, so nothing more could be swapped out either."
    )
    return (Statement(text, lines(facts.report, "usage", "memsw")),)


def _nodes(facts: Facts) -> Statement:
    report = facts.report
    who = "The cpuset" if report.scope == "cpuset" else "The memory policy"
    where = (report.mems_allowed if report.scope == "cpuset" else report.nodemask) or "some"
    text = (
        f"{who} of {report.invoker.comm or 'the process'} allows memory of NUMA node {where} only: "
        "free memory on other "
        "nodes does not count."
    )
    zones = report.node.zones if report.node is not None else ()
    movable = [
        zone for zone in zones if zone.name == "Movable" and (zone.free_bytes or 0) > (zone.high_bytes or 0)
    ]
    if movable and facts.zones is not None and not facts.zones.ample:
        text += (
            f" Free memory of zone Movable ({size(sum(zone.free_bytes or 0 for zone in movable))}) is "
            "no use for a "
            "kernel allocation, which could not be moved away again."
        )
    return Statement(text, lines(report, "oom-kill", "cpuset", "header", "zone"))


def _fragmentation(facts: Facts) -> Statement:
    zones, report = facts.zones, facts.report
    assert zones is not None
    order = report.invoker.order or 0
    free = sum(zone.free_bytes or 0 for zone in zones.passing)
    text = (
        f"The request was for {size(requested_bytes(report))} in one piece (order {order}). "
        f"{_upper(zones.passing)} "
        f"had {size(free)} free, but "
        "no free piece of that size that the request may use: memory was fragmented."
    )
    if zones.spare:
        text += f" {_upper(zones.spare)} had memory too, which this request cannot use."
    return Statement(text, lines(report, "header") + zone_lines(report))


def _low_zone(facts: Facts) -> Statement:
    zones, report = facts.zones, facts.report
    assert zones is not None
    text = (
        f"The request can only use memory up to zone {zones.highest}, and {_named(zones.eligible)} "
        f"{'was' if len(zones.eligible) == 1 else 'were'} down to the reserve ({_figures(zones.eligible)})."
    )
    if zones.spare:
        free = sum(zone.free_bytes or 0 for zone in zones.spare)
        text += f" The {size(free)} free in {_named(zones.spare)} cannot serve it."
    if zones.set_aside_bytes:
        text += (
            f" {size(zones.set_aside_bytes)} of the free memory is set aside for contiguous "
            "allocations (CMA), "
            "where only movable pages may go."
        )
    return Statement(text, lines(report, "header") + zone_lines(report))


def _named(zones: tuple[ZoneFacts, ...]) -> str:
    found = sorted({zone.name for zone in zones}, key=ZONES.index)
    return f"zone {found[0]}" if len(found) == 1 else f"zones {names.listed(found)}"


def _upper(zones: tuple[ZoneFacts, ...]) -> str:
    return f"Z{_named(zones)[1:]}"


def _figures(zones: tuple[ZoneFacts, ...]) -> str:
    return "; ".join(
        f"{zone.name}: {size(zone.free_bytes or 0)} free, min {size(zone.min_bytes or 0)}" for zone in zones
    )


def _reserve(facts: Facts) -> tuple[Statement, ...]:
    """What is free at a global OOM is the reserve below the watermarks."""
    zones, report = facts.zones, facts.report
    if zones is None or not zones.eligible:
        return ()
    if zones.mostly_free and not zones.passing:
        return (_mostly_free(facts),)
    free = sum(zone.free_bytes or 0 for zone in zones.eligible)
    least = sum(zone.min_bytes or 0 for zone in zones.eligible)
    if zones.passing:
        text = (
            f"When this was printed {_named(zones.passing)} had more than the reserve again "
            f"({_figures(zones.passing)}): other processes free memory while the kernel writes its report."
        )
        return (Statement(text, zone_lines(report), "likely"),)
    text = (
        f"The {size(free)} still free are the kernel's reserve (its 'min' watermarks add up to "
        f"{size(least)}, and lower "
        "zones keep more back): ordinary requests may not use it."
    )
    return (Statement(text, zone_lines(report)),)


def _mostly_free(facts: Facts) -> Statement:
    zones = facts.zones
    assert zones is not None
    free = sum(zone.free_bytes or 0 for zone in zones.eligible)
    text = (
        f"{size(free)} were free, more than half of the machine's memory, yet the watermarks forbade its use "
        f"({_figures(zones.eligible)}). Watermarks or reserves like these are a fault of the kernel "
        "or of a balloon or "
        "hotplug driver."
    )
    return Statement(text, zone_lines(facts.report), "likely")


def _swap_left(facts: Facts) -> tuple[Statement, ...]:
    node, fill = facts.report.node, facts.fill
    if node is None or fill is None or not node.total_swap_bytes or node.free_swap_bytes is None:
        return ()
    if node.free_swap_bytes * 10 < node.total_swap_bytes or fill.largest is None:
        return ()
    if fill.largest.word == "unexplained":
        return ()
    text = f"Swap was not full ({size(node.free_swap_bytes)} of {size(node.total_swap_bytes)} free)"
    if fill.largest.word in ("anon", "shmem"):
        text += ": memory was used up faster than it could be written to swap, or it is locked."
    else:
        text += f", but {names.SHORT_PARTS[fill.largest.word]} cannot be swapped out."
    return (Statement(text, lines(facts.report, "swap-free", "swap-total"), "likely"),)
