"""Ticks for the tests of the guard: snapshots at given times, and histories made of them."""

from __future__ import annotations

from memwarden.guard.history import History
from memwarden.guard.view import View
from memwarden.kernel.psi import Psi, PsiLine
from memwarden.state.snapshot import HostFacts, Instant
from memwarden.units import KIB, MIB, SECOND_US
from tests.rules.machines import cgroup, snapshot

S = SECOND_US
MS = 1000
HOST = HostFacts(boot_id="boot", cpus=2)


def psi(full=(0.0, 0.0, 0.0), some=None, *, full_us=0, some_us=None):
    """A pressure file: averages in percent, totals in microseconds; some is as full unless given."""
    return Psi(
        PsiLine(*(full if some is None else some), full_us if some_us is None else some_us),
        PsiLine(*full, full_us),
    )


def group(path, *, held=None, stat=None, **fields):
    """A cgroup; ``held`` MiB are anonymous memory."""
    figures = dict(stat or {})
    if held is not None:
        figures["anon"] = int(held * MIB)
    if stat is not None or held is not None:
        fields["stat"] = figures
    fields.setdefault("inode", sum(path.encode()) + 2)
    return cgroup(path, **fields)


def tick(at_us, *cgroups, held=None, meminfo=None, **fields):
    """A snapshot at a time; ``held`` MiB are the machine's anonymous memory."""
    figures = None if meminfo is None and held is None else dict(meminfo or {})
    if held is not None:
        figures["AnonPages"] = int(held * MIB)
    fields.setdefault("host", HOST)
    return snapshot(tuple(cgroups), meminfo=figures, **fields)._replace(instant=Instant(int(at_us)))


def past(*snapshots, **options):
    """A history of whole snapshots."""
    history = History(**options)
    for one in snapshots:
        history.add(one)
    return history


def leak(path="/a", *, mib_per_s=40.0, start=0, every=100 * MS, count=4, base=100.0, **fields):
    """Ticks at which a cgroup and the machine hold steadily more."""
    ticks = []
    for number in range(count):
        at = start + number * every
        mib = base + mib_per_s * (at - start) / S
        ticks.append(tick(at, group(path, held=mib, **fields), held=mib))
    return ticks


def look(watch, *snapshots, history=None, scope=None):
    """What a detector finds at each of some ticks."""
    history = history or History()
    found = []
    for one in snapshots:
        history.add(one)
        found.append(watch.see(View(one, history, scope)))
    return found


__all__ = ["HOST", "KIB", "MIB", "MS", "S", "group", "leak", "look", "past", "psi", "tick"]
