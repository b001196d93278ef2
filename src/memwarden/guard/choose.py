"""The one base that chooses: among whom, what may be killed as one, who is passed over, who comes next.

A policy only ranks. What is passed over is in the answer with its reason, so that the question "why that one,
and why not the others" has its answer in the record. A subtree that cannot win is not gone into: it is one
entry.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from memwarden.guard.globs import EVERYTHING
from memwarden.guard.judge import Judge, Unit, of_processes, shown
from memwarden.guard.rankings import KEYS
from memwarden.guard.record import Considered
from memwarden.state.cgroup import ancestry, parent_path
from memwarden.state.intents import CgroupId

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from memwarden.guard.ir import Choice
    from memwarden.guard.never import Guarded
    from memwarden.guard.rankings.key import Figure
    from memwarden.guard.record import Candidate
    from memwarden.guard.view import View
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.intents import Target

_Waiting: TypeAlias = "tuple[Figure, str, bool]"
"""How far a cgroup reaches, below 0 so that the greatest is first; its path; whether it is killed as one."""
Whom: TypeAlias = 'Literal["all", "next", "first"]'
"""Everybody; those that might be chosen; or nobody but the chosen one, and whoever was looked into for it."""
LISTED: Final = 16
"""How many that came after the chosen one, and how many of each reason, have an entry of their own."""


def order(
    choice: Choice, view: View, guarded: Guarded, *, failed: frozenset[Target] = frozenset()
) -> tuple[Candidate, ...]:
    """Every candidate considered, the first to die first.

    The chosen one is the first, if any, and the only one without ``why_not``. Behind it come those that would
    be next, in order, then those that may not be killed, then subtrees that were not gone into. Beyond the
    first few of a kind one entry ``stands_for`` the rest. ``failed`` are those that were tried in vain.
    """
    chooser = _Chooser(choice, view, guarded, failed)
    chooser.choose()
    return chooser.record()


def considered(
    choice: Choice, view: View, guarded: Guarded, *, failed: frozenset[Target] = frozenset()
) -> tuple[Candidate, ...]:
    """The same as :func:`order`, where the chosen one is known before the others are looked into."""
    if choice.units != "leaf" or not _prunes(choice):
        return order(choice, view, guarded, failed=failed)
    chooser = _Chooser(choice, view, guarded, failed)
    chooser.choose("first")
    if not chooser.killable:
        return order(choice, view, guarded, failed=failed)
    chosen = chooser.judge.candidate(chooser.killable[0])
    found = Considered(chosen, lambda: order(choice, view, guarded, failed=failed))
    return cast("tuple[Candidate, ...]", found)


def suspects(
    choice: Choice, view: View, guarded: Guarded, *, failed: frozenset[Target] = frozenset(), most: int
) -> tuple[str, ...]:
    """The cgroup that is chosen as far as is known, and the next to be chosen, so many at most.

    They are the first of :func:`order`, without its record.
    """
    chooser = _Chooser(choice, view, guarded, failed)
    chooser.choose("next")
    lower = [unit for unit in chooser.refused if unit.why_not.startswith("lower")]
    after = [unit.path for unit in (*chooser.killable[1:], *lower) if unit.score > 0]
    return tuple([unit.path for unit in chooser.killable[:1]] + after)[:most] if chooser.killable else ()


def few_suffice(choice: Choice) -> bool:
    """Whether a choice is the same when only the processes of the chosen one are known.

    What a process is may then forbid to kill the cgroup that it is in, and do nothing else: no process makes
    a cgroup's figure or its mark. So who would be chosen without any, and is not forbidden by its own, is who
    is chosen with all.
    """
    return choice.units != "process" and not of_processes(choice)


def refusal(choice: Choice, view: View, guarded: Guarded, target: Target) -> str:
    """Why one that was chosen before may not be killed any more; empty where it may be."""
    if isinstance(target, CgroupId):
        cgroup, process = view.snapshot.cgroups.get(target.path), None
    else:
        cgroup, process = None, view.snapshot.processes.get(target.pid)
    if cgroup is None and process is None:
        return "gone: it was not to be read"
    unit = Unit(cgroup, process)
    chooser = _Chooser(choice, view, guarded, frozenset())
    chooser.judge.refuse(unit, chooser.watched_uid(unit.path))
    return unit.why_not


def _prunes(choice: Choice) -> bool:
    """Whether a parent's figure says enough about its children's."""
    weights = choice.ranking.weights
    return len(weights) == 1 and KEYS[weights[0].key].bound is not None


class _Chooser:
    """One choice being made: ``killable`` in order, ``refused``, and what was ``pruned``."""

    def __init__(self, choice: Choice, view: View, guarded: Guarded, failed: frozenset[Target]) -> None:
        self.choice = choice
        self.view = view
        self.snapshot = view.snapshot
        self.judge = Judge(choice, view, guarded, failed)
        self.everything = not choice.cgroups or not EVERYTHING.isdisjoint(choice.cgroups)
        self.killable: list[Unit] = []
        self.refused: list[Unit] = []
        self.pruned: list[Unit] = []
        self.shape = view.history.shape(view.snapshot.cgroups)
        self._tops: dict[str, Cgroup] | None = None

    def choose(self, whom: Whom = "all") -> None:
        """Put everybody in order, as far as they are asked for."""
        units = self.choice.units
        if units == "process":
            self.processes()
        elif units == "matched":
            self.flat([Unit(cgroup) for cgroup in self.view.matches(self.choice.cgroups)])
        elif units == "recursive":
            self.recursive()
        elif _prunes(self.choice):
            self.leaves_from_the_top(whom)
        else:
            self.flat([Unit(cgroup) for cgroup in self.leaves()])

    # Among whom.

    def tops(self) -> dict[str, Cgroup]:
        """The matching cgroups that have none above them that matches."""
        if self._tops is None:
            if self.everything:
                self._tops = {path: self.snapshot.cgroups[path] for path in self.shape.roots}
            else:
                found = {cgroup.path: cgroup for cgroup in self.view.matches(self.choice.cgroups)}
                self._tops = {
                    path: cgroup
                    for path, cgroup in found.items()
                    if not any(above in found for above in ancestry(path)[1:])
                }
        return self._tops

    def watched_uid(self, path: str) -> int:
        """Who owns the cgroup that is looked after, above this one; root for the machine as a whole.

        systemd-oomd heeds what users say of their own cgroups when it acts on pressure, not on swap.
        """
        if not self.everything and not self.judge.key.of_swap:
            for above in ancestry(path)[1:]:
                top = self.tops().get(above)
                if top is not None:
                    return top.owner_uid or 0
        return 0

    def is_leaf(self, cgroup: Cgroup) -> bool:
        """Whether it is killed as one: memory.oom.group says so, or nothing below it has memory of its own.

        A child without the memory controller has its memory charged here.
        """
        if not cgroup.children or (cgroup.oom_group and cgroup.version != 1):
            return True
        cgroups = self.snapshot.cgroups
        return not any(path in cgroups and _is_accounted(cgroups[path]) for path in cgroup.children)

    def leaves(self) -> Iterable[Cgroup]:
        """All that may be killed as one at or below the tops."""
        waiting = list(self.tops().values())
        while waiting:
            cgroup = waiting.pop()
            if self.is_leaf(cgroup):
                yield cgroup
            else:
                waiting.extend(self.below(cgroup))

    def below(self, cgroup: Cgroup) -> list[Cgroup]:
        """The children that the snapshot has; those that vanished meanwhile have nothing to be chosen by."""
        cgroups = self.snapshot.cgroups
        return [cgroups[path] for path in cgroup.children if path in cgroups]

    # How.

    def processes(self) -> None:
        """Single processes; kernel threads are no candidates at all."""
        tops = self.tops()
        units = [
            Unit(None, process)
            for process in self.snapshot.processes.values()
            if not process.is_kernel_thread
            and (self.everything or any(above in tops for above in ancestry(process.cgroup or "/")))
        ]
        self.flat(units)

    def flat(self, units: list[Unit]) -> None:
        """All of them compared with each other."""
        for unit in units:
            self.judge.refuse(unit, self.watched_uid(unit.path))
        for unit in self.judge.rank(units):
            (self.refused if unit.why_not else self.killable).append(unit)

    def recursive(self) -> None:
        """The best of the siblings, then the best below it, and back up where nothing below can be killed.

        oomd ``src/oomd/plugins/BaseKillPlugin.cpp:resumeTryingToKillSomething``: only siblings are compared,
        and one that has children is never killed itself.
        """
        if not self.everything:
            # ** names a tree, whose top is the sibling; oomd has no such glob.
            deep = any("**" in glob for glob in self.choice.cgroups)
            first: Iterable[Cgroup] = self.tops().values() if deep else self.view.matches(self.choice.cgroups)
        elif "/" in self.snapshot.cgroups:
            first = self.below(self.snapshot.cgroups["/"])
        else:
            first = self.tops().values()
        waiting = self._siblings(first)
        while waiting:
            unit = waiting.pop()
            assert unit.cgroup is not None
            if unit.why_not:
                self.refused.append(unit)
            elif self.is_leaf(unit.cgroup):
                self.killable.append(unit)
            elif self.killable:  # the choice is made: what it holds does not matter any more
                figure = shown(self.judge.key, unit.figures[0][1])
                unit.why_not = f"pruned: {self.judge.first} {figure}, lower than what was gone into"
                unit.stands_for = self._count(unit.cgroup)
                self.pruned.append(unit)
            else:
                waiting.extend(self._siblings(self.below(unit.cgroup)))

    def _siblings(self, cgroups: Iterable[Cgroup]) -> list[Unit]:
        """Ranked, the best last."""
        units = [Unit(cgroup) for cgroup in cgroups]
        for unit in units:
            assert unit.cgroup is not None
            if self.is_leaf(unit.cgroup):
                self.judge.refuse(unit, self.watched_uid(unit.path))
            else:
                self.judge.refuse_below(unit, self.watched_uid(unit.path))
                if unit.why_not:
                    unit.stands_for = self._count(unit.cgroup)
        return self.judge.rank(units)[::-1]

    def _count(self, cgroup: Cgroup) -> int:
        return self.shape.sizes[cgroup.path]

    # Top down.

    def leaves_from_the_top(self, whom: Whom) -> None:
        """Go into what could hold the most, until nothing could hold more than the best that was found."""
        judge, preferred = self.judge, self.judge.marker.preferred(self.snapshot)
        among = None if preferred else judge.among()
        waiting: list[_Waiting] = []
        idle: list[_Waiting] = []
        self._wait(waiting, idle, self.tops().values(), among)
        found: list[Unit] = []
        beaten: list[_Waiting] = []
        enough = judge.least if judge.key.quantity and judge.key.floor is None else -inf
        best: Figure = -inf
        while waiting:
            one = reach, path, leaf = heappop(waiting)
            cgroup = self.snapshot.cgroups[path]
            if (-reach < best or -reach <= enough) and path not in preferred:
                beaten.append(one)
                if not preferred:  # nobody who waits reaches further
                    beaten.extend(sorted(waiting))
                    break
            elif leaf:
                unit = Unit(cgroup)
                judge.refuse(unit, self.watched_uid(path))
                found.append(unit)
                if not unit.why_not and unit.mark != "avoid" and not judge.lacks(unit, -reach, -reach):
                    best = max(best, -reach)
            elif reason := judge.refused_below(path):
                self._refuse_all(cgroup, reason)
            else:
                self._wait(waiting, idle, self.below(cgroup), among)
        if idle and whom == "all":
            beaten = sorted(beaten + idle)
        if whom != "first":
            self._leave(beaten, found, brief=whom == "next")
        for unit in judge.rank(found):
            (self.refused if unit.why_not else self.killable).append(unit)

    def _wait(
        self,
        waiting: list[_Waiting],
        idle: list[_Waiting],
        cgroups: Iterable[Cgroup],
        among: Container[str] | None,
    ) -> None:
        reach = self.judge.reach
        for cgroup in cgroups:
            path, leaf = cgroup.path, not cgroup.children
            if leaf and among is not None and path not in among:
                idle.append((0, path, True))  # as most are that stand beside a culprit
                continue
            leaf = leaf or self.is_leaf(cgroup)
            heappush(waiting, (-reach(cgroup, leaf=leaf), path, leaf))

    def _refuse_all(self, cgroup: Cgroup, reason: str) -> None:
        unit = Unit(cgroup)
        unit.why_not, unit.stands_for = reason, self._count(cgroup)
        self.refused.append(unit)

    def _leave(self, beaten: list[_Waiting], found: list[Unit], *, brief: bool) -> None:
        """What was not gone into, the greatest first: a few leaves, and one entry for each other subtree.

        ``brief``: none that stands for others, and no leaf that would not be chosen though nobody else were.
        """
        rest: dict[str, Figure] = {}
        counts: dict[str, int] = {}
        listed = 0
        cgroups = self.snapshot.cgroups
        for reach, path, leaf in beaten:
            if brief and reach >= 0:
                break
            if not leaf:
                if not brief:
                    self._prune(cgroups[path], -reach, self._count(cgroups[path]))
            elif listed < LISTED or (above := parent_path(path) or "") not in cgroups:
                listed += 1
                unit = Unit(cgroups[path])
                self.judge.refuse(unit, self.watched_uid(path))
                found.append(unit)
            elif above in counts:
                counts[above] += 1
            else:
                counts[above], rest[above] = 1, -reach
        if not brief:
            for path, figure in rest.items():
                self._prune(cgroups[path], figure, counts[path])

    def _prune(self, cgroup: Cgroup, reach: Figure, stands_for: int) -> None:
        unit = Unit(cgroup)
        figure = shown(self.judge.key, reach)
        unit.why_not = f"pruned: {self.judge.first} at most {figure} in each of {stands_for}"
        unit.stands_for, unit.score, unit.figures = stands_for, reach, ((self.judge.first, reach),)
        self.pruned.append(unit)

    # The record.

    def record(self) -> tuple[Candidate, ...]:
        """All entries in order; those beyond the first few of a kind as one."""
        for unit in self.killable[1:]:
            self.judge.say_lower(unit, self.killable[0])
        lower = [unit for unit in self.refused if unit.why_not.startswith("lower")]
        others = [unit for unit in self.refused if not unit.why_not.startswith("lower")]
        units = [
            *self.killable[:1],
            *_condensed([*self.killable[1:], *lower]),
            *_condensed(others),
            *_condensed(self.pruned),
        ]
        return tuple([self.judge.candidate(unit) for unit in units])


def _is_accounted(cgroup: Cgroup) -> bool:
    return cgroup.controllers is None or "memory" in cgroup.controllers


def _condensed(units: list[Unit]) -> list[Unit]:
    """The first few of each kind of reason; the next stands for those that follow too."""
    kept: list[Unit] = []
    counts: dict[str, int] = {}
    last: dict[str, Unit] = {}
    for unit in units:
        kind = unit.why_not.partition(":")[0]
        count = counts[kind] = counts.get(kind, 0) + 1
        if count <= LISTED + 1:
            kept.append(unit)
            last[kind] = unit
        else:
            last[kind].stands_for += unit.stands_for
    for kind, unit in last.items():
        if counts[kind] > LISTED + 1:
            unit.why_not += f", and {counts[kind] - LISTED - 1} more"
    return kept
