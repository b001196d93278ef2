"""Whether a line without a front of its own goes on with the message before it, and how.

Mail programs break lines at blanks, terminals break them anywhere; one report may have gone through
both. A kernel message is recognised as unfinished by its own grammar, so that lines can be rejoined
in text that has no timestamps at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from memwarden.postmortem.kinds import kind_of
from memwarden.postmortem.transport.prefix import split

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER_END: Final = re.compile(r"\boom(?:kill|_score|_)_?adj=-?\d+(?:$|,? )")
_OOM_KILL_END: Final = re.compile(r",uid=\d+$")
_KILL_END: Final = re.compile(r"(?:oom_score_adj:-?\d+|-rss:\d+kB|UID:\d+)$")
_KILL_MORE: Final = re.compile(
    r"(?:total-vm|anon-rss|file-rss|shmem-rss|-?rss|vm|pgtables|oom_score_adj|UID|kB)\b|^process|^\("
)
_KILL_FIELDS: Final = re.compile(
    r"\b(?:total-vm|anon-rss|file-rss|shmem-rss|pgtables):\d+kB|\bUID:\d+|\badj:-?\d+|d process \d+ \("
)
_KB_NEXT: Final = re.compile(r"[a-z][\w()]*:|all_unreclaimable\?")
_KB_REST: Final = re.compile(r"(?:[\w()]*:)?\d*[kK]?B\b|[\w()]*:\d*(?: |$)|[a-z_]*\? |(?:yes|no)$")
_BLOCKS_END: Final = re.compile(r"= ?\d+kB$")
_BLOCKS_MORE: Final = re.compile(r"\d*\*? ?\d*k?B|\([A-Z]+\)|[A-Z]*\)|= ")
_NUMBERS: Final = re.compile(r"[\d ]+$")
_COLUMNS: Final = frozenset(
    (
        *(
            "uid",
            "tgid",
            "total_vm",
            "rss",
            "cpu",
            "oom_adj",
            "nr_ptes",
            "nr_pmds",
            "pgtables_bytes",
            "swapents",
        ),
        *("oom_score_adj", "rss_anon", "rss_file", "rss_shmem", "]"),
    )
)
_STATS_MORE: Final = re.compile(r"[a-z_]*:\d+KB")
_RELEASE: Final = re.compile(r"(?:Not tainted|Tainted:[A-Z \t]*)[ \t]\d+\.\d")
_GROUP_WORDS: Final = frozenset(
    ["are", "going", "to", "be", "killed", "due", "to", "memory.oom.group", "set"]
)
_TASK_WORDS: Final = frozenset(["killed", "as", "a", "result", "of", "limit"])
_COMM: Final = 15
"""``TASK_COMM_LEN`` less its final NUL."""
_USAGE_END: Final = re.compile(r"failcnt \d+$")
_WIDTH_LINES: Final = 400
_WIDEST: Final = 160
"""Longer lines were not broken to fit; they hold a word that could not be."""
_BUILD: Final = re.compile(r"#\d|PREEMPT|SMP\b|VOLUNTARY")
_FEW: Final = 80
_LATE: Final = frozenset(("header", "stats", "protection", "kill", "table"))
"""Kinds that the first word or two do not tell."""
_LONGEST: Final = 1 << 12
"""Bytes that rejoining makes a message grow to at most."""


class Wrapped(NamedTuple):
    """A message that may go on in the next line.

    ``stamped``: its line had a front of its own. ``columns``: those of the task table, 0 while unknown.
    ``comm``: who invoked the OOM killer, as far as known. ``hard``: its line is as long as the text is wide,
    and the text was broken anywhere. ``room``: columns between its end and the text's widest line.
    ``gap``: blanks stood where the line was broken.
    """

    kind: str
    message: str
    stamped: bool
    columns: int
    comm: str
    hard: bool
    room: int
    gap: bool


def glue(before: Wrapped, more: str, more_kind: str) -> str | None:
    """What to put between a message and the line after it, ``""`` or ``" "``; ``None`` if they are two."""
    if not more or len(before.message) > _LONGEST:
        return None
    if before.hard and more_kind == "" and before.kind:
        return " " if before.gap else ""
    if before.kind == "row":
        return _row(before, more, more_kind)
    if before.kind in ("oom-kill", "oom-kill-rest"):
        between = _oom_kill(before, more, more_kind)
        return " " if between is not None and before.gap else between
    rule = _RULES.get(before.kind)
    between = None if rule is None else rule(before.message, more, more_kind)
    if between is None and before.stamped and (rule := _STAMPED.get(before.kind)) is not None:
        between = rule(before.message, more, more_kind)
    return " " if between is not None and before.gap else between


def _row(before: Wrapped, more: str, more_kind: str) -> str | None:
    if more_kind not in ("", "pages", "allocation", "elision", "stat"):
        return None
    fields = len(before.message.partition("]")[2].split())
    columns = before.columns or 8
    if fields >= columns:
        return _name(before, fields - columns, more) if more_kind == "" else None
    return " "


def _name(before: Wrapped, extra: int, more: str) -> str | None:
    """A comm may have blanks, and a terminal breaks it anywhere; 15 bytes bound it."""
    name = " ".join(before.message.split()[-1 - extra :])
    if before.comm.startswith(name + more):
        return ""
    fits = len(more.split(None, 1)[0]) < before.room
    return None if fits or len(name) + len(more) >= _COMM else " "


def _header(message: str, more: str, more_kind: str) -> str | None:
    if _HEADER_END.search(message) or more_kind not in ("", "counter"):
        return None
    if "gfp_mask" not in message and "=" not in more:
        return None
    return " " if message.endswith((",", ":", "oom-killer")) else ""


def _oom_kill(before: Wrapped, more: str, more_kind: str) -> str | None:
    """The summary has blanks in names only; where a name was broken, that of the invoker may tell."""
    if _OOM_KILL_END.search(before.message) or more_kind not in ("", "oom-kill-rest", "stat"):
        return None
    name = before.message.rpartition(",task=")[2]
    if name == before.message or ",pid=" in name or before.comm.startswith(name + more.partition(",")[0]):
        return "" if " " not in more.strip() else None
    return " " if ",pid=" in more and len(name) < _COMM else ""


def _kill(message: str, more: str, more_kind: str) -> str | None:
    if more_kind not in ("", "counter", "stat") or message.endswith("]"):
        return None
    if _KILL_END.search(message) and not _KILL_MORE.match(more.lstrip(", ")):
        return None
    if not _KILL_MORE.search(more) and not message.endswith(("process", "-", ":", ",", ")", "Killed")):
        return None
    together = len(_KILL_FIELDS.findall(message + more))
    return "" if together > len(_KILL_FIELDS.findall(f"{message} {more}")) else " "


def _kilobytes(message: str, more: str, more_kind: str) -> str | None:
    """Node lines, zone lines, free lists and pools of huge pages."""
    if "hugepages_total" in message:
        return " " if "hugepages_size" not in message and more.startswith("hugepages_") else None
    if "kB " not in message and "*" not in message and "kB" not in more:
        return None
    if ": " in message and "*" in message and " free:" not in message:
        if _BLOCKS_END.search(message) or not _BLOCKS_MORE.match(more):
            return None
        return " " if message.endswith(("kB", ")", "=")) else ""
    if more_kind not in ("", "counter") or message.endswith((" yes", " no")):
        return None
    whole = message.endswith(("kB", "KB"))
    if not (_KB_NEXT if whole else _KB_REST).match(more):
        return None
    return " " if whole or message.endswith((":", "?")) else ""


def _usage(message: str, more: str, more_kind: str) -> str | None:
    if _USAGE_END.search(message) or more_kind not in ("", "stat"):
        return None
    return " " if message.endswith(("usage", "limit", "failcnt", ",")) else ""


def _stats(message: str, more: str, more_kind: str) -> str | None:
    if _STATS_MORE.match(more):
        return " " if message.endswith(("KB", ":")) else ""
    if ":" in message or more_kind != "":
        return None
    return " " if message.endswith(("stats", "for")) else ""


def _task_in(message: str, more: str, more_kind: str) -> str | None:
    if " limit of /" in message and not more.startswith(("/", "-")):
        return None
    if more_kind != "":
        return None
    return " " if more.startswith("/") or more.split(None, 1)[0] in _TASK_WORDS else ""


def _group(message: str, more: str, more_kind: str) -> str | None:
    if message.endswith(" set") or more_kind != "":
        return None
    return " " if message == "Tasks in" or more.split(None, 1)[0] in _GROUP_WORDS else ""


def _reaper(message: str, more: str, more_kind: str) -> str | None:
    if "shmem-rss" in message or more_kind != "" or not _KILL_MORE.search(more):
        return None
    return "" if message.endswith("-") else " "


def _table(message: str, more: str, more_kind: str) -> str | None:
    words = message.split()
    if words[-1] == "name" or more_kind not in ("", "stat"):
        return None
    return " " if words[-1] in _COLUMNS else ""


def _cpu(message: str, more: str, more_kind: str) -> str | None:
    if _RELEASE.search(message) or more.startswith("Tainted: ["):
        return " " if _BUILD.match(more) else None
    return " " if more_kind in ("", "cpu", "hardware") else None


def _reserve(message: str, more: str, more_kind: str) -> str | None:
    return " " if _NUMBERS.match(more) else None


def _protection(message: str, more: str, more_kind: str) -> str | None:
    return None if message.count("kB") == 2 or more_kind != "" else " "


def _choice(message: str, more: str, more_kind: str) -> str | None:
    return " " if more_kind == "" and not message.endswith(("child", "memory")) else None


def _counter(message: str, more: str, more_kind: str) -> str | None:
    return "" if more_kind == "" and re.match(r"[a-z_]+:\d", more) else None


def _swallow(message: str, more: str, more_kind: str) -> str | None:
    """Lines that say nothing we need: what follows them is theirs unless it begins something."""
    return " " if more_kind in ("", "register", "trace") and "invoked" not in more else None


def _words(message: str, more: str, more_kind: str) -> str | None:
    return " " if more_kind in ("", "pages") else None


def _kill_or_choice(message: str, more: str, more_kind: str) -> str | None:
    if "ill process" in message and "Killed" not in message:
        return _choice(message, more, more_kind)
    return _kill(message, more, more_kind)


def _unknown(message: str, more: str, more_kind: str) -> str | None:
    """The first words of a message may stand alone: ``X invoked``, ``Memory cgroup``."""
    known = more_kind == "" and len(message) < _FEW and kind_of(f"{message} {more}") in _LATE
    return " " if known or (message.endswith(" invoked") and more.startswith("oom-killer")) else None


_RULES: Final[dict[str, Callable[[str, str, str], str | None]]] = {
    "": _unknown,
    "header": _header,
    "kill": _kill_or_choice,
    "node": _kilobytes,
    "zone": _kilobytes,
    "usage": _usage,
    "memsw": _usage,
    "swap": _usage,
    "kmem": _usage,
    "stats": _stats,
    "task-in": _task_in,
    "group": _group,
    "reaper": _reaper,
    "table": _table,
    "cpu": _cpu,
    "reserve": _reserve,
    "protection": _protection,
    "counter": _counter,
}
"""Rules for text without timestamps."""
_STAMPED: Final[dict[str, Callable[[str, str, str], str | None]]] = {
    **dict.fromkeys(("trace", "register", "hardware", "trace-start", "process", "mem-line", "cpu"), _swallow),
    **dict.fromkeys(("tasks-state", "panic", "pages"), _words),
}


class Widths(NamedTuple):
    """How wide a text is, judged by lines that seem to go on in the next.

    ``widest``: the longest of them. ``hard``: the width at which a terminal broke its lines anywhere, 0 where
    none did: then every line that goes on in the next has the same length, unlike those of mail that was
    broken at blanks.
    """

    widest: int
    hard: int


def widths(lines: list[str]) -> Widths:
    """Measure a block of text."""
    lengths = set()
    kinds = set()
    count = 0
    previous = ""
    for line in lines[:_WIDTH_LINES]:
        stamp, message = split(line)
        if stamp is None and previous and message.strip() and kind_of(message.strip()) == "":
            lengths.add(len(previous))
            kinds.add(kind_of(split(previous)[1].strip()))
            count += 1
        previous = line
    widest = max((length for length in lengths if length < _WIDEST), default=0)
    return Widths(widest, widest if len(lengths) == 1 and count >= 3 and len(kinds) > 1 else 0)
