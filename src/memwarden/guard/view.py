"""One tick as detectors and rankings see it: the snapshot, the history, and what was worked out already."""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias, TypeVar, cast

from memwarden.guard.forecast import LONGEST_US, Ends, Trend, ends
from memwarden.guard.globs import is_relative
from memwarden.guard.history import History
from memwarden.guard.ir import Globs, Resource
from memwarden.kernel.psi import Psi
from memwarden.rules.headroom import Headroom, Headrooms
from memwarden.rules.reclaimable import MACHINE
from memwarden.state.cgroup import Cgroup, ancestry
from memwarden.state.snapshot import Snapshot
from memwarden.units import MAX, Limit, Max

T = TypeVar("T")
Reaches: TypeAlias = dict[str, tuple[Cgroup, bool, float]]
"""By path: the cgroup as it was, whether it is killed as one, and its score, or what none below exceeds."""
_ITSELF: Final = (".",)
_MACHINE: Final = (MACHINE,)


class Forecast(NamedTuple):
    """When memory ends at one level: a cgroup with a limit, or the machine (``/``).

    ``headroom_bytes`` is effective headroom where ``exact``; else it is headroom alone, which is less, and
    with which memory would last beyond what was asked about already.
    """

    path: str
    ends: Ends
    headroom_bytes: int
    trend: Trend
    exact: bool


class _Tick:
    """What is worked out once per tick, whatever the scope."""

    __slots__ = ("forecasts", "growths", "headroom", "headrooms", "matched", "once", "reaches")

    def __init__(self, snapshot: Snapshot) -> None:
        self.headrooms = Headrooms(snapshot, ladders=False)
        self.headroom: dict[str, Headroom] = {}
        self.growths: dict[tuple[str, int], Trend | None] = {}
        self.forecasts: dict[tuple[str, Limit], Forecast | None] = {}
        self.matched: dict[tuple[Globs, str | None], tuple[Cgroup, ...]] = {}
        self.once: dict[object, object] = {}
        self.reaches: dict[object, Reaches] = {}


class View:
    """One tick. ``scope`` is the cgroup that relative globs start from, where a rule runs once per cgroup."""

    __slots__ = ("_tick", "history", "now_us", "scope", "snapshot")

    def __init__(
        self, snapshot: Snapshot, history: History, scope: str | None = None, tick: _Tick | None = None
    ) -> None:
        self.snapshot = snapshot
        self.history = history
        self.scope = scope
        self.now_us = snapshot.instant.monotonic_us
        self._tick = tick or _Tick(snapshot)

    def at(self, scope: str | None) -> "View":
        """The same tick with another scope."""
        return View(self.snapshot, self.history, scope, self._tick)

    def with_processes(self, snapshot: Snapshot) -> "View":
        """The same tick, once processes were read: what was worked out of its cgroups still holds."""
        self._tick.matched, self._tick.once = {}, {}  # who is in a cgroup may have changed
        return View(snapshot, self.history, self.scope, self._tick)

    def matches(self, globs: Globs) -> tuple[Cgroup, ...]:
        """The cgroups that match any of the globs."""
        scope = self.scope if is_relative(globs) else None
        if scope is not None and globs == _ITSELF:
            itself = self.snapshot.cgroups.get(scope)
            return () if itself is None else (itself,)
        key = (globs, scope)
        found = self._tick.matched.get(key)
        if found is None:
            below = scope if all(is_relative((glob,)) for glob in globs) else None
            matcher = self.history.matchers.of(globs, scope)
            found = self._tick.matched[key] = matcher.among(self.snapshot, below)
        return found

    def once(self, key: object, work_out: Callable[[], T]) -> T:
        """What several rules ask for at one tick, in one scope, worked out for the first of them."""
        place = self.scope, key
        if place not in self._tick.once:
            self._tick.once[place] = work_out()
        return cast("T", self._tick.once[place])

    def reaches(self, ranking: object) -> Reaches:
        """What was worked out by a ranking at this tick, whatever processes were known."""
        return self._tick.reaches.setdefault(ranking, {})

    def targets(self, globs: Globs) -> tuple[str, ...]:
        """Paths that a detector looks at: ``/`` is the machine, and so is no glob at all."""
        if not globs:
            return _MACHINE
        paths = tuple([cgroup.path for cgroup in self.matches(globs)])
        # The machine is there even where its root cgroup was not read.
        absent = MACHINE not in self.snapshot.cgroups
        if absent and self.history.matchers.of(globs, self.scope).fits(MACHINE):
            return (MACHINE, *paths)
        return paths

    def targets_changed(self, globs: Globs, window_us: int) -> list[str]:
        """Those of the targets that were otherwise than before within the window; the machine always is.

        In no particular order. Whoever is as it was is not asked for, as most are of a thousand.
        """
        changed, cgroups = self.history.changed(window_us), self.snapshot.cgroups
        matches = self.history.matchers.of(globs, self.scope).matches
        found = [path for path in changed if path != MACHINE and path in cgroups and matches(path)]
        return [MACHINE, *found] if not globs or matches(MACHINE) else found

    def pressure(self, path: str, resource: Resource) -> Psi | None:
        """The pressure file of a cgroup, or of the machine for ``/``."""
        source = self.snapshot if path == MACHINE else self.snapshot.cgroups.get(path)
        if source is None:
            return None
        if resource == "memory":
            return source.memory_pressure
        return source.io_pressure if resource == "io" else source.cpu_pressure

    def headroom(self, path: str) -> Headroom:
        """Headroom and effective headroom of a cgroup, of the machine for ``/``."""
        found = self._tick.headroom.get(path)
        if found is None:
            found = self._tick.headroom[path] = self._tick.headrooms.of(path)
        return found

    def growth(self, path: str, longest_us: int = LONGEST_US) -> Trend | None:
        """The trend of what a cgroup, or the machine, holds."""
        key = (path, longest_us)
        if key not in self._tick.growths:
            self._tick.growths[key] = self.history.growth(path, longest_us)
        return self._tick.growths[key]

    def exhaustion(self, path: str, beyond_us: Limit = MAX) -> Forecast | None:
        """Where memory ends first for this cgroup: at its own limit, an ancestor's, or the machine's.

        Each level by its own growth, since its limit is shared by all below it. ``None`` when no level fills.
        First by the latest time, then by the expected. Effective headroom is worked out only where memory
        might end within ``beyond_us`` without it.
        """
        found = [self._level(above, beyond_us) for above in ancestry(path)]
        known = [forecast for forecast in found if forecast is not None]
        return min(known, key=soonest, default=None)

    def _level(self, path: str, beyond_us: Limit) -> Forecast | None:
        key = (path, beyond_us)
        if key not in self._tick.forecasts:
            self._tick.forecasts[key] = self._forecast(path, beyond_us)
        return self._tick.forecasts[key]

    def _forecast(self, path: str, beyond_us: Limit) -> Forecast | None:
        growth = self.growth(path)
        if growth is None or growth.rate_bps + growth.error_bps <= 0:
            return None
        plain = self._room(path)
        quick = ends(plain, growth)
        if quick is None or isinstance(plain, Max) or plain is None:
            return None
        if quick.earliest_us > beyond_us:
            return Forecast(path, quick, plain, growth, exact=False)
        room = self._effective(path, plain)
        full = ends(room, growth)
        return None if full is None else Forecast(path, full, room, growth, exact=True)

    def _room(self, path: str) -> Limit | None:
        """Headroom at this very level, without reading statistics."""
        if path == MACHINE:
            return (self.snapshot.meminfo or {}).get("MemAvailable")
        cgroup = self.snapshot.cgroups.get(path)
        if cgroup is None or cgroup.max_bytes is None or cgroup.current_bytes is None:
            return None
        return cgroup.max_bytes - cgroup.current_bytes

    def _effective(self, path: str, plain: int) -> int:
        """Effective headroom at this very level; where it cannot be told, without what is reclaimable."""
        levels = self.headroom(path).levels
        own = [level.effective_bytes for level in levels if level.path == path]
        return min((room for room in own if isinstance(room, int)), default=plain)


def soonest(forecast: Forecast) -> tuple[Limit, Limit, int]:
    """What forecasts are put in order by: the latest time, the expected, the earliest."""
    return forecast.ends.latest_us, forecast.ends.expected_us, forecast.ends.earliest_us
