"""The words of a policy: one set of tables for reading, writing and the reference."""

from typing import Final

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.doing import ACTION_OF, ACTIONS, CHOICE, CHOOSING, PREFERENCES, RANK_KEYS
from memwarden.guard.policy.kinds import GLOBS, MARKS, NOTES, TICK, words
from memwarden.guard.policy.seeing import DETECTOR_OF, DETECTORS
from memwarden.words.kinds import DURATION, FLAG, NAME
from memwarden.words.word import Key, Word

__all__ = [
    "ACTIONS",
    "ACTION_OF",
    "CHOICE",
    "CHOOSING",
    "DETECTORS",
    "DETECTOR_OF",
    "GUARD",
    "PREFERENCES",
    "RANK_KEYS",
    "RULE",
]

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
        Key("tick", "tick_us", TICK, "how often to look when something is wrong"),
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
        Key("notes", "notes", NOTES, "remarks that stay with the policy"),
    ),
    "what holds for all rules",
)
"""``allow_kill_of`` is no field: it is taken out of the built-in list, which ``never`` begins with."""
