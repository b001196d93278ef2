"""earlyoom's arguments, as a line of words or as the file in /etc/default that holds them.

Flags and their rules follow ``main.c`` and ``msg.c:parse_term_kill_tuple`` of rfjakob/earlyoom 1.9.
Two rules: below the first value of ``-m`` and ``-s`` the victim gets SIGTERM, below the second SIGKILL.
"""

import re
from collections.abc import Mapping
from getopt import GetoptError, gnu_getopt
from math import inf
from shlex import split
from typing import Final, NamedTuple

from memwarden.errors import InputError
from memwarden.guard.foreign.c_numbers import floating
from memwarden.guard.foreign.posix_regex import python_regex
from memwarden.guard.foreign.words import PERCENT_PPM, refused, shown
from memwarden.guard.ir import (
    Amount,
    Available,
    Choice,
    Detector,
    DoKill,
    Group,
    Policy,
    Preferences,
    Ranking,
    RankKey,
    Rule,
    SwapFree,
    Weight,
)
from memwarden.units import GIB, KIB, SECOND_US

_SHORT: Final = "m:s:M:S:kingN:P:dvr:ph"
_LONG: Final = (
    "prefer=",
    "avoid=",
    "ignore=",
    "dryrun",
    "ignore-root-user",
    "sort-by-rss",
    "syslog",
    "kernel-oom",
    "help",
)
_ASSIGNED: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)=(.*)", re.MULTILINE)
_OPTION: Final = re.compile(
    rf"(?:-[{_SHORT.replace(':', '')}]|--(?:{'|'.join(one.rstrip('=') for one in _LONG)}))"
    r"(?![A-Za-z_-])[ \t]*(?![ \t=])|--(?:prefer|avoid|ignore)="
)
"""An option with its value, and not ``-m = 5``, which is TOML."""
_POINTS: Final = 300.0
"""What ``--prefer`` and ``--avoid`` add to and take off oom_score ..."""
_BYTES: Final = 3.0 * GIB
"""... and off the resident size, with ``--sort-by-rss``: 3145728 KiB."""
_DEATH_US: Final = 10 * SECOND_US
"""So long it waits for a victim to be gone."""
_HOOK_US: Final = SECOND_US // 5
_ANY: Final = Amount(bytes=-(1 << 62))
"""What was avoided may have less than nothing."""
_SILENT: Final = {
    "-k": "-k is ignored by earlyoom as well",
    "-i": "-i is ignored by earlyoom as well",
    "-n": "-n: memwarden does not notify through D-Bus; its decisions are in the journal",
    "-g": "-g: the victim's process group is not killed, only the victim",
    "-d": "-d only has earlyoom log more",
    "-p": "-p: memwarden protects itself by its unit",
    "--syslog": "--syslog: memwarden logs to the journal",
}


class _Floor(NamedTuple):
    """SIGTERM and SIGKILL below this, in percent or in KiB."""

    term: float
    kill: float
    of: int = 0
    """Bytes in one; 0 for percent."""

    def amount(self, term: bool) -> Amount:
        value = self.term if term else self.kill
        return Amount(bytes=int(value * self.of)) if self.of else Amount(ppm=round(value * PERCENT_PPM))


class _Given(NamedTuple):
    """The arguments of one file."""

    path: str
    line: int
    options: tuple[tuple[str, str], ...]

    def last(self, *names: str) -> str | None:
        """The last value of an option; the empty text for one that has none."""
        return next((value for name, value in reversed(self.options) if name in names), None)

    def exits(self, code: int, what: str) -> InputError:
        return refused(self.path, self.line, f"earlyoom would not start (exit code {code}): {what}")


def load(texts: Mapping[str, str], *, bug_compatible: bool) -> Policy:
    """A policy of the first text; the others are not read. Raises ``InputError`` with earlyoom's reason."""
    path, text = next(iter(texts.items()))
    given = _given(path, text)
    notes = [words for name, words in _SILENT.items() if given.last(name) is not None]
    for name in ("-v", "-h", "--help"):
        if given.last(name) is not None:
            raise refused(path, given.line, f"with {name} earlyoom only prints and exits; leave it out")
    _report(given, notes)
    memory = _floors(given, "-m", "-M", 99, 15)
    swap = _floors(given, "-s", "-S", 100, 16)
    if given.last("-M") is not None:
        notes.append("-M: earlyoom takes the size as a share of MemTotal at its start, here it is the size")
    choice, hook = _choice(given, notes), _hook(given, notes)
    dry = given.last("--dryrun") is not None
    rules = tuple(_rule(name, choice, hook, memory, swap, dry=dry) for name in ("kill", "term"))
    named = [
        f"{other}: earlyoom reads one file only; this one is left out" for other in texts if other != path
    ]
    named += [f"{path}:{given.line}: {words}" for words in notes]
    return Policy(path, rules, tick_us=SECOND_US // 10, steady=True, notes=tuple(named))


def begins_with_option(text: str) -> bool:
    """Whether the first thing that a text says is one of earlyoom's options, and no key of TOML.

    >>> begins_with_option("-m 5 -s 10"), begins_with_option("-m = 5"), begins_with_option("- m")
    (True, False, False)
    """
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    return _OPTION.match(first) is not None


def _given(path: str, text: str) -> _Given:
    words, line = _words(path, text)
    if words and words[0].rpartition("/")[2] == "earlyoom":
        words = words[1:]
    try:
        options, extra = gnu_getopt(words, _SHORT, list(_LONG))
    except GetoptError as error:
        raise _Given(path, line, ()).exits(13, f"{error}; leave it out") from None
    given = _Given(path, line, tuple(options))
    if extra:
        raise given.exits(13, f"extra argument not understood: {shown(extra[0])}; leave it out")
    return given


def _words(path: str, text: str) -> tuple[list[str], int]:
    """The words of ``EARLYOOM_ARGS`` where a file assigns it, else of all that is no comment."""
    joined = re.sub(r"\\\r?\n", " ", text)
    uncommented = re.sub(r"^[ \t]*[#;].*", "", joined, flags=re.MULTILINE)
    assigned = [found for found in _ASSIGNED.finditer(uncommented) if found[1] == "EARLYOOM_ARGS"]
    if assigned:
        line = uncommented.count("\n", 0, assigned[-1].start()) + 1
        # systemd takes the quotes of the assignment off, and then splits the value into words.
        return _split(path, line, " ".join(_split(path, line, assigned[-1][2]))), line
    if _ASSIGNED.search(uncommented):
        raise refused(path, 0, 'no EARLYOOM_ARGS is assigned here; add EARLYOOM_ARGS="-m 10" or the like')
    return _split(path, 1, uncommented), 1


def _split(path: str, line: int, text: str) -> list[str]:
    try:
        return split(text)
    except ValueError:
        raise refused(path, line, f"a quote is not closed in {shown(text)}; close it") from None


def _report(given: _Given, notes: list[str]) -> None:
    value = given.last("-r")
    if value is None:
        return
    if value.lstrip().startswith("-") and _number(value)[0] < 0:
        raise given.exits(14, f"-r: invalid interval {shown(value)}; it must not be negative")
    notes.append("-r only says how often earlyoom logs")


def _number(text: str) -> tuple[float, int]:
    """As ``strtod``: zero for what is no number."""
    try:
        return floating(text)
    except ValueError:
        return 0.0, 0


def _floors(given: _Given, percent: str, size: str, limit: float, code: int) -> list[_Floor]:
    """The lower of both counts where both are given, that is: it must be below the one and the other."""
    floors = []
    if (share := given.last(percent)) is not None:
        floors.append(_floor(given, percent, share, limit, code))
    if (kib := given.last(size)) is not None:
        # The limit is MemTotal or SwapTotal, which is not known here.
        floors.append(_floor(given, size, kib, inf, code)._replace(of=KIB))
    return floors or [_Floor(10.0, 5.0)]


def _floor(given: _Given, option: str, value: str, limit: float, code: int) -> _Floor:
    term_text, comma, kill_text = value.partition(",")
    try:
        term = _part(term_text, limit)
        kill = _part(kill_text, limit) if comma else term / 2
    except ValueError as error:
        raise given.exits(code, f"{option}: {error} in {shown(value)}") from None
    if not max(term, kill):
        raise given.exits(code, f"{option}: both values of {shown(value)} are zero; ask for more")
    return _Floor(max(term, kill), kill)


def _part(text: str, limit: float) -> float:
    number, took = _number(text)
    if took < len(text):
        raise ValueError(f"trailing garbage {shown(text[took:])}")
    if number > limit:
        raise ValueError(f"value {number:g} exceeds the limit {limit:g}")
    if number < 0:
        raise ValueError(f"value {number:g} is below zero")
    return number


def _choice(given: _Given, notes: list[str]) -> Choice:
    resident = given.last("--sort-by-rss") is not None
    key: RankKey = "rss" if resident else "oom-score"
    tie: RankKey = "oom-score" if resident else "rss"
    step = _BYTES if resident else _POINTS
    adjust = tuple(
        (entry, sign * step)
        for option, sign in (("--prefer", 1), ("--avoid", -1))
        for entry in _named(given, option)
    )
    if given.last("--kernel-oom") is not None:
        notes.append(
            "--kernel-oom: the kernel is not asked to choose; the victim is the one that it would take"
        )
        key, tie, adjust = "badness", "rss", ()
    omit = ("adj<=-1000", *_named(given, "--ignore"))
    if given.last("--ignore-root-user") is not None:
        omit = (*omit, "uid:0")
    ranking = Ranking((Weight(key),), _ANY, ties=(tie,), adjust=adjust)
    return Choice(("/**", "/"), "process", ranking, Preferences(omit=omit, xattrs=()))


def _named(given: _Given, option: str) -> tuple[str, ...]:
    pattern = given.last(option)
    if pattern is None:
        return ()
    try:
        return (f"comm~{python_regex(pattern)}",)
    except ValueError as error:
        raise given.exits(6, f"could not compile regexp {shown(pattern)}: {error}") from None


def _hook(given: _Given, notes: list[str]) -> tuple[str, ...]:
    if given.last("-N"):
        notes.append("-N: memwarden runs nothing after a kill; its decisions are in the journal")
    program = given.last("-P")
    if program and not program.startswith("/"):
        notes.append("-P: not an absolute path, so that earlyoom does not run it either")
        return ()
    return (program,) if program else ()


def _rule(
    name: str, choice: Choice, hook: tuple[str, ...], memory: list[_Floor], swap: list[_Floor], *, dry: bool
) -> Rule:
    term = name == "term"
    detectors: list[Detector] = [Available(floor.amount(term), "user", inclusive=True) for floor in memory]
    detectors += [SwapFree(floor.amount(term), without_swap=True, inclusive=True) for floor in swap]
    kill = DoKill(
        choice,
        term_us=_DEATH_US if term else 0,
        hook=hook,
        hook_limit_us=_HOOK_US,
        hook_meanwhile="nothing",
        within_us=_DEATH_US,
        even_without_need=True,
        dry=dry,
        escalate=False,
    )
    return Rule(
        name, (Group(f"memory and swap below their {name} values", tuple(detectors)),), (kill,), pause_us=0
    )
