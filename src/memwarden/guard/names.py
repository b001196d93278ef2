"""Entries that name cgroups and processes: in marks, in the lists of whom nobody kills, in adjustments.

An entry is a glob of cgroups (``/system.slice/*.service``, ``postgresql*.service``), ``cgroup~REGEX``,
``comm:GLOB``, ``comm~REGEX``, ``uid:N``, ``uid~REGEX`` or ``adj<=N``. A glob that begins with ``/`` is
matched from the root, another one at any depth; ``*``, ``?`` and ``[...]`` stay within one level, ``**`` is
any number of levels (:mod:`memwarden.guard.globs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memwarden.errors import InputError
from memwarden.guard.globs import Matcher, Name
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

    __slots__ = (
        "_by_first", "_comms", "_globs", "_of_comm", "_of_path", "_others", "_processes", "_regexes",
        "speak_of_processes",
    )  # fmt: skip

    def __init__(self, entries: Iterable[str]) -> None:
        self._globs: list[tuple[str, Matcher]] = []
        self._regexes: list[tuple[str, Callable[[str], object]]] = []
        self._comms: list[tuple[str, Callable[[str], object]]] = []
        self._processes: list[tuple[str, Callable[[Process], object]]] = []
        self._of_comm: dict[str, str | None] = {}
        self._of_path: dict[str, tuple[str | None, str | None]] = {}
        for entry in entries:
            self._add(entry)
        firsts = {entry[0] for entry, _ in self._globs if entry}
        self._by_first = {first: self._may_begin(first) for first in firsts}
        """The globs that may fit a path by the first character of its last name."""
        self._others = self._may_begin("")
        """Those that may fit whatever it begins with."""
        self.speak_of_processes = bool(self._comms or self._processes)

    def __bool__(self) -> bool:
        return bool(self._globs or self._regexes or self.speak_of_processes)

    def _may_begin(self, first: str) -> list[tuple[str, Matcher]]:
        return [one for one in self._globs if one[0][:1] in ("", first, "*", "?", "[") or "/" in one[0]]

    def _add(self, entry: str) -> None:
        if entry.startswith("comm:"):
            self._comms.append((entry, Name(entry[5:]).matches))
        elif entry.startswith("comm~"):
            self._comms.append((entry, _regex(entry, entry[5:])))
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
            self._globs.append((entry, Matcher((entry,))))

    def of_path(self, path: str) -> str | None:
        """The first entry that names this cgroup itself."""
        return self._look(path)[0]

    def of_path_or_above(self, path: str) -> str | None:
        """The first entry that names this cgroup or, failing that, the nearest above it that is named."""
        return self._look(path)[1]

    def _look(self, path: str) -> tuple[str | None, str | None]:
        known = self._of_path.get(path)
        if known is None:
            if len(self._of_path) >= _CACHED:
                self._of_path.clear()
            own = self._named(path)
            inherited, above = own, parent_path(path)
            while inherited is None and above is not None:
                if above in self._of_path:
                    inherited = self._of_path[above][1]
                    break
                inherited, above = self._named(above), parent_path(above)
            known = self._of_path[path] = (own, inherited)
        return known

    def _named(self, path: str) -> str | None:
        begin = path.rfind("/") + 1
        globs = self._by_first.get(path[begin : begin + 1], self._others)
        entry = next((entry for entry, matcher in globs if matcher.fits(path)), None)
        return entry or next((entry for entry, search in self._regexes if search(path)), None)

    def of_process(self, process: Process) -> str | None:
        """An entry that names this process by what it is, whatever cgroup it is in."""
        try:
            entry = self._of_comm[process.comm]
        except KeyError:
            if len(self._of_comm) >= _CACHED:
                self._of_comm.clear()
            # Another may come at any tick, as that of whoever is to die: most entries begin otherwise.
            firsts = ("*", "?", "[", process.comm[:1])
            may = [one for one in self._comms if one[0].startswith("comm~") or one[0][5:6] in firsts]
            entry = next((entry for entry, holds in may if holds(process.comm)), None)
            self._of_comm[process.comm] = entry
        return entry or next((entry for entry, holds in self._processes if holds(process)), None)

    def of_any(self, processes: Iterable[Process]) -> str | None:
        """An entry that names one of some processes."""
        return next((entry for process in processes if (entry := self.of_process(process))), None)


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


def is_glob(text: str) -> bool:
    """Whether anything in it stands for something else."""
    return any(sign in text for sign in "*?[")
