"""PSI's running averages as the kernel makes them.

``kernel/sched/psi.c:collect_percpu_times``, ``calc_avgs`` and ``include/linux/sched/loadavg.h:calc_load``
(v5.10, v6.1, v6.12): once per period of 2 * HZ + 1 jiffies, in fixed point with 11 bits.
"""

from typing import Final, NamedTuple

FIXED_1: Final = 2048
EXP_10: Final = 1677
EXP_60: Final = 1981
EXP_300: Final = 2034


class Averages(NamedTuple):
    """avg10, avg60 and avg300 as the kernel keeps them: percent times 2048."""

    avg10: int = 0
    avg60: int = 0
    avg300: int = 0

    def percent(self) -> tuple[float, float, float]:
        """As a pressure file prints them: two digits, cut off (``LOAD_INT``, ``LOAD_FRAC``)."""
        first, second, third = (each // FIXED_1 + (each % FIXED_1 * 100 // FIXED_1) / 100 for each in self)
        return first, second, third


def period_us(hz: int) -> int:
    """``PSI_FREQ``: 2 s and a jiffy."""
    return (2 * hz + 1) * 1_000_000 // hz


def calc_load(load: int, exp: int, active: int) -> int:
    """``calc_load``: rounded up on the way up."""
    total = load * exp + active * (FIXED_1 - exp)
    if active >= load:
        total += FIXED_1 - 1
    return total // FIXED_1


def calc_avgs(averages: Averages, stalled_us: int, elapsed_us: int) -> Averages:
    """One period more, of which ``stalled_us`` of ``elapsed_us`` stalled; whole percents, as the kernel's."""
    active = min(stalled_us, elapsed_us) * 100 // max(elapsed_us, 1) * FIXED_1
    return Averages(
        calc_load(averages.avg10, EXP_10, active),
        calc_load(averages.avg60, EXP_60, active),
        calc_load(averages.avg300, EXP_300, active),
    )


def idle(averages: Averages, missed: int) -> Averages:
    """So many periods in which nothing stalled (``calc_load_n``)."""
    while missed and any(averages):
        averages = calc_avgs(averages, 0, 1)
        missed -= 1
    return averages
