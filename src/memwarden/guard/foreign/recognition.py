"""Which tool's policy a text is."""

import re
from typing import Final

from memwarden.errors import InputError
from memwarden.guard.foreign import earlyoom, json_text, oomd, plain

_MARKS: Final = (
    ("systemd-oomd", re.compile(r"^[ \t]*(\[OOM\]|\[Rule\]|ManagedOOM\w+=)", re.MULTILINE)),
    (
        "nohang",
        re.compile(r"^((soft|hard)_threshold_m\w+[ \t]*=|@(BADNESS_ADJ|SOFT_ACTION)_RE_)", re.MULTILINE),
    ),
    (
        "earlyoom",
        re.compile(r"^[ \t]*((export[ \t]+)?EARLYOOM_ARGS=|[\w./-]*earlyoom([ \t]|$))", re.MULTILINE),
    ),
)
_NAMES: Final = (
    ("systemd-oomd", re.compile(r"oomd\.conf(\.d/.*\.conf)?$|\.oomrule$")),
    ("nohang", re.compile(r"nohang[^/]*\.conf$")),
    ("earlyoom", re.compile(r"(^|/)earlyoom$")),
    ("oomd", re.compile(r"(^|/)oomd\.json$")),
)


def recognise(name: str, text: str) -> str | None:
    """A kind that ``load`` takes, by what is in the text and else by its name; ``None``: nothing says so.

    Raises :class:`InputError` for broken JSON (only JSON begins with a brace) that nobody can be named for.
    """
    broken = None
    try:
        value = json_text.read(name, text).value
    except InputError as error:
        value, broken = None, error
    if isinstance(value, dict):
        return "oomd" if value.keys() & oomd.KEYS else "plain" if value.keys() & plain.KEYS else None
    marked = [kind for kind, mark in _MARKS if mark.search(text)]
    marked += ["earlyoom"] if earlyoom.begins_with_option(text) else []
    named = [kind for kind, pattern in _NAMES if pattern.search(name)]
    if broken and text.lstrip().startswith("{") and not (marked or named):
        raise broken
    return (*marked, *named, None)[0]
