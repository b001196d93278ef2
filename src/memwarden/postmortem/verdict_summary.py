"""The verdict in one or two sentences, for a ticket or an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwarden.postmortem import names
from memwarden.postmortem.cause_limit import requested_bytes
from memwarden.units import size

if TYPE_CHECKING:
    from memwarden.postmortem.cause_facts import Facts
    from memwarden.postmortem.model import Cause


def summary(facts: Facts, cause: Cause) -> str:
    """Who died, and why, in plain words."""
    return f"{_who(facts)} {_why(facts, cause)}"


def _who(facts: Facts) -> str:
    report = facts.report
    if report.victims:
        distinct = len({victim.pid for victim in report.victims})
        more = f" and {distinct - 1} more" if distinct > 1 else ""
        where = names.home(facts)
        place = f" in {where}" if where is not None and where != "the root cgroup" else ""
        verb = "were" if distinct > 1 else "was"
        return f"{names.process(report.victims[0])}{more}{place} {verb} killed:"
    if report.no_killable or report.panic:
        return "Nobody was killed" + (", the machine stopped (panic):" if report.panic else ":")
    return "An OOM report without its kill line:"


def _why(facts: Facts, cause: Cause) -> str:
    return _PHRASES[cause](facts)


def _memcg(facts: Facts) -> str:
    if facts.report.no_killable:
        return f"{names.limit_phrase(facts)} was full{_mostly(facts)}, and no process there may be killed."
    return f"{names.limit_phrase(facts)} was full{_mostly(facts)}."


def _mostly(facts: Facts) -> str:
    fill = facts.fill
    if fill is None or fill.largest is None:
        return ", the text does not say with what"
    share = f" ({names.percent(fill.largest.size_bytes, fill.whole_bytes)})" if fill.whole_bytes else ""
    if fill.largest.word == "unexplained":
        return f", most of it{share} in nothing that the report shows"
    return f", mostly with {names.SHORT_PARTS[fill.largest.word]}{share}"


def _system(facts: Facts) -> str:
    if facts.report.scope == "unknown":
        return f"memory was full{_mostly(facts)}."
    if facts.zones is not None and facts.zones.mostly_free:
        forbidden = "" if facts.zones.passing else ", but its watermarks forbade the use of it"
        return f"more than half of the machine's memory was free when this was printed{forbidden}."
    return f"the memory of the whole machine was full{_mostly(facts)}."


def _manual(facts: Facts) -> str:
    if facts.report.manual:
        return "somebody asked for it by hand (SysRq-F); nothing had run out."
    return "a policy program loaded into the kernel asked for it; no limit was hit."


def _fragmentation(facts: Facts) -> str:
    order = facts.report.invoker.order or 0
    wanted = size(requested_bytes(facts.report))
    return f"memory was free, but not {wanted} in one piece (order {order}) where the request may take it."


def _low_zone(facts: Facts) -> str:
    highest = facts.zones.highest if facts.zones is not None else "low"
    return f"memory up to zone {highest}, all that the request can use, ran out while other memory was free."


def _numa(facts: Facts) -> str:
    kind = "cpuset" if facts.report.scope == "cpuset" else "memory policy"
    nodes = facts.report.mems_allowed if facts.report.scope == "cpuset" else facts.report.nodemask
    where = f" ({nodes})" if nodes else ""
    return f"the NUMA nodes that a {kind} allows{where} could not serve a request, whatever others had free."


def _no_victim(facts: Facts) -> str:
    if facts.report.scope == "memcg":
        return _memcg(facts)
    full = _system(facts).removesuffix(".")
    return f"{full}, and no process may be killed (none is left, or all are exempt)."


def _spurious(facts: Facts) -> str:
    return "a kill raised by mistake, from a page fault, while memory was free."


def _unknown(facts: Facts) -> str:
    return "the text holds too little to say what ran out."


_PHRASES = {
    "memcg-anon": _memcg,
    "memcg-file": _memcg,
    "memcg-shmem": _memcg,
    "memcg-kernel": _memcg,
    "memcg-unevictable": _memcg,
    "memcg-swap-limit": _memcg,
    "memcg-unknown": _memcg,
    "system-anon": _system,
    "system-shmem": _system,
    "system-slab": _system,
    "system-hugepages": _system,
    "system-unevictable": _system,
    "system-unknown": _system,
    "fragmentation": _fragmentation,
    "low-zone": _low_zone,
    "numa-bound": _numa,
    "manual": _manual,
    "no-victim": _no_victim,
    "spurious": _spurious,
    "unknown": _unknown,
}
