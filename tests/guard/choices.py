"""Choices for the tests of choosing: who is first, and why the others are not."""

from __future__ import annotations

from memwarden.guard.choose import order
from memwarden.guard.ir import Amount, Choice, Preferences, Ranking, Weight
from memwarden.guard.never import Guarded
from memwarden.guard.view import View
from memwarden.state.intents import CgroupId
from memwarden.units import SECOND_US
from tests.guard.ticks import group, past, tick

ZERO_TOO = Amount(bytes=-1)
"""As ``least``: one that has none of it may be chosen too."""


def live(path, **fields):
    """A cgroup with a process in it somewhere."""
    fields.setdefault("populated", True)
    return group(path, **fields)


def seen(*cgroups, before=(), processes=None, **fields):
    """The view of a machine, with what it was at earlier looks, a second apart."""
    ticks = [tick(number * SECOND_US, *each) for number, each in enumerate(before)]
    known = tuple((processes or {}).values())
    last = tick(len(ticks) * SECOND_US, *cgroups, processes=known, **fields)
    return View(last, past(*ticks, last))


def by(
    key, *cgroups, units="leaf", least=None, parameters=(), ties=(), adjust=(), weights=None, **preferences
):
    """A choice by one key."""
    ranking = Ranking(
        weights or (Weight(key),), least or Amount(bytes=0), tuple(parameters), tuple(ties), tuple(adjust)
    )
    return Choice(cgroups or ("/**",), units, ranking, Preferences(**preferences))


def name(target):
    """A cgroup's path, a process's pid."""
    return target.path if isinstance(target, CgroupId) else target.pid


def candidates(choice, view, guarded=None, *, failed=()):
    return order(choice, view, guarded or Guarded(), failed=frozenset(failed))


def chosen(choice, view, guarded=None, *, failed=()):
    """Who is to die; ``None`` when nobody may. Says on the way that the record has the order it promises."""
    found = candidates(choice, view, guarded, failed=failed)
    assert [bool(each.why_not) for each in found] == sorted(bool(each.why_not) for each in found)
    assert sum(not each.why_not for each in found) <= 1
    kinds = [each.why_not.partition(":")[0] for each in found]
    rank = {"": 0, "lower": 1, "pruned": 3}
    assert [rank.get(kind, 2) for kind in kinds] == sorted(rank.get(kind, 2) for kind in kinds)
    return name(found[0].target) if found and not found[0].why_not else None


def ranked(choice, view, guarded=None):
    """The chosen one and those that would be next."""
    found = candidates(choice, view, guarded)
    return [name(each.target) for each in found if not each.why_not or each.why_not.startswith("lower")]


def why_not(choice, view, guarded=None, *, failed=()):
    """The reasons by path or pid."""
    return {name(each.target): each.why_not for each in candidates(choice, view, guarded, failed=failed)}


__all__ = ["ZERO_TOO", "by", "candidates", "chosen", "live", "name", "ranked", "seen", "why_not"]
