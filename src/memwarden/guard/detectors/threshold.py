"""What detectors share: values against thresholds, for how long, and in words."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from memwarden.guard.record import Finding
from memwarden.rules.reclaimable import MACHINE
from memwarden.units import MILLISECOND_US, SECOND_US, Limit, Max, size

Unit: TypeAlias = Literal["bytes", "bytes-per-second", "us", "centi-percent", "per-second", "count"]
Sign: TypeAlias = Literal[">", ">=", "<", "<="]
Value: TypeAlias = Limit | float


class Hold:
    """For how long something has held, seen at every tick; a tick at which it did not ends it."""

    __slots__ = ("for_us", "since_us")

    def __init__(self, for_us: int) -> None:
        self.for_us = for_us
        self.since_us: int | None = None

    def see(self, now_us: int, *, holds: bool) -> tuple[bool, int]:
        """Whether it has held for long enough, and for how long."""
        if not holds:
            self.since_us = None
            return False, 0
        if self.since_us is None:
            self.since_us = now_us
        held_us = now_us - self.since_us
        return held_us >= self.for_us, held_us


class Threshold:
    """A comparison that has to hold for some time, and the finding that comes of it."""

    __slots__ = ("_hold", "_name", "_sign", "_unit")

    def __init__(self, name: str, unit: Unit, sign: Sign, for_us: int = 0) -> None:
        self._name = name
        self._unit: Unit = unit
        self._sign: Sign = sign
        self._hold = Hold(for_us)

    def judge(
        self,
        now_us: int,
        what: str,
        value: Value | None,
        threshold: Value,
        where: str = MACHINE,
        *,
        holds: bool | None = None,
        error: float | None = None,
        note: str = "",
    ) -> Finding:
        """The finding of one tick; a value that is not known does not hold.

        ``what`` names the value, ``note`` follows the comparison. ``holds`` is the answer where more than the
        comparison decides.
        """
        if holds is None:
            holds = value is not None and _compare(value, self._sign, threshold)
        fired, held_us = self._hold.see(now_us, holds=holds)
        words = ""
        if fired and value is not None:
            # Only then: rules that run per cgroup look thousands of times at a tick, and next to none fires.
            compared = f"{words_of(value, self._unit)} {self._sign} {words_of(threshold, self._unit)}"
            held = f", held {words_of(held_us, 'us')}" if held_us else ""
            words = f"{what} {compared}{at(where)}{note}{held}"
        return Finding(self._name, fired, value, threshold, self._unit, where, held_us, error, words)


def _compare(value: Value, sign: Sign, threshold: Value) -> bool:
    if sign in {">", "<="}:
        return (value > threshold) is (sign == ">")  # type: ignore[operator]  # MAX is only among integers
    return (value < threshold) is (sign == "<")  # type: ignore[operator]  # the same


def words_of(value: Value, unit: Unit) -> str:
    """A value for people: ``62.10 %``, ``1.50 GiB``, ``10.2 s``."""
    if isinstance(value, Max):
        return "never" if unit == "us" else size(value)
    if unit == "centi-percent":
        return f"{value / 100:.2f} %"
    if unit == "bytes":
        return size(int(value))
    if unit == "bytes-per-second":
        return f"{size(int(value))}/s"
    if unit == "us":
        return f"{value / SECOND_US:.1f} s" if value >= SECOND_US else f"{value / MILLISECOND_US:.0f} ms"
    return f"{value:.0f}/s" if unit == "per-second" else f"{value:.0f}"


def at(where: str) -> str:
    """Where something was seen."""
    return "" if where == MACHINE else f" at {where}"


def greatest(found: Iterable[tuple[Value | None, str]]) -> tuple[Value | None, str]:
    """The greatest of some values with its place, the first of equals; those not known do not count."""
    best: tuple[Value | None, str] = (None, MACHINE)
    for value, where in found:
        if value is not None and (best[0] is None or value > best[0]):  # type: ignore[operator]  # as above
            best = value, where
    return best
