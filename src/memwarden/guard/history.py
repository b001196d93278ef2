"""Samples of the past, bounded: stalled time in a window, increments, growth, the last calm moment.

A cgroup is known by its inode: when another takes its path, its past is dropped. What is kept per cgroup
thins out with age: beyond the last two seconds, of a quarter of a sample's age the first is kept and the one
that held most, so that peaks are not lost, and where nothing changes only both ends. Every sample that is
kept is exact; between them, counters are taken to rise evenly. Most cgroups are most of the time as they
were: that they were is a sample too, and is written down once it matters.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from memwarden.guard.forecast import LEAST_SAMPLES, LONGEST_US, Trend, trend
from memwarden.guard.globs import Matchers
from memwarden.guard.held import PARTS, held_bytes, held_of, held_on_machine
from memwarden.guard.shape import EMPTY, Shape, shape
from memwarden.kernel.deferred import known
from memwarden.rules.reclaimable import MACHINE
from memwarden.state.cgroup import ancestry
from memwarden.state.looked import others
from memwarden.units import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.kernel.psi import Psi
    from memwarden.state.cgroup import Cgroup
    from memwarden.state.snapshot import Snapshot

KEEP_US: Final = 130 * SECOND_US
DENSE_US: Final = 2 * SECOND_US
SHARE: Final = 4
ROUND: Final = 32
"""Samples that are added between two rounds of thinning."""

SETTLED_US: Final = 5 * SECOND_US
"""After a kill, what is held falls for so long on account of it."""
EVENTS: Final = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
_UNKNOWN: Final = -1
_UNMARKED: Final = (None, None)
_NO_EVENTS: Final = (_UNKNOWN,) * len(EVENTS)
_FIGURES: Final = (
    "pgscan",
    "workingset_refault_file",
    "workingset_refault",
    "workingset_refault_anon",
    "pswpout",
    "pswpin",
)
_LOOKED_FOR: Final = (*_FIGURES, *PARTS)
_COLUMNS: Final = (
    "time",
    "held",
    "memory.some",
    "memory.full",
    "io.some",
    "io.full",
    "cpu.some",
    "cpu.full",
    "pgscan",
    "refault_file",
    "refault_anon",
    "pswpout",
    "pswpin",
    "io_bytes",
    *(f"events.{name}" for name in EVENTS),
    *(f"events_local.{name}" for name in EVENTS),
)
COLUMN: Final = {name: at for at, name in enumerate(_COLUMNS)}
COUNTERS: Final = _COLUMNS[COLUMN["pgscan"] :]
"""What :meth:`History.increment` takes: pages, but for ``io_bytes`` and the events."""
_WIDTH: Final = len(_COLUMNS)
_HELD: Final = COLUMN["held"]
_KILLS: Final = COLUMN["events.oom_kill"]
_FIRST_EVENT: Final = COLUMN["events.low"]


class Increment(NamedTuple):
    """How far a counter rose, and in what time."""

    rise: int
    elapsed_us: int

    @property
    def per_second(self) -> float:
        """As a rate."""
        return self.rise * SECOND_US / self.elapsed_us


class Past:
    """The samples of one cgroup, or of the machine: rows of ``_COLUMNS`` in one flat array."""

    __slots__ = ("average", "first", "inode", "looked", "rows", "since_us", "usage", "waiting")

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.rows = array("q")
        self.waiting = 0
        self.average = 0.0
        """Of memory.current, a quarter of each look; as if it had been 0 before."""
        self.first: float | None = None
        """What the average would be more, had it been before what it was at the first look."""
        self.usage: int | None = None
        """memory.current, where it is known."""
        self.looked = 0
        """How many looks the machine had had when the average was last worked out."""
        self.since_us = 0
        """Peaks before then were ended by a kill."""

    def add(self, row: tuple[int, ...], keep_us: int) -> None:
        """Take a sample; figures that do not fit 63 bits are no figures."""
        try:
            self.rows.extend(row)
        except OverflowError:
            del self.rows[len(self.rows) // _WIDTH * _WIDTH :]
            self.rows.extend(value if value >> 63 == 0 else _UNKNOWN for value in row)
        self.waiting += 1
        if self.waiting >= ROUND:
            self.waiting = 0
            self._thin(keep_us)

    def look(self, usage: int | None, looks: int) -> None:
        """Take memory.current into the running average, with the looks at which it was as before."""
        self.stay(looks - 1)
        self.usage, self.looked = usage, looks
        if usage is not None:
            first = usage if self.first is None else self.first
            self.average, self.first = self.average * 0.75 + usage * 0.25, first * 0.75

    def stay(self, looks: int) -> None:
        """Nothing changed up to this look: so often a quarter of the same was added."""
        missed, self.looked = looks - self.looked, looks
        if missed > 0 and self.usage is not None and self.first is not None:
            kept = 0.75**missed
            self.average = self.usage + (self.average - self.usage) * kept
            self.first *= kept

    def settle(self, times: array[int], keep_us: int) -> None:
        """Take samples that say the same as the last one, at these times as far as they are later."""
        for time in times[bisect_left(times, self.rows[-_WIDTH] + 1) :]:
            self.add((time, *self.rows[1 - _WIDTH :]), keep_us)

    def known(self, column: int) -> tuple[array[int], array[int]]:
        """Times and values of the samples that have this figure."""
        times, values = self.rows[0::_WIDTH], self.rows[column::_WIDTH]
        if _UNKNOWN in values:
            pairs = [(time, value) for time, value in zip(times, values, strict=True) if value >= 0]
            return array("q", [time for time, _ in pairs]), array("q", [value for _, value in pairs])
        return times, values

    def latest(self, column: int) -> int | None:
        """The last known figure."""
        last = self.rows[column - _WIDTH]
        if last >= 0:
            return last
        _, values = self.known(column)
        return values[-1] if values else None

    def _thin(self, keep_us: int) -> None:
        times, held = self.rows[0::_WIDTH], self.rows[_HELD::_WIDTH]
        now, cell = times[-1], (-1, 0)
        kept: list[int] = []
        # One sample from before the horizon stays, for the edge of the longest window.
        for at in range(max(bisect_left(times, now - keep_us) - 1, 0), len(times)):
            room = max(now - times[at] - DENSE_US, 0) // SHARE
            # Powers of two wide, so that a cell becomes part of one whole other cell as it ages.
            here = room.bit_length(), times[at] >> max(room.bit_length() - 1, 0)
            if here != cell:
                cell, first, best = here, at, at
                kept.append(at)
            elif held[at] > held[best]:
                if best != first:
                    kept.pop()
                kept.append(at)
                best = at
        self.rows = self._without_repeats(kept, now - DENSE_US)

    def _without_repeats(self, kept: list[int], until_us: int) -> array[int]:
        """Rows by their numbers, without those up to a time that are as their neighbours are."""
        rows: list[array[int]] = []
        for at in kept:
            row = self.rows[at * _WIDTH : (at + 1) * _WIDTH]
            if row[0] < until_us and len(rows) > 1 and row[1:] == rows[-1][1:] == rows[-2][1:]:
                rows[-1] = row
            else:
                rows.append(row)
        flat = array("q")
        for row in rows:
            flat.extend(row)
        return flat


class History:
    """The past of one machine as far as a guard needs it. All times are of the monotonic clock.

    ``now_us`` is the time of the latest snapshot (0 before the first), ``calm_us`` that of the last calm one,
    ``matchers`` the globs compiled so far, ``looks`` how many snapshots were taken.
    """

    __slots__ = (
        "_baseline",
        "_boot",
        "_changed",
        "_keep_us",
        "_late",
        "_machine",
        "_pasts",
        "_present",
        "_shape",
        "_times",
        "calm_us",
        "looks",
        "matchers",
        "now_us",
    )

    def __init__(self, keep_us: int = KEEP_US) -> None:
        self._keep_us = keep_us
        self.matchers = Matchers()
        self._clear()

    def _clear(self) -> None:
        self.now_us = 0
        self.looks = 0
        self.calm_us: int | None = None
        self._boot: str | None = None
        self._machine = Past(0)
        self._pasts: dict[str, Past] = {}
        self._present: Mapping[str, Cgroup] = {}
        """Whoever was there at the last look: until then they were as their last samples say."""
        self._changed: dict[str, int] = {}
        """When each was last otherwise than before, the latest last."""
        self._shape = EMPTY
        self._times = array("q")
        """Of the looks of the last two seconds, and of as many as make a trend in any case."""
        self._late: list[tuple[int, int]] = []
        self._baseline: dict[str, tuple[int, int | None]] = {}

    def add(self, snapshot: Snapshot, *, late_us: int = 0, whole: bool = True) -> None:
        """Take a snapshot; one of another boot, or from before the last one, begins all anew.

        ``late_us`` is how much later than asked we woke up. Where the snapshot is not ``whole``, cgroups
        that it lacks were not read, and are not taken for vanished.
        """
        now = snapshot.instant.monotonic_us
        if now < self.now_us or (self._boot is not None and snapshot.host.boot_id != self._boot):
            self._clear()
        elif now == self.now_us and self._machine.rows:
            return
        self.now_us, self._boot = now, snapshot.host.boot_id
        self.looks += 1
        if late_us > 0:
            self._late.append((now, late_us))
        if self._late and now - self._late[0][0] > self._keep_us:
            del self._late[0]
        self._machine.add(_machine_row(now, snapshot), self._keep_us)
        self._take(snapshot.cgroups)
        self._times.append(now)
        dense = bisect_left(self._times, now - DENSE_US)
        del self._times[: max(min(dense, len(self._times) - LEAST_SAMPLES), 0)]
        if len(self._pasts) > len(snapshot.cgroups):
            self._forget(snapshot.cgroups, whole=whole)

    def _take(self, cgroups: Mapping[str, Cgroup]) -> None:
        pasts, keep_us, looks = self._pasts, self._keep_us, self.looks
        before, self._present = self._present, cgroups
        left = len(before)
        for path in others(before, cgroups):
            cgroup = cgroups[path]
            left += path not in before
            past = pasts.get(path)
            if past is None or past.inode != cgroup.inode:
                past = pasts[path] = Past(cgroup.inode)
                past.looked = looks - 1
            elif path in before:
                past.settle(self._times, keep_us)
            past.add(_row(self.now_us, cgroup), keep_us)
            past.look(cgroup.current_bytes, looks)
            self._changed.pop(path, None)
            self._changed[path] = self.now_us
        if left != len(cgroups):
            for path in before.keys() - cgroups.keys():
                pasts[path].settle(self._times, keep_us)
                pasts[path].stay(looks - 1)

    def _forget(self, present: Mapping[str, Cgroup], *, whole: bool) -> None:
        horizon = self.now_us if whole else self.now_us - self._keep_us
        for path in [path for path in self._pasts if path not in present]:
            if self._pasts[path].rows[-_WIDTH] < horizon:
                del self._pasts[path]
                del self._changed[path]

    def shape(self, cgroups: Mapping[str, Cgroup]) -> Shape:
        """Who of these is below whom."""
        self._shape = shape(cgroups, self._shape)
        return self._shape

    def changed(self, window_us: int) -> set[str]:
        """The cgroups that were otherwise than before at some look within the window."""
        start, found = self.now_us - window_us, set()
        for path, time in reversed(self._changed.items()):
            if time < start:
                break
            found.add(path)
        return found

    def _past(self, path: str) -> Past | None:
        return self._machine if path == MACHINE else self._pasts.get(path)

    def _settled(self, path: str) -> Past | None:
        """The past with a sample of each look of late."""
        past = self._past(path)
        if past is not None and path in self._present and past is not self._machine:
            past.settle(self._times, self._keep_us)
        return past

    def stalled_us(self, path: str, resource: str, kind: str, window_us: int) -> int | None:
        """Microseconds that ``some`` or ``full`` of ``memory``, ``io`` or ``cpu`` stalled within the window.

        ``/`` is the machine. At the window's edge the stall between two samples counts pro rata. With a past
        shorter than the window it is what is known of; ``None`` when nothing is.
        """
        found = self._within(path, COLUMN[f"{resource}.{kind}"], window_us)
        return None if found is None else min(found.rise, found.elapsed_us)

    def increment(self, path: str, counter: str, window_us: int) -> int | None:
        """How far one of ``COUNTERS`` rose within the window, pro rata at its edge.

        Events are not divided: one that may have been within the window counts. With a past shorter than the
        window it is what is known of; ``None`` when nothing is, or the counter went backwards.
        """
        found = self._within(path, COLUMN[counter], window_us)
        return None if found is None else found.rise

    def since_last(self, path: str, counter: str) -> Increment | None:
        """The increment between the last two samples that have it; ``None`` as for :meth:`increment`."""
        past = self._settled(path)
        if past is None or not past.rows:
            return None
        times, values = past.known(COLUMN[counter])
        if len(times) < 2 or times[-1] != past.rows[-_WIDTH] or values[-1] < values[-2]:
            return None
        return Increment(values[-1] - values[-2], times[-1] - times[-2])

    def total(self, path: str, counter: str) -> int | None:
        """A counter as it was read last."""
        past = self._past(path)
        return past.latest(COLUMN[counter]) if past is not None and past.rows else None

    def _within(self, path: str, column: int, window_us: int) -> Increment | None:
        past = self._past(path)
        if past is None or not past.rows:
            return None
        rows = past.rows
        span_us = self.now_us - rows[0]
        read = path in self._present or rows[-_WIDTH] == self.now_us
        if span_us and rows[column] == rows[column - _WIDTH] >= 0 and read:
            # Most counters of most cgroups, most of the time: read now, and as they were at first.
            return Increment(0, min(span_us, window_us))
        self._settled(path)
        times, values = past.known(column)
        if len(times) < 2 or self.now_us - times[-1] >= window_us:
            return None
        # The window ends where the last sample is: what came after it is not known yet.
        start = times[-1] - window_us
        at = bisect_left(times, start)
        if at == 0:
            start, before = times[0], values[0]
        elif times[at] == start:
            before = values[at]
        else:
            before = values[at - 1]
            if column < _FIRST_EVENT and values[at] > before:
                into, gap = start - times[at - 1], times[at] - times[at - 1]
                # Rounded up, so that what is left is never more than what can have been.
                before += ((values[at] - before) * into + gap - 1) // gap
        rise = values[-1] - before
        return None if rise < 0 else Increment(rise, times[-1] - start)

    def held(self, path: str) -> int | None:
        """What the cgroup, or the machine, held when that was last read; see ``guard.held``."""
        past = self._past(path)
        return past.latest(_HELD) if past is not None and past.rows else None

    def held_by(self, cgroup: Cgroup) -> int | None:
        """What a cgroup holds now; worked out already where it is as it was at the latest look."""
        if self._present.get(cgroup.path) is cgroup:
            known = self._pasts[cgroup.path].rows[_HELD - _WIDTH]
            if known >= 0:
                return known
        return held_bytes(cgroup)

    def average_bytes(self, path: str, *, from_zero: bool = False) -> float | None:
        """The running average of memory.current, a quarter of each look: oomd's ``average_size_decay`` 4.

        ``from_zero``: as if it had been 0 before the first look, as oomd has it; else what it was then.
        """
        past = self._pasts.get(path)
        if past is None or past.first is None:
            return None
        if path in self._present:
            past.stay(self.looks)
        return past.average + (0.0 if from_zero else past.first)

    def growth(self, path: str, longest_us: int = LONGEST_US) -> Trend | None:
        """The trend of what is held, see ``guard.forecast``; ``None`` when it cannot be told yet."""
        past = self._settled(path)
        if past is None or not past.rows:
            return None
        times, held = past.known(_HELD)
        if not times or self.now_us - times[-1] > longest_us:
            return None
        kills = past.rows[_KILLS::_WIDTH]
        first = bisect_left(kills, kills[-1])
        killed_us = past.rows[first * _WIDTH] + SETTLED_US if first else 0
        return trend(times, held, longest_us=longest_us, since_us=max(past.since_us, killed_us))

    def mark_kill(self, path: str) -> None:
        """Note that memory of the cgroup was, or is being, given back by a kill, not by itself.

        What it, its ancestors and the machine held until that has settled is no peak that growth would stop
        at.
        """
        for above in (*ancestry(path), MACHINE):
            past = self._past(above)
            if past is not None:
                past.since_us = self.now_us + SETTLED_US

    def mark_calm(self, snapshot: Snapshot, *, whole: bool = True) -> None:
        """Note what each cgroup and the machine hold at a calm moment, to measure by later."""
        kept = {} if whole else {path: one for path, one in self._baseline.items() if path in self._pasts}
        self._baseline = kept
        for path, cgroup in snapshot.cgroups.items():
            kept[path] = (cgroup.inode, self.held_by(cgroup))
        kept[MACHINE] = (0, held_on_machine(snapshot))
        self.shape(snapshot.cgroups)  # now, while there is time
        self.calm_us = snapshot.instant.monotonic_us

    def taken_bytes(self, path: str) -> int | None:
        """What is held more than at the last calm moment; all of it in a cgroup that is younger.

        Below 0 when something was given back. ``None`` before any calm moment, and where either is unknown.
        """
        past = self._past(path)
        if past is None or self.calm_us is None or not past.rows:
            return None
        now = past.latest(_HELD)
        inode, before = self._baseline.get(path, _UNMARKED)
        if inode != past.inode:
            return now if past.rows[0] > self.calm_us else None
        return None if now is None or before is None else now - before

    def takers(self) -> set[str] | None:
        """Those that may hold another amount than at the last calm moment; ``None`` before any."""
        return None if self.calm_us is None else self.changed(self.now_us - self.calm_us - 1)

    def gap_us(self, window_us: int) -> int:
        """The longest that we woke up later than asked, within the window."""
        start = self.now_us - window_us
        return max((late for time, late in self._late if time > start), default=0)


def _row(now_us: int, cgroup: Cgroup) -> tuple[int, ...]:
    figures = cast("Mapping[str, int] | None", cgroup.stat)
    stat = {} if figures is None else known(figures, _LOOKED_FOR)
    scanned, of_file, of_both, of_anon, out, into = map(stat.get, _FIGURES)
    held = None if figures is None else held_of(cgroup, stat)
    moved = cgroup.io_bytes
    return (
        now_us,
        _UNKNOWN if held is None else held,
        *_totals(cgroup.memory_pressure),
        *_totals(cgroup.io_pressure),
        *_totals(cgroup.cpu_pressure),
        *[
            _UNKNOWN if figure is None else figure
            # One counter for both before 5.9.
            for figure in (scanned, of_both if of_file is None else of_file, of_anon, out, into)
        ],
        _UNKNOWN if moved is None else sum(read + written for read, written in moved.values()),
        *_events(cast("Mapping[str, int] | None", cgroup.events)),
        *_events(cast("Mapping[str, int] | None", cgroup.events_local)),
    )


def _machine_row(now_us: int, snapshot: Snapshot) -> tuple[int, ...]:
    stat = cast("Mapping[str, int]", snapshot.vmstat or {})
    held = held_on_machine(snapshot)
    scans = [stat[key] for key in ("pgscan_kswapd", "pgscan_direct", "pgscan_khugepaged") if key in stat]
    return (
        now_us,
        _UNKNOWN if held is None else held,
        *_totals(snapshot.memory_pressure),
        *_totals(snapshot.io_pressure),
        *_totals(snapshot.cpu_pressure),
        # Without pgscan_proactive: somebody asked for that, nobody was short of memory.
        sum(scans) if scans else _UNKNOWN,
        stat.get("workingset_refault_file", _UNKNOWN),
        stat.get("workingset_refault_anon", _UNKNOWN),
        stat.get("pswpout", _UNKNOWN),
        stat.get("pswpin", _UNKNOWN),
        _UNKNOWN,
        *_events(stat),
        *_NO_EVENTS,
    )


def _totals(psi: Psi | None) -> tuple[int, int]:
    if psi is None:
        return _UNKNOWN, _UNKNOWN
    some, full = psi
    return _UNKNOWN if some is None else some.total_us, _UNKNOWN if full is None else full.total_us


def _events(counts: Mapping[str, int] | None) -> tuple[int, ...]:
    if counts is None:
        return _NO_EVENTS
    get = counts.get
    return (
        get("low", _UNKNOWN),
        get("high", _UNKNOWN),
        get("max", _UNKNOWN),
        get("oom", _UNKNOWN),
        get("oom_kill", _UNKNOWN),
        get("oom_group_kill", _UNKNOWN),
    )
