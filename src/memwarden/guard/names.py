"""Entries that name cgroups and processes: in marks, in the lists of whom nobody kills, in adjustments.

An entry is a glob of cgroups (``/system.slice/*.service``, ``postgresql*.service``), ``cgroup~REGEX``,
``comm:GLOB``, ``comm~REGEX``, ``uid:N``, ``uid~REGEX`` or ``adj<=N``. A glob that begins with ``/`` is
matched from the root, another one at any depth; ``*``, ``?`` and ``[...]`` stay within one level, ``**`` is
any number of levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.state.cgroup import parent_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memwarden.state.process import Process

_CACHED: Final = 1 << 14
"""Answers kept; a machine that makes cgroups all the time must not fill memory."""


class Names:
    """Some entries, compiled. Answers are remembered, since most cgroups live longer than a tick.

    Raises :class:`InputError` for a regular expression or a number that is none.
    """

    __slots__ = ("_globs", "_of_path", "_processes", "_regexes", "speak_of_processes")

    def __init__(self, entries: Iterable[str]) -> None:
        self._globs: list[tuple[str, tuple[str, ...]]] = []
        self._regexes: list[tuple[str, Callable[[str], object]]] = []
        self._processes: list[tuple[str, Callable[[Process], object]]] = []
        self._of_path: dict[str, tuple[str | None, str | None]] = {}
        for entry in entries:
            self._add(entry)
        self.speak_of_processes = bool(self._processes)

    def __bool__(self) -> bool:
        return bool(self._globs or self._regexes or self._processes)

    def _add(self, entry: str) -> None:
        if entry.startswith("comm:"):
            pattern = entry[5:]
            self._processes.append((entry, lambda process: fits(pattern, process.comm)))
        elif entry.startswith("comm~"):
            search = _regex(entry, entry[5:])
            self._processes.append((entry, lambda process: search(process.comm)))
        elif entry.startswith("uid:"):
            uid = _number(entry, entry[4:])
            self._processes.append((entry, lambda process: process.uid == uid))
        elif entry.startswith("uid~"):
            search = _regex(entry, entry[4:])
            self._processes.append(
                (entry, lambda process: process.uid is not None and search(str(process.uid)))
            )
        elif entry.startswith("adj<="):
            most = _number(entry, entry[5:])
            self._processes.append(
                (entry, lambda process: process.oom_score_adj is not None and process.oom_score_adj <= most)
            )
        elif entry.startswith("cgroup~"):
            self._regexes.append((entry, _regex(entry, entry[7:])))
        else:
            self._globs.append((entry, glob_parts(entry)))

    def of_path(self, path: str) -> str | None:
        """The first entry that names this cgroup itself."""
        return self._look(path)[0]

    def of_path_or_above(self, path: str) -> str | None:
        """The first entry that names this cgroup or one above it; a regular expression sees its path only."""
        return self._look(path)[1]

    def _look(self, path: str) -> tuple[str | None, str | None]:
        known = self._of_path.get(path)
        if known is None:
            if len(self._of_path) >= _CACHED:
                self._of_path.clear()
            own = self._glob(path)
            inherited, above = own, parent_path(path)
            while inherited is None and above is not None:
                inherited, above = self._glob(above), parent_path(above)
            searched = next((entry for entry, search in self._regexes if search(path)), None)
            known = self._of_path[path] = (own or searched, inherited or searched)
        return known

    def _glob(self, path: str) -> str | None:
        if not self._globs:
            return None
        parts = path_parts(path)
        return next((entry for entry, pattern in self._globs if matches(pattern, parts)), None)

    def of_process(self, process: Process) -> str | None:
        """The first entry that names this process by what it is, whatever cgroup it is in."""
        return next((entry for entry, holds in self._processes if holds(process)), None)


def _regex(entry: str, pattern: str) -> Callable[[str], object]:
    import re  # noqa: PLC0415 - only a policy that has such an entry pays for the module

    try:
        return re.compile(pattern).search
    except re.error as error:
        raise InputError(
            f"{entry!r}: not a regular expression ({error}); a glob is written comm:GLOB"
        ) from None


def _number(entry: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{entry!r}: {text!r} is no number") from None


def path_parts(path: str) -> tuple[str, ...]:
    """The components of a cgroup's path; the root has none."""
    return tuple(path[1:].split("/")) if path != "/" else ()


def glob_parts(glob: str) -> tuple[str, ...]:
    """The components of a glob; one that does not begin with ``/`` may begin at any depth."""
    parts = tuple(part for part in glob.split("/") if part)
    return parts if glob.startswith("/") else ("**", *parts)


def matches(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether the components of a path fit those of a glob.

    >>> matches(glob_parts("b*"), path_parts("/a/bc")), matches(glob_parts("/b*"), path_parts("/a/bc"))
    (True, False)
    """
    # Positions in the pattern that the components so far may have led to: no backtracking, whatever it holds.
    states = _beyond_spans(pattern, {0})
    for part in parts:
        found = set()
        for state in states:
            if state < len(pattern):
                if pattern[state] == "**":
                    found.add(state)
                elif fits(pattern[state], part):
                    found.add(state + 1)
        states = _beyond_spans(pattern, found)
    return len(pattern) in states


def _beyond_spans(pattern: tuple[str, ...], states: set[int]) -> set[int]:
    waiting = list(states)
    while waiting:
        state = waiting.pop()
        if state < len(pattern) and pattern[state] == "**" and state + 1 not in states:
            states.add(state + 1)
            waiting.append(state + 1)
    return states


def fits(pattern: str, text: str) -> bool:
    """Whether a whole text fits a pattern of ``*``, ``?`` and ``[...]``, as ``fnmatch.fnmatchcase`` has it.

    Without a regular expression, which would cost the guard's process the module.

    >>> fits("web-[0-9]*", "web-7"), fits("web-[!0-9]*", "web-7")
    (True, False)
    """
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
            continue
        length = _one(pattern, at, text[here]) if at < len(pattern) else 0
        if length:
            at += length
            here += 1
        elif star < 0:
            return False
        else:  # the last star takes one character more
            resume += 1
            at, here = star + 1, resume
    return not pattern[at:].strip("*")


def _one(pattern: str, at: int, char: str) -> int:
    """How many characters of the pattern stand for this one; 0 when they do not."""
    if pattern[at] == "?":
        return 1
    if pattern[at] == "[":
        first = at + 2 if pattern[at + 1 : at + 2] == "!" else at + 1
        end = pattern.find("]", first + 1)  # a ] that comes first is one of the set
        if end > 0:
            return end + 1 - at if _in_set(pattern[first:end], char) != (first == at + 2) else 0
    return 1 if pattern[at] == char else 0


def _in_set(members: str, char: str) -> bool:
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            if members[at] <= char <= members[at + 2]:
                return True
            at += 3
        elif members[at] == char:
            return True
        else:
            at += 1
    return False
