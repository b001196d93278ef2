"""On which line each key of a TOML document stands, which ``tomllib`` does not say.

A small scanner walks a document that ``tomllib`` has accepted. What it found is used only when it has exactly
the keys of the parsed document: about a document that it does not understand it says nothing.
"""

from __future__ import annotations

import re
import tomllib
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from memwarden.errors import MemwardenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the top; numbers count the elements of a list from 0."""

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?""""{0,2}|\'\'\'.*?\'\'\'\'{0,2}|"(?:\\.|[^"\\\n])*"|'[^'\n]*\'''', re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


class _LostError(MemwardenError):
    """The scanner does not understand the text."""


class _DeepError(MemwardenError):
    """A key so far below the top."""


def line_index(text: str, tree: Mapping[str, object]) -> dict[Path, int]:
    """The line of each key and each element of a list, counted from 1; empty where that is not certain."""
    try:
        found = _Scanner(text.replace("\r\n", "\n")).lines()
        return found if found.keys() == set(_paths(tree, ())) else {}
    except (_LostError, tomllib.TOMLDecodeError, RecursionError):
        return {}


def line_of_depth(text: str, levels: int) -> int | None:
    """The line of the first key so many levels below the top, in a text that ``tomllib`` may give up."""
    scanner = _Scanner(text.replace("\r\n", "\n"), levels)
    try:
        scanner.lines()
    except _DeepError:
        return scanner.line
    except (_LostError, tomllib.TOMLDecodeError):
        return None
    return None


def _paths(value: object, at: Path) -> Iterator[Path]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in below:
        yield (*at, key)
        yield from _paths(one, (*at, key))


class _Scanner:
    def __init__(self, text: str, levels: float = inf) -> None:
        self._text = text
        self._levels = levels
        self._at = 0
        self.line = 1
        """Of the last key."""
        self._counted = 0
        self._found: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # how many [[headers]] of each name there were

    def lines(self) -> dict[Path, int]:
        table: Path = ()
        self._take(_BETWEEN)
        while self._at < len(self._text):
            if self._next("["):
                table = self._header()
            else:
                self._pair(table)
            self._take(_BETWEEN)
        return self._found

    def _header(self) -> Path:
        several = self._next("[")
        path: Path = ()
        keys = self._key()
        for key in keys[:-1]:
            path = self._last(self._note((*path, key)))
        path = self._note((*path, keys[-1]))
        if several:
            self._tables[path] = self._tables.get(path, 0) + 1
            path = self._note(self._last(path))
        self._expect("]" * (1 + several))
        return path

    def _last(self, path: Path) -> Path:
        count = self._tables.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._key():
            path = self._note((*path, key))
        self._expect("=")
        self._value(path)

    def _key(self) -> list[str]:
        keys: list[str] = []
        while not keys or self._next("."):
            self._take(_BLANK)
            quoted = self._text.startswith(('"', "'"), self._at)
            word = self._take(_STRING if quoted else _BARE)
            keys.append(str(tomllib.loads(f"x={word}")["x"]) if quoted else word)
            self._take(_BLANK)
        return keys

    def _value(self, path: Path) -> None:
        self._take(_BLANK)
        if self._next("["):
            self._list(path)
        elif self._next("{"):
            self._inline(path)
        else:
            self._take(_STRING if self._text.startswith(('"', "'"), self._at) else _SCALAR)

    def _list(self, path: Path) -> None:
        number = 0
        self._take(_BETWEEN)
        while not self._next("]"):
            self._value(self._note((*path, number)))
            number += 1
            self._take(_BETWEEN)
            self._next(",")
            self._take(_BETWEEN)

    def _inline(self, path: Path) -> None:
        self._take(_BETWEEN)
        while not self._next("}"):
            self._pair(path)
            self._take(_BETWEEN)
            self._next(",")
            self._take(_BETWEEN)

    def _note(self, path: Path) -> Path:
        self.line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        if len(path) >= self._levels:
            raise _DeepError
        self._found.setdefault(path, self.line)
        return path

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError(self._text[self._at : self._at + 20])
        self._at = found.end()
        return found[0]

    def _next(self, sign: str) -> bool:
        there = self._text.startswith(sign, self._at)
        self._at += there
        return there

    def _expect(self, signs: str) -> None:
        for sign in signs:
            if not self._next(sign):
                raise _LostError(sign)
