"""Whether one candidate may be killed, how high it ranks, and how it stands in the record."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from memwarden.guard.marks import ORDER, Marker
from memwarden.guard.names import Names
from memwarden.guard.rankings import KEYS
from memwarden.guard.rankings.key import Ground
from memwarden.guard.record import Candidate
from memwarden.state.intents import CgroupId, ProcessId
from memwarden.units import size

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from memwarden.guard.ir import Choice, RankKey
    from memwarden.guard.marks import Mark
    from memwarden.guard.never import Guarded
    from memwarden.guard.rankings.key import Figure, Key
    from memwarden.guard.view import View
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.intents import Target
    from memwarden.state.process import Process

_SUFFIXES: Final = (".service", ".scope", ".socket", ".mount", ".swap")
_MANY: Final = 64


class Unit:
    """One that might be killed: a cgroup as a whole, or a process."""

    __slots__ = (
        "cgroup",
        "figures",
        "mark",
        "mark_why",
        "parts",
        "process",
        "score",
        "stands_for",
        "why_not",
    )

    def __init__(self, cgroup: Cgroup | None, process: Process | None = None) -> None:
        self.cgroup = cgroup
        self.process = process
        self.mark: Mark = "normal"
        self.mark_why = ""
        self.why_not = ""
        self.parts: tuple[Figure, ...] = ()
        """What orders it, the first that differs decides."""
        self.score: Figure = 0
        self.figures: tuple[tuple[str, Figure], ...] = ()
        self.stands_for = 1

    @property
    def path(self) -> str:
        """The cgroup it is, or that the process is in."""
        if self.cgroup is not None:
            return self.cgroup.path
        return (self.process and self.process.cgroup) or "/"

    @property
    def target(self) -> Target:
        """What an intent would name."""
        if self.process is not None:
            return ProcessId(self.process.pid, self.process.start_time_ticks, self.process.comm)
        assert self.cgroup is not None
        return CgroupId(self.cgroup.path, self.cgroup.inode)

    @property
    def identity(self) -> tuple[str | int, int]:
        """What it is known by, whatever it is called now."""
        target = self.target
        return (target.path, target.inode) if isinstance(target, CgroupId) else target[:2]

    @property
    def place(self) -> tuple[str, bool, int]:
        """What decides between equals: the name of a cgroup; the least pid, one whose leader lives first."""
        if self.process is None:
            return self.path, False, 0
        return "", self.process.state == "Z", self.process.pid


class Judge:
    """Judges the candidates of one choice in one view."""

    def __init__(self, choice: Choice, view: View, guarded: Guarded, failed: Iterable[Target]) -> None:
        self.snapshot = view.snapshot
        self.ranking = choice.ranking
        self.ground = Ground(view, dict(choice.ranking.parameters))
        self.first = choice.ranking.weights[0].key
        self.key: Key = KEYS[self.first]
        self._guarded = guarded
        self.marker = _markers(choice)
        self._failed = {
            (target.path, target.inode) if isinstance(target, CgroupId) else target[:2] for target in failed
        }
        self._adjust = _adjustments(choice)
        whole = self.ground.total_bytes("SwapTotal" if self.key.of_swap else "MemTotal")
        self.least = self.ranking.least.of(whole)
        self._least = shown(self.key, self.least)
        self._most_adjust = sum(max(amount, 0) for _, _, amount in self._adjust)
        # One that was looked at without its processes says the same with them, if nothing but itself decides.
        alone = not (self._adjust or self.key.of_processes or self.ground.protections())
        self._reaches = view.reaches(self.ranking) if alone else {}

    # Whether it may be killed.

    def refuse(self, unit: Unit, watched_uid: int) -> None:
        """Set the mark of what may be killed as one, and why it may not be killed where it may not."""
        if unit.process is not None:
            marked = self.marker.of_process(unit.process, self.snapshot, watched_uid=watched_uid)
            reason = self._process(unit.process)
        else:
            assert unit.cgroup is not None
            marked = self.marker.of_cgroup(unit.cgroup, self.snapshot, watched_uid=watched_uid)
            reason = self._cgroup(unit.cgroup, watched_uid)
        unit.mark, unit.mark_why = marked
        # Whom nobody kills is said first: it would hold without the marks too.
        if marked.mark == "omit" and not (reason or "").startswith(("never", "protected")):
            reason = f"omit: {marked.why}"
        if reason is None and unit.identity in self._failed:
            reason = "failed: it was tried already"
        unit.why_not = reason or ""

    def refuse_below(self, unit: Unit, watched_uid: int) -> None:
        """Set the mark of a cgroup that others are chosen from, and why none may be where none may."""
        assert unit.cgroup is not None
        marked = self.marker.of_cgroup(unit.cgroup, self.snapshot, watched_uid=watched_uid, whole=False)
        unit.mark, unit.mark_why = marked
        reason = self._guarded.of_subtree(unit.path)
        unit.why_not = reason or (f"omit: {marked.why}" if marked.mark == "omit" else "")

    def refused_below(self, path: str) -> str | None:
        """Why none of what is killed as one at or below a cgroup may be, as far as its name tells."""
        entry = self.marker.omitted_by_name(path)
        return self._guarded.of_subtree(path) or (f"omit: {entry}" if entry else None)

    def _process(self, process: Process) -> str | None:
        if process.state in ("Z", "X") and (process.threads or 0) <= 1:
            return "gone: it has exited"
        return self._guarded.of_process(process, self.snapshot)

    def _cgroup(self, cgroup: Cgroup, watched_uid: int) -> str | None:
        reason = self._guarded.of_cgroup(cgroup.path, cgroup, self.snapshot)
        if reason is None and cgroup.children:
            omitted = self.marker.omitted_below(cgroup, self.snapshot, watched_uid=watched_uid)
            reason = f"omit: holds {omitted}" if omitted else None
        return reason or self._empty(cgroup)

    def _empty(self, cgroup: Cgroup) -> str | None:
        """What oomd skips: processes that cannot die have had their memory reaped already."""
        populated = cgroup.populated
        if populated is None:  # v1 has no such file
            populated = any(each.procs is None or each.procs for each in self.snapshot.subtree(cgroup.path))
        if not populated:
            return "empty: no process"
        if cgroup.stat is not None and cgroup.stat.get("anon") == 0 and not cgroup.swap_current_bytes:
            return "empty: nothing anonymous"
        return None

    # How high it ranks.

    def figure(self, key: Key, unit: Unit) -> Figure | None:
        """One key's figure."""
        if unit.process is not None:
            return key.of_process(unit.process, self.ground)
        assert unit.cgroup is not None
        return key.of_cgroup(unit.cgroup, self.ground)

    def rank(self, units: list[Unit]) -> list[Unit]:
        """Give each its figures, and put them in order: the first to die first."""
        self._score(units)
        return sorted(units, key=_order)

    def _score(self, units: list[Unit]) -> None:
        weights = self.ranking.weights
        groups: list[list[Figure]] = []
        for weight in weights:
            figures = [self.figure(KEYS[weight.key], unit) or 0 for unit in units]
            for unit, figure in zip(units, figures, strict=True):
                unit.figures = (*unit.figures, (weight.key, figure))
            if weight is weights[0] and self._adjust:
                figures = [figure + self.adjusted(unit) for unit, figure in zip(units, figures, strict=True)]
            groups.append(figures)
        if len(weights) == 1:
            scores = groups[0]
            parts: list[tuple[Figure, ...]] = [(score,) for score in scores]
            cgroups = [unit.cgroup for unit in units if unit.cgroup is not None]
            if self.key.of_group is not None and cgroups and len(cgroups) == len(units):
                parts = self.key.of_group(cgroups, self.ground)
                scores = [next((part for part in each if part), 0) for each in parts]
        else:
            scores = _weighted([weight.weight for weight in weights], groups, units)
            parts = [(score,) for score in scores]
        for unit, score, part in zip(units, scores, parts, strict=True):
            ties = tuple(self.figure(KEYS[key], unit) or 0 for key in self.ranking.ties)
            unit.figures = (*unit.figures, *zip(self.ranking.ties, ties, strict=True))
            unit.score, unit.parts = score, (*part, *ties)
            unit.why_not = unit.why_not or self.lacks(unit, unit.figures[0][1], score)

    def adjusted(self, unit: Unit) -> float:
        """What the entries that name it add."""
        path: str | None = unit.path
        if unit.process is not None:
            path, members = unit.process.cgroup, [unit.process]
        else:
            members = [*self.snapshot.members(unit.path)]
        return sum(
            amount
            for look, names, amount in self._adjust
            if (path is not None and look(path)) or names.of_any(members)
        )

    def lacks(self, unit: Unit, figure: Figure, score: Figure) -> str:
        """Why it has too little of the first key to be a candidate; an adjustment counts as if it had it."""
        if self.key.floor is not None and unit.cgroup is not None:
            figure = self.key.floor(unit.cgroup, self.ground) or 0
        elif self._adjust:
            figure = score
        if (self.key.quantity or self.least > 0) and figure <= self.least:
            return f"lower: {self.first} {shown(self.key, figure)}, not more than {self._least}"
        return ""

    def reach(self, cgroup: Cgroup, *, leaf: bool) -> Figure:
        """The score of a cgroup, or what no score below it exceeds."""
        known = self._reaches.get(cgroup.path)
        if known is None or known[0] is not cgroup or known[1] is not leaf:
            known = self._reaches[cgroup.path] = cgroup, leaf, self._reach(cgroup, leaf=leaf)
        return known[2]

    def _reach(self, cgroup: Cgroup, *, leaf: bool) -> Figure:
        if leaf:
            figure = self.key.of_cgroup(cgroup, self.ground) or 0
            return figure + self.adjusted(Unit(cgroup)) if self._adjust else figure
        assert self.key.bound is not None
        bound = self.key.bound(cgroup, self.ground)
        return inf if bound is None else bound + self._most_adjust

    def among(self) -> Container[str] | None:
        """The only ones that may have more than nothing of the first key, and so be candidates at all."""
        key = self.key
        if key.among is None or self._adjust or not key.quantity or key.floor is not None or self.least < 0:
            return None
        return key.among(self.ground)

    # How it stands in the record.

    def say_lower(self, unit: Unit, best: Unit) -> None:
        """Why it was not the chosen one although it may be killed."""
        if ORDER[unit.mark] > ORDER[best.mark]:
            unit.why_not = (
                f"lower: to be avoided, {unit.mark_why}"
                if unit.mark == "avoid"
                else f"lower: {best.mark_why} is preferred"
            )
        elif unit.parts == best.parts:
            unit.why_not = "lower: equal, and later by name"
        else:
            figures = " and ".join(f"{key} {shown(KEYS[key], figure)}" for key, figure in self._named(unit))
            unit.why_not = f"lower: {figures}"

    def _named(self, unit: Unit) -> list[tuple[RankKey, Figure]]:
        figures = dict(unit.figures)
        return [(weight.key, figures[weight.key]) for weight in self.ranking.weights]

    def candidate(self, unit: Unit) -> Candidate:
        """The entry of the record; what a death would give back is always among the numbers."""
        numbers = dict(unit.figures)
        if "size" not in numbers:
            numbers["size"] = self.figure(KEYS["size"], unit) or 0
        return Candidate(
            target=unit.target,
            score=float(unit.score),
            numbers=tuple((key, float(figure)) for key, figure in numbers.items()),
            mark=unit.mark,
            why_not=unit.why_not,
            stands_for=unit.stands_for,
            unit=unit_of(unit.path),
        )


def of_processes(choice: Choice) -> bool:
    """Whether the order of a choice among cgroups depends on the processes in them."""
    ranking = choice.ranking
    keys = [*(weight.key for weight in ranking.weights), *ranking.ties]
    return (
        # Figures are scaled to the greatest of those that may be killed, which processes decide.
        len(ranking.weights) > 1
        or any(KEYS[key].of_processes for key in keys)
        or _markers(choice).asks_processes
        or any(names.speak_of_processes for _, names, _ in _adjustments(choice))
    )


def _order(unit: Unit) -> tuple[int, tuple[Figure, ...], tuple[str, bool, int]]:
    return ORDER[unit.mark], tuple(-part for part in unit.parts), unit.place


def _weighted(weights: list[float], groups: list[list[Figure]], units: list[Unit]) -> list[Figure]:
    """Sums of terms that are scaled to the greatest of those that may be killed."""
    scores: list[Figure] = [0.0] * len(units)
    for weight, figures in zip(weights, groups, strict=True):
        most = max((f for f, unit in zip(figures, units, strict=True) if not unit.why_not), default=0)
        if most > 0:
            scores = [score + weight * figure / most for score, figure in zip(scores, figures, strict=True)]
    return scores


def shown(key: Key, figure: Figure) -> str:
    """A figure for people."""
    if key.unit == "bytes":
        return size(int(figure))
    if key.unit == "bytes-per-second":
        return f"{size(int(figure))}/s"
    return f"{figure:.4g} {key.unit}"


def unit_of(path: str) -> str | None:
    """The innermost systemd unit of a path, as far as one sees without taking names apart.

    >>> unit_of("/user.slice/user-7.slice/user@7.service/app.slice/web.service/x"), unit_of("/kubepods/pod1")
    ('web.service', None)
    """
    found = None
    for part in path.split("/"):
        if part.endswith(".slice"):
            found = part
        elif part.endswith(_SUFFIXES):
            found = part
            if not part.startswith("user@"):
                break
    return found


_Adjustment: TypeAlias = "tuple[Callable[[str], str | None], Names, float]"
_known_markers: dict[object, Marker] = {}
_known_adjustments: dict[object, tuple[_Adjustment, ...]] = {}


def _markers(choice: Choice) -> Marker:
    """The compiled marks; a choice is asked at every tick of an emergency."""
    known = _known_markers.get(choice.preferences)
    if known is None:
        if len(_known_markers) >= _MANY:
            _known_markers.clear()
        known = _known_markers[choice.preferences] = Marker(choice.preferences)
    return known


def _adjustment(entry: str, amount: float) -> _Adjustment:
    names = Names((entry,))
    # nohang searches the path that a process has, and in none above it.
    return names.of_path if entry.startswith("cgroup~") else names.of_path_or_above, names, amount


def _adjustments(choice: Choice) -> tuple[_Adjustment, ...]:
    adjust = choice.ranking.adjust
    known = _known_adjustments.get(adjust)
    if known is None:
        if len(_known_adjustments) >= _MANY:
            _known_adjustments.clear()
        known = tuple(_adjustment(entry, amount) for entry, amount in adjust)
        _known_adjustments[adjust] = known
    return known
