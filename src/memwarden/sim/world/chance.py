"""Random numbers for one program: splitmix64 (Steele, Lea, Flood 2014), the same for a seed everywhere."""

from typing import Final

_MASK: Final = (1 << 64) - 1


class Chance:
    """A stream of its own for each ``seed`` and ``number``."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, number: int) -> None:
        self._state = (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03) & _MASK

    def share(self) -> float:
        """Evenly from 0 to below 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        return ((mixed ^ mixed >> 31) >> 11) / (1 << 53)

    def whole(self, expected: float) -> int:
        """A whole number with this mean: the next below, or the next above."""
        base = int(expected)
        return base + (self.share() < expected - base)
