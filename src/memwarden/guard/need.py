"""Whether anything has to be done at all, and where: whose memory it is that is short.

A stall that somebody sees may come from the machine's memory or from one cgroup's own limit, and only a death
within that *domain* helps. The machine's counters tell them apart: ``mm/vmscan.c`` counts scanned pages in
/proc/vmstat for global reclaim only (``!cgroup_reclaim(sc)``), and a cgroup's own limit shows in
``memory.events.local`` (``high``, ``max``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.state.cgroup import ancestry
from memwarden.units import MILLISECOND_US, SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.guard.view import View

MACHINE: Final = "/"
WINDOW_US: Final = 2 * SECOND_US
STALL_US: Final = MILLISECOND_US
"""Stalled time within the window that counts as a stall at all."""
LIMITS: Final = ("high", "max", "oom")
"""Counters of memory.events that a cgroup's own limits move."""


class Need(NamedTuple):
    """Why, and whose memory is short.

    ``reason``: ``stall``, ``reclaim``, ``forecast``, or empty: no need. ``domain``: a cgroup or ``/``.
    """

    reason: str
    text: str
    domain: str


def need(view: View, where: str, *, act_us: int) -> Need:
    """Why something has to be done about what was seen at ``where``.

    ``act_us`` is how long an action takes to help: exhaustion that is further off, its error included, is
    no need.
    """
    domain = domain_of(view, where)
    history = view.history
    stalled = [
        history.stalled_us(path, "memory", kind, WINDOW_US) or 0
        for path in {where, domain}
        for kind in ("full", "some")
    ]
    if max(stalled) > STALL_US:
        text = f"tasks stalled for {max(stalled) / 1000:.0f} ms in {WINDOW_US // SECOND_US} s"
        return Need("stall", text, domain)
    if history.increment(domain, "pgscan", WINDOW_US):
        return Need("reclaim", "the kernel is reclaiming", domain)
    forecast = view.exhaustion(domain, act_us)
    if forecast is not None and forecast.ends.earliest_us <= act_us:
        text = f"memory ends in {forecast.ends.earliest_us / SECOND_US:.1f} s at the earliest"
        return Need("forecast", text, domain)
    lasts = f"memory lasts for more than {act_us / SECOND_US:.1f} s"
    return Need("", f"nothing stalls, the kernel does not reclaim, and {lasts}", domain)


def domain_of(view: View, where: str) -> str:
    """The cgroup whose own limit is what holds ``where`` up, or the machine.

    Seen at a cgroup: the nearest of it and its ancestors whose limit was met lately. Seen at the machine, and
    the machine does not reclaim: the one that stalled most of those whose limit was met.
    """
    if where != MACHINE:
        return next((path for path in ancestry(where) if limited(view, path)), MACHINE)
    if view.history.increment(MACHINE, "pgscan", WINDOW_US):
        return MACHINE
    return max(_limited(view), default=(0, MACHINE))[1]


def _limited(view: View) -> Iterator[tuple[int, str]]:
    cgroups = view.snapshot.cgroups
    for path in view.history.changed(WINDOW_US):  # whoever is as it was met no limit
        if path != MACHINE and path in cgroups and limited(view, path):
            yield view.history.stalled_us(path, "memory", "full", WINDOW_US) or 0, path


def limited(view: View, path: str) -> bool:
    """Whether the cgroup met a limit of its own within the window."""
    return any(view.history.increment(path, f"events_local.{name}", WINDOW_US) for name in LIMITS)
