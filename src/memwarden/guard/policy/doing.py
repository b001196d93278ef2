"""The words of a ``[[rule.do]]``: what can be done, and to whom."""

from typing import Final, get_args

from memwarden.guard import ir
from memwarden.guard.policy import kinds
from memwarden.guard.policy.kinds import AMOUNT, COMMAND, GLOBS, MARKS, PARAMETERS, SIGNED_AMOUNT, words
from memwarden.words.kinds import DURATION, FLAG, NAME, SHARE, TEXT, count, one_of
from memwarden.words.word import Key, Word

CHOOSING: Final = (ir.DoReclaim, ir.DoThrottle, ir.DoFreeze, ir.DoKill)
"""Actions that choose somebody."""
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

PARTS: Final = {"choice": ir.Choice(), "ranking": ir.Ranking()}

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
        PARTS,
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
        PARTS,
    ),
    Word(
        "freeze",
        ir.DoFreeze,
        (Key("within", "within_us", DURATION, "thawed after this at the latest"), *CHOICE),
        "stop the first of the ranking (cgroup.freeze)",
        PARTS,
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
        PARTS,
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

ACTION_OF: Final = {word.record: word for word in ACTIONS}
