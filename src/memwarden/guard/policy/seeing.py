"""The words of a ``[[rule.when]]``: what can be seen."""

from typing import Final

from memwarden.guard import ir
from memwarden.guard.policy.kinds import AMOUNT, AVERAGE, GLOBS
from memwarden.words.kinds import BYTE_RATE, DURATION, FLAG, PER_SECOND, PERCENT, SHARE, count, one_of
from memwarden.words.word import Key, Word

_COUNT: Final = count()
_RESOURCE: Final = Key("resource", "resource", one_of("memory", "io", "cpu"), "whose pressure")
_KIND: Final = Key(
    "kind", "kind", one_of("full", "some"), "full: all tasks waited at once; some: at least one did"
)
_CGROUP: Final = Key("cgroup", "cgroups", GLOBS, "where; the machine when it is left out, or an empty list")
_ANYWHERE: Final = Key("cgroup", "cgroups", GLOBS, "where; any cgroup when it is left out")
_ROOT: Final = Key("cgroup", "cgroups", GLOBS, "where; the root when it is left out")
_FOR: Final = Key("for", "for_us", DURATION, "for how long without a break")
_IN: Final = Key("in", "window_us", DURATION, "within the last so long")
_INCLUSIVE: Final = Key("inclusive", "inclusive", FLAG, "just the amount counts as below, too")

DETECTORS: Final = (
    Word(
        "stall",
        ir.Stall,
        (
            Key("above", "above_us", DURATION, "stalled for longer than this"),
            _IN,
            _KIND,
            _RESOURCE,
            _CGROUP,
            _FOR,
        ),
        "time lost to waiting, summed over a window: no average, no lag",
    ),
    Word(
        "exhaustion",
        ir.Exhaustion,
        (Key("within", "within_us", DURATION, "memory ends sooner than this"), _CGROUP, _FOR),
        "memory ends soon, by the growth seen and what is left; the error of the forecast is taken off",
    ),
    Word(
        "reclaiming",
        ir.Reclaiming,
        (
            Key("within", "within_us", DURATION, "within the last so long"),
            _CGROUP,
            Key("since_start", "since_start", FLAG, "what was before the first look counts as seen then"),
        ),
        "the kernel looked for memory to take back",
    ),
    Word(
        "refault",
        ir.Refault,
        (
            Key("above", "above_per_s", PER_SECOND, "more pages than this"),
            _IN,
            Key("what", "what", one_of("any", "file", "anon"), "which pages"),
            _CGROUP,
            _FOR,
        ),
        "thrashing: pages are read again soon after they were taken away",
    ),
    Word(
        "growth",
        ir.Growth,
        (Key("above", "above_bps", BYTE_RATE, "faster than this"), _IN, _CGROUP, _FOR),
        "anonymous memory and swap grow",
    ),
    Word(
        "available",
        ir.Available,
        (
            Key("below", "below", AMOUNT, "less than this"),
            Key(
                "whole",
                "whole",
                one_of("total", "user"),
                "what 100 % is: MemTotal, or MemAvailable + AnonPages as earlyoom has it",
            ),
            _FOR,
            _INCLUSIVE,
        ),
        "available memory of the machine is low",
    ),
    Word(
        "swap_free",
        ir.SwapFree,
        (
            Key("below", "below", AMOUNT, "less than this, of SwapTotal"),
            Key("swap_out", "swap_out_bps", BYTE_RATE, "and at least so much is written to swap"),
            Key("without_swap", "without_swap", FLAG, "what to answer on a machine without swap"),
            _FOR,
            _INCLUSIVE,
        ),
        "free swap is low",
    ),
    Word(
        "swap_out",
        ir.SwapOut,
        (Key("above", "above_bps", BYTE_RATE, "faster than this"), _IN, _FOR),
        "memory is written to swap",
    ),
    Word(
        "headroom",
        ir.Headroom,
        (
            Key("below", "below", AMOUNT, "less than this, of the limit at the tightest level"),
            Key("effective", "effective", FLAG, "with what the kernel could take back"),
            _CGROUP,
            _FOR,
        ),
        "little is left below a limit",
    ),
    Word(
        "usage",
        ir.Usage,
        (
            Key("above", "above", AMOUNT, "more than this, of MemTotal"),
            Key("anon", "anon", FLAG, "anonymous memory only"),
            _ROOT,
            _FOR,
            Key(
                "root",
                "root",
                one_of("available", "free"),
                "what the root has not used: what is available, or only what is free, as oomd has it",
            ),
        ),
        "the largest of some cgroups uses much",
    ),
    Word(
        "pressure",
        ir.Pressure,
        (
            Key("above", "above_centi", PERCENT, "higher than this"),
            Key("average", "average_s", AVERAGE, "over which time the kernel averages"),
            _KIND,
            _RESOURCE,
            _CGROUP,
            _FOR,
            Key(
                "worst",
                "worst",
                one_of("any", "weighted"),
                "which cgroup counts: any above, or the worst by 3 avg10 + 2 avg60 + avg300 as in oomd",
            ),
        ),
        "an average of PSI as the kernel prints it; it lags, stall does not",
    ),
    Word(
        "pressure_rising",
        ir.PressureRising,
        (
            Key("above", "above_centi", PERCENT, "higher than this"),
            _RESOURCE,
            _CGROUP,
            _FOR,
            Key("fast_fall", "fast_fall_ppm", SHARE, "below this share of the last look is falling fast"),
        ),
        "oomd's pressure_rising_beyond: the minute is high, the last 10 s too, and not falling fast",
    ),
    Word(
        "events",
        ir.Events,
        (
            Key(
                "counter",
                "counter",
                one_of("low", "high", "max", "oom", "oom_kill", "oom_group_kill"),
                "which line of memory.events",
            ),
            Key("at_least", "at_least", count(1), "by how much it rose"),
            _IN,
            Key("local", "local", FLAG, "of the cgroup itself, without those below it"),
            _ANYWHERE,
        ),
        "a counter of memory.events rose",
    ),
    Word(
        "spinning",
        ir.Spinning,
        (Key("at_least", "at_least", count(1), "how often it was out of memory"), _IN, _ANYWHERE),
        "a cgroup is out of memory again and again and nothing in it can be killed",
    ),
    Word(
        "stuck",
        ir.Stuck,
        (
            Key("above", "above_us", DURATION, "all its tasks stalled for longer than this"),
            _IN,
            _ANYWHERE,
            Key("for", "for_us", DURATION, "for how long without a break, each cgroup by itself"),
        ),
        "a cgroup is held at its own memory.high and gets nowhere",
    ),
    Word(
        "dying",
        ir.Dying,
        (
            Key("more_than", "bound", _COUNT, "more than this many", also=("lte", False)),
            Key("at_most", "bound", _COUNT, "this many or fewer", also=("lte", True)),
            _ROOT,
        ),
        "cgroups that were removed and still hold memory",
    ),
    Word(
        "exists",
        ir.Exists,
        (
            Key("cgroup", "cgroups", GLOBS, "which"),
            Key("negate", "negate", FLAG, "there is none"),
        ),
        "a cgroup is there",
    ),
    Word(
        "blackout",
        ir.Blackout,
        (Key("above", "above_us", DURATION, "for longer than this"), _IN),
        "the guard itself was not run by the scheduler when it had asked to be",
    ),
    Word(
        "constant",
        ir.Constant,
        (Key("fires", "fires", FLAG, "always, or never"),),
        "always true, or never",
    ),
)

DETECTOR_OF: Final = {word.record: word for word in DETECTORS}
