"""The calm path: a few machine-wide numbers in; "look again in so long", or an alarm, out.

A calm machine must cost next to nothing, so that this reads no cgroup. Two things are asked at each beat. How
soon could memory end at the worst? Available memory divided by the fastest rate at which this machine can
fill it bounds how long we may sleep. And is anything wrong already: do tasks stall, does memory end soon at
the rate at which it is filling, were we ourselves not scheduled? Then the cgroups are looked at, see
``engine``.
"""

from typing import Final, NamedTuple

from memwarden.state.snapshot import Snapshot
from memwarden.units import MIB, MILLISECOND_US, SECOND_US

SHORTEST_US: Final = 50 * MILLISECOND_US
LONGEST_US: Final = 2 * SECOND_US
"""PSI triggers wake us at once where they can be had; growth announces itself to nobody."""
LONGEST_BLIND_US: Final = SECOND_US
"""The same where no trigger watches for stalls."""
FILL_BPS: Final = 6000 * MIB
"""The fastest a machine is assumed to fill until it was measured: earlyoom's figure (MEM_FILL_RATE)."""
STALL_PPM: Final = 10_000
"""Full stall of the time since the last beat that is an alarm: 1 %."""
SOME_PPM: Final = 100_000
GRAVE_PPM: Final = 80_000
"""Full stall of which one look in a while is not enough: the default policy acts from a tenth on."""
HORIZON_US: Final = 60 * SECOND_US
"""Memory that lasts for less, at the rate it is filling, is an alarm; a machine with more of it is calm."""
LATE_US: Final = 500 * MILLISECOND_US
SWEEP_PPM: Final = 10_000
"""Change of free memory, of the total, that is one: as much comes and goes on any machine."""
NOTED_PPM: Final = 20_000
"""The same after which what each cgroup holds is noted anew, which takes a look."""
SWEEP_US: Final = 2 * SECOND_US
SPARE_PPM: Final = 50_000
"""Free memory, of the total, below which reclaim may be at work: well above the high watermarks of the zones,
which add up to 1 to 3 % (``mm/page_alloc.c:__setup_per_zone_wmarks`` as of 6.12)."""
AGAIN_US: Final = 3 * SECOND_US
"""An alarm lasts so long after its last reason: calm has to prove itself."""
OLDEST: Final = 8
"""Wake-ups that the rate of filling is taken over."""


class Beat(NamedTuple):
    """What is read at each wake-up. Bytes; microseconds of stall since boot, ``None`` without PSI."""

    now_us: int
    total_bytes: int
    available_bytes: int
    swap_free_bytes: int
    full_us: int | None = None
    some_us: int | None = None
    late_us: int = 0
    """How much later than asked for we were woken."""
    signalled: bool = False
    """A trigger fired, or the kernel's log said something."""


class Reply(NamedTuple):
    """What a beat means.

    ``alarm`` is the reason in words, empty when calm; ``sweep``: read the cgroups, to note what they hold.
    """

    alarm: str
    sweep: bool
    sleep_us: int
    lasts_us: int | None = None
    """How long memory lasts at the rate it is filling; ``None`` when it is not."""
    mild: bool = False
    """An alarm of which there is nothing worse than that tasks stall a little, as they may for hours."""


class _Rest(NamedTuple):
    """What holds between two beats of a calm machine: worked out once, for glances are many."""

    begin_us: int
    until_us: int
    least_bytes: int
    """Of free memory; with less of it, or more than the most, a beat is due."""
    most_bytes: int
    besides_bytes: int
    """What is available and swap, of which the glances tell nothing, on top of free memory."""
    available_bytes: int
    sleep_us: int


class Pulse:
    """Keeps the last beats. ``fill_bps`` is the fastest rate at which this machine can fill its memory."""

    __slots__ = ("_alarm", "_fill_bps", "_last", "_longest_us", "_rest", "_swept", "_until_us", "_window")

    def __init__(self, *, fill_bps: int = FILL_BPS, blind: bool = False) -> None:
        self._fill_bps = fill_bps
        self._longest_us = LONGEST_BLIND_US if blind else LONGEST_US
        self._last: Beat | None = None
        self._rest: _Rest | None = None
        self._window: list[tuple[int, int]] = []
        self._alarm = ""
        self._until_us = 0
        self._swept: Beat | None = None

    def feel(self, beat: Beat) -> Reply:
        """Take one beat. Beats out of order, as after a clock that stepped, start anew."""
        last = self._last
        if last is not None and beat.now_us <= last.now_us:
            last = None
            self._window.clear()
        reason = "" if last is None else _stalled(last, beat)
        self._last, self._rest = beat, None
        self._note(beat.now_us, _free(beat))
        lasts = self.lasts_us(beat)
        reason = reason or _ending(lasts) or ("a trigger fired" if beat.signalled else "")
        if not reason and beat.late_us > LATE_US:
            reason = f"we were woken {beat.late_us / 1000:.0f} ms late"
            if beat.some_us is not None:
                # Nobody stalled for memory meanwhile, so that it was a CPU that was short: one look will do.
                self._alarm, self._until_us = self._alarm or reason, max(self._until_us, beat.now_us)
                reason = ""
        if reason:
            self._alarm, self._until_us = reason, beat.now_us + AGAIN_US
        elif beat.now_us >= self._until_us and beat.late_us <= LATE_US:
            self._alarm = ""
        mild = bool(self._alarm) and lasts is None and last is not None and not _grave(last, beat)
        return Reply(self._alarm, not self._alarm and self._sweep(beat), self.sleep_us(beat), lasts, mild)

    def relieved(self) -> None:
        """A kill gave memory back: how fast it was filling before says nothing about what comes now."""
        self._window.clear()

    def nap_us(self, now_us: int, free_bytes: int, rest_us: int | None = None) -> int:
        """How long to sleep before the next glance at free memory (``MemFree``); 0: a beat is due.

        In an alarm ``rest_us`` is how long nobody looks at the cgroups unless memory fills faster meanwhile
        than it did before; 0 then: no glance before that is over.

        To be asked after a beat, and again after each nap. What is free can be had without reclaim, so that
        memory cannot end before it is gone, however little of the rest is worth; and while there is no
        reclaim, available memory moves as free memory does. When free memory ends, reclaim begins, and a
        trigger tells of the stalls, so that this is not halved.
        """
        rest = self._rest
        if rest is None:
            if rest_us is None:
                rest = self._begun(now_us, free_bytes)
            else:
                rest = self._resting(now_us, free_bytes, rest_us)
            self._rest = rest
            if rest is None:
                return 0
        elif not (
            rest.begin_us <= now_us < rest.until_us and rest.least_bytes <= free_bytes <= rest.most_bytes
        ):
            return 0
        elif not self._alarm:
            self._window.append((now_us, free_bytes + rest.besides_bytes))
        # Of free memory the reserves are nobody's: where there is little else, less is available than free.
        lasts = min(free_bytes, rest.available_bytes) * SECOND_US // self._fill_bps
        return max(SHORTEST_US, min(max(lasts, rest.sleep_us), rest.until_us - now_us))

    def _begun(self, now_us: int, free_bytes: int) -> _Rest | None:
        """What holds until the next beat; ``None``: there are no naps until then."""
        last = self._last
        if last is None or self._alarm or now_us < last.now_us:
            return None
        spare = -(-SPARE_PPM * last.total_bytes // 1_000_000)
        moved = -(-SWEEP_PPM * last.total_bytes // 1_000_000)
        if free_bytes < spare:
            return None
        return _Rest(
            last.now_us,
            last.now_us + self._longest_us,
            max(spare, free_bytes - moved + 1),
            free_bytes + moved - 1,
            _free(last) - free_bytes,
            last.available_bytes,
            self.sleep_us(last),
        )

    def _resting(self, now_us: int, free_bytes: int, rest_us: int) -> _Rest | None:
        """The same in an alarm: up to twice as much as before may go, and a percent of memory."""
        last = self._last
        if last is None or rest_us <= SHORTEST_US or free_bytes * 1_000_000 < SPARE_PPM * last.total_bytes:
            return None
        lasts_us = self.lasts_us(last)
        expected = 0 if not lasts_us else _free(last) * rest_us // lasts_us
        moved = -(-SWEEP_PPM * last.total_bytes // 1_000_000)
        return _Rest(
            now_us,
            now_us + rest_us,
            free_bytes - 2 * expected - moved,
            last.total_bytes,
            0,
            last.available_bytes,
            self.sleep_us(last),
        )

    def _note(self, now_us: int, free_bytes: int) -> None:
        self._window.append((now_us, free_bytes))
        del self._window[:-OLDEST]

    def sleep_us(self, beat: Beat) -> int:
        """How long memory lasts at the worst, halved; between the shortest and the longest sleep."""
        worst = beat.available_bytes * SECOND_US // (2 * self._fill_bps)
        return max(SHORTEST_US, min(worst, self._longest_us))

    def lasts_us(self, beat: Beat) -> int | None:
        """How long free memory and swap last at the rate of the last beats; ``None`` when not filling."""
        if not self._window:  # a kill gave memory back
            return None
        first_us, first_bytes = self._window[0]
        lost = first_bytes - _free(beat)
        # A percent of memory comes and goes on any machine.
        if lost * 1_000_000 <= SWEEP_PPM * beat.total_bytes:
            return None
        return _free(beat) * (beat.now_us - first_us) // lost

    def _sweep(self, beat: Beat) -> bool:
        last = self._swept
        if last is not None:
            moved = abs(_free(beat) - _free(last)) * 1_000_000
            if moved < NOTED_PPM * beat.total_bytes or 0 <= beat.now_us - last.now_us < SWEEP_US:
                return False
        self._swept = beat
        return True


def of_snapshot(snapshot: Snapshot, *, late_us: int = 0, signalled: bool = False) -> Beat | None:
    """The beat that a snapshot holds; ``None`` without memory figures."""
    meminfo = snapshot.meminfo
    if meminfo is None or "MemAvailable" not in meminfo or "MemTotal" not in meminfo:
        return None
    pressure = snapshot.memory_pressure
    return Beat(
        snapshot.instant.monotonic_us,
        meminfo["MemTotal"],
        meminfo["MemAvailable"],
        meminfo.get("SwapFree", 0),
        pressure.full.total_us if pressure and pressure.full else None,
        pressure.some.total_us if pressure and pressure.some else None,
        late_us,
        signalled,
    )


def _free(beat: Beat) -> int:
    return beat.available_bytes + beat.swap_free_bytes


def _ending(lasts_us: int | None) -> str:
    if lasts_us is None or lasts_us > HORIZON_US:
        return ""
    return f"at the rate it is filling, memory lasts for {lasts_us / SECOND_US:.1f} s"


def _grave(last: Beat, beat: Beat) -> bool:
    """Whether it cannot be said that tasks stall but little, which it cannot after a late wake-up."""
    if last.full_us is None or beat.full_us is None or beat.late_us > LATE_US:
        return True
    return (beat.full_us - last.full_us) * 1_000_000 >= GRAVE_PPM * (beat.now_us - last.now_us)


def _stalled(last: Beat, beat: Beat) -> str:
    elapsed = beat.now_us - last.now_us
    for kind, before, now, limit in (
        ("all", last.full_us, beat.full_us, STALL_PPM),
        ("some", last.some_us, beat.some_us, SOME_PPM),
    ):
        if before is not None and now is not None and (now - before) * 1_000_000 > limit * elapsed:
            return f"{kind} tasks stalled for {(now - before) / 1000:.0f} of {elapsed / 1000:.0f} ms"
    return ""
