"""What is wrong with a document, and where: collected, since all of it is said and not the first only."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memwarden.words.lines import Path


class Origin(NamedTuple):
    """Where something stands. ``line`` counts from 1; ``None`` where it is not known."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Problem(NamedTuple):
    """One thing that is wrong; a warning does not keep the document from being used."""

    origin: Origin
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.origin}: {'warning: ' if self.warning else ''}{self.text}"


class Place(NamedTuple):
    """A spot in a document while it is read: its keys from the top, and what a person would call it."""

    file: str
    lines: Mapping[Path, int]
    problems: list[Problem]
    path: Path = ()
    title: str = ""
    files: Mapping[Path, str] = MappingProxyType({})
    """Where several files make one document: the file of a key, if it is not ``file``."""

    def at(self, *keys: str | int, title: str | None = None) -> Place:
        """A spot below this one."""
        return self._replace(path=self.path + keys, title=self.title if title is None else title)

    def under(self, key: str) -> Place:
        """A table below this one, which stands in the title."""
        return self.at(key, title=f"{self.title}: {key}")

    def origin(self) -> Origin:
        """File and line: the line of the nearest key that has one."""
        for end in range(len(self.path), 0, -1):
            line = self.lines.get(self.path[:end])
            if line is not None:
                return Origin(self.files.get(self.path[:end], self.file), line or None)
        return Origin(self.file)

    def wrong(self, text: str, *, warning: bool = False) -> None:
        """Note that something is wrong here."""
        where = f"{self.title}: " if self.title else ""
        self.problems.append(Problem(self.origin(), where + text, warning))
