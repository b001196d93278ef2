"""Cgroups of a look that tell how they differ from those of the look before, and where to look for marks.

A guard asks both at each look, of a thousand cgroups of which a few moved. Whoever read them knows.
"""

from __future__ import annotations

from itertools import compress, count
from operator import is_not
from typing import TYPE_CHECKING, Final

from memwarden.state.cgroup import Cgroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NUMBERS: Final = count(1)


class Looked(dict[str, Cgroup]):
    """Cgroups by path, not to be changed once they are in a snapshot.

    ``number`` is their own. ``changed`` are the paths of those that are others than in the one with the
    number ``since``, 0 where nobody knows. ``special``: all that have marks, or ask for min or low.
    """

    __slots__ = ("changed", "number", "since", "special")

    def __init__(
        self,
        cgroups: Mapping[str, Cgroup],
        *,
        special: frozenset[str],
        since: int = 0,
        changed: tuple[str, ...] = (),
    ) -> None:
        super().__init__(cgroups)
        self.number = next(_NUMBERS)
        self.special = special
        self.since = since
        self.changed = changed

    def after(self, now: Mapping[str, Cgroup], changed: Iterable[str]) -> Looked:
        """What is there a moment later: some changed, and nobody came or went."""
        paths = tuple(changed)
        special = self.special
        were = {path for path in paths if path in special}
        are = {path for path in paths if is_special(now[path])}
        if were != are:
            special = special - were | are
        return Looked(now, special=special, since=self.number, changed=paths)


def of(cgroups: Mapping[str, Cgroup]) -> Looked:
    """Cgroups of which nothing is known yet."""
    return Looked(cgroups, special=frozenset([path for path, one in cgroups.items() if is_special(one)]))


def is_special(cgroup: Cgroup) -> bool:
    """Whether somebody marked it, or had it protected."""
    return bool(cgroup.marks or cgroup.min_bytes or cgroup.low_bytes)


def special(cgroups: Mapping[str, Cgroup]) -> Iterable[Cgroup]:
    """Those among whom all with marks, min or low are: everybody, where it was not noted."""
    if isinstance(cgroups, Looked):
        return [cgroups[path] for path in cgroups.special]
    return cgroups.values()


def others(before: Mapping[str, Cgroup], now: Mapping[str, Cgroup]) -> list[str]:
    """The paths of those that are now others than before, in any order; most are the very same object.

    Without a step of Python for each: a guard asks at each look at a thousand. Nobody is looked up where the
    same are there, as mostly, and nobody is asked where it was noted.
    """
    if before is now:
        return []
    if isinstance(now, Looked) and isinstance(before, Looked) and now.since == before.number:
        return list(now.changed)
    were = before.values() if list(before) == list(now) else map(before.get, now)
    return list(compress(now, map(is_not, now.values(), were)))
