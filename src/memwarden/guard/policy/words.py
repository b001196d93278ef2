"""The words of a policy and the records they stand for: one table for reading, writing and the reference.

A word is a table of the document. Each of its keys fills one field of one record of
``memwarden.guard.ir``; what a field is when its key is left out, and whether it may be, the record itself
says.
"""

from typing import Any, Final, NamedTuple, get_args

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy import kinds
from memwarden.guard.policy.kinds import (
    AMOUNT,
    AVERAGE,
    BYTE_RATE,
    COMMAND,
    DURATION,
    FLAG,
    GLOBS,
    MARKS,
    NAME,
    PARAMETERS,
    PER_SECOND,
    PERCENT,
    SHARE,
    SIGNED_AMOUNT,
    TEXT,
    Kind,
    count,
    one_of,
    words,
)


class Key(NamedTuple):
    """One key: its spelling, the field it fills, how its value is written, and one line about it.

    ``part`` names the record within the word's own that the field is of: ``choice``, ``ranking`` or none.
    ``also`` is a field and the value it has whenever this key is used.
    """

    name: str
    field: str
    kind: Kind
    help: str
    part: str = ""
    also: tuple[str, Any] | None = None
    optional: bool = False
    """It may be left out although the field has no default: somebody else fills it."""


class Word(NamedTuple):
    """A table of the document, the record it stands for, its keys and a line about it."""

    name: str
    record: Any
    keys: tuple[Key, ...]
    help: str

    def key_of(self, name: str) -> Key | None:
        """The key that is spelled so."""
        return next((key for key in self.keys if key.name == name), None)


REQUIRED: Final = object()
"""Stands for the default of a field that has none."""
CHOOSING: Final = (ir.DoReclaim, ir.DoThrottle, ir.DoFreeze, ir.DoKill)


def default_of(word: Word, key: Key) -> Any:
    """What the field is when the key is left out, or :data:`REQUIRED`."""
    if key.part == "choice":
        return getattr(ir.Choice(), key.field)
    if key.part == "ranking":
        return getattr(ir.Ranking(), key.field)
    return word.record._field_defaults.get(key.field, None if key.optional else REQUIRED)


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

RANK_KEYS: Final = get_args(ir.RankKey)

PREFERENCES: Final = Word(
    "preferences",
    ir.Preferences,
    (
        Key("prefer", "prefer", MARKS, "killed before all others"),
        Key("avoid", "avoid", MARKS, "killed after all others"),
        Key("omit", "omit", MARKS, "never killed"),
        Key(
            "xattrs",
            "xattrs",
            words("systemd", "oomd"),
            "marks set by these tools' extended attributes are taken too",
        ),
    ),
    "whom to prefer when somebody has to be killed",
)

CHOICE: Final = (
    Key("cgroup", "cgroups", GLOBS, "among whom; everybody when it is left out", "choice"),
    Key(
        "units",
        "units",
        one_of("leaf", "recursive", "matched", "process"),
        "what is killed as one: leaf cgroups; the best of siblings, then the best below; just what matches; "
        "a process",
        "choice",
    ),
    Key("rank", "weights", kinds.ranking(*RANK_KEYS), "who is first", "ranking"),
    Key(
        "least",
        "least",
        SIGNED_AMOUNT,
        "who has no more than this in the first rank key is left alone",
        "ranking",
    ),
    Key(
        "ties",
        "ties",
        words(*RANK_KEYS)._replace(says="a list of rank keys"),
        "rank keys that decide among equals",
        "ranking",
    ),
    Key("adjust", "adjust", PARAMETERS, "so much is added to whom a mark names", "ranking"),
    Key("parameters", "parameters", PARAMETERS, "of rank keys that have some", "ranking"),
)
"""The keys of every action that chooses somebody; ``preferences`` is read apart, being a table."""

ACTIONS: Final = (
    Word("notify", ir.DoNotify, (Key("text", "text", TEXT, "what to say besides what was seen"),), "say it"),
    Word(
        "reclaim",
        ir.DoReclaim,
        (
            Key("amount", "amount", AMOUNT, "how much, of its usage"),
            Key("swappiness", "swappiness", count(0, 200), "where the kernel takes one"),
            Key("within", "within_us", DURATION, "how long to wait for relief"),
            *CHOICE,
        ),
        "have the kernel take memory back from the first of the ranking (memory.reclaim)",
    ),
    Word(
        "throttle",
        ir.DoThrottle,
        (
            Key("at", "at_ppm", SHARE, "of its usage"),
            Key("within", "within_us", DURATION, "how long to wait for relief"),
            *CHOICE,
        ),
        "let the first of the ranking grow no further (memory.high); undone when all is calm",
    ),
    Word(
        "freeze",
        ir.DoFreeze,
        (Key("within", "within_us", DURATION, "thawed after this at the latest"), *CHOICE),
        "stop the first of the ranking (cgroup.freeze)",
    ),
    Word(
        "kill",
        ir.DoKill,
        (
            *CHOICE,
            Key("term", "term_us", DURATION, "SIGTERM first, SIGKILL so much later; 0s: SIGKILL at once"),
            Key("escalate", "escalate", FLAG, "whether SIGKILL follows SIGTERM"),
            Key("hook", "hook", COMMAND, "run before; no shell"),
            Key("hook_limit", "hook_limit_us", DURATION, "how long the hook may take"),
            Key(
                "hook_meanwhile",
                "hook_meanwhile",
                one_of("freeze", "throttle", "nothing"),
                "what is done to the victim meanwhile",
            ),
            Key("within", "within_us", DURATION, "until when its memory should be free"),
            Key("pause", "pause_us", DURATION, "how long the rule rests; the rule's own pause if left out"),
            Key("go_on", "go_on", FLAG, "the actions that follow run too"),
            Key(
                "even_without_need",
                "even_without_need",
                FLAG,
                "also when nothing stalls, nothing is reclaimed and memory does not end",
            ),
            Key(
                "release", "release", FLAG, "free its memory at once where the kernel can (process_mrelease)"
            ),
            Key("dry", "dry", FLAG, "only say it"),
        ),
        "kill the first of the ranking that can be killed",
    ),
    Word(
        "restart",
        ir.DoRestart,
        (
            Key("unit", "unit", NAME, "which unit"),
            Key("pause", "pause_us", DURATION, "how long the rule rests"),
            Key("dry", "dry", FLAG, "only say it"),
        ),
        "restart a unit of systemd",
    ),
    Word("panic", ir.DoPanic, (), "crash the kernel, where the daemon was started with leave to"),
    Word(
        "nothing",
        ir.DoNothing,
        (Key("stop", "stop", FLAG, "the actions that follow do not run"),),
        "do nothing",
    ),
)

RULE: Final = Word(
    "rule",
    ir.Rule,
    (
        Key("name", "name", NAME, "how it is called; a later rule of the same name replaces it"),
        Key("pause", "pause_us", DURATION, "how long it rests after it acted"),
        Key("per_cgroup", "per_cgroup", GLOBS, "run once for each of these, which `.` then names"),
        Key("rests_with", "rests_with", NAME, "rules with the same word here rest together"),
        Key("xattr_filter", "xattr_filter", NAME, "only for cgroups that have this extended attribute"),
    ),
    "something to watch for and what to do about it",
)

GUARD: Final = Word(
    "guard",
    ir.Policy,
    (
        Key(
            "name",
            "name",
            NAME,
            "how the policy is called; after its file when it is left out",
            optional=True,
        ),
        Key("tick", "tick_us", DURATION, "how often to look when something is wrong"),
        Key("steady", "steady", FLAG, "look so often always"),
        Key("wait_for_death", "wait_for_death", FLAG, "while a victim is not gone yet nobody else is killed"),
        Key("kill_pause", "kill_pause_us", DURATION, "after a kill nobody else is killed so long"),
        Key("never", "never", MARKS, "never killed, besides the built-in list"),
        Key(
            "allow_kill_of",
            "allow_kill_of",
            words(*BUILT_IN)._replace(says="entries of the built-in list"),
            "entries of the built-in list that may be killed",
            optional=True,
        ),
        Key("dry_run", "dry_run", FLAG, "decide everything and do nothing"),
        Key("notes", "notes", kinds.NOTES, "remarks that stay with the policy"),
    ),
    "what holds for all rules",
)
"""``allow_kill_of`` is no field: it is taken out of the built-in list, which ``never`` begins with."""

DETECTOR_OF: Final = {word.record: word for word in DETECTORS}
ACTION_OF: Final = {word.record: word for word in ACTIONS}
