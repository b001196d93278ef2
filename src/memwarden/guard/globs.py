"""Globs over paths of cgroups, as :mod:`memwarden.guard.ir` words them, compiled once and kept over ticks.

``*``, ``?`` and ``[...]`` mean within one name what they mean to fnmatch; ``**`` as a name of its own stands
for any number of levels, and at the end for at least one: ``/a/**`` is what is below ``/a``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

from memwarden.state.cgroup import Cgroup
from memwarden.state.snapshot import Snapshot

_Item = TypeVar("_Item")
_Pattern = TypeVar("_Pattern")
_Globs: TypeAlias = tuple[str, ...]

EVERYTHING: Final = frozenset(("/**", "**"))
"""Globs that choose among all cgroups."""
_DEEP: Final = "**"
_STAR: Final = "*"
_MANY: Final = 4096
"""Paths that are remembered beyond those that exist, before all are forgotten."""
_MADE: Final = 256
"""Matchers that are kept: a policy has fewer, and each cgroup that meets its limit makes one more."""


def literal(path: str) -> str:
    """A glob that matches just this path.

    >>> literal("/a[1]/*")
    '/a[[]1]/[*]'
    """
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def wild(
    items: Sequence[_Item],
    patterns: Sequence[_Pattern],
    many: _Pattern,
    matches: Callable[[_Item, _Pattern], bool],
) -> bool:
    """Whether patterns match items one by one, ``many`` standing for any number of them.

    Only the last ``many`` is tried again: whatever an earlier one took, the later have the same choice.
    """
    item = pattern = 0
    back = resume = -1
    while item < len(items):
        if pattern < len(patterns) and patterns[pattern] is many:
            back, resume = pattern, item
            pattern += 1
        elif pattern < len(patterns) and matches(items[item], patterns[pattern]):
            item += 1
            pattern += 1
        elif back >= 0:
            resume += 1
            item, pattern = resume, back + 1
        else:
            return False
    return all(left is many for left in patterns[pattern:])


class Name:
    """A pattern for one name: characters, and what stands for a character (``None`` for any) or for many."""

    __slots__ = ("_parts",)

    def __init__(self, text: str) -> None:
        self._parts = tuple(_parts(text))

    def matches(self, name: str) -> bool:
        """Whether it is this name."""
        return wild(name, self._parts, _STAR, _matches_character)


class Set:
    """``[a-z]``: some characters, or all others."""

    __slots__ = ("negate", "ranges")

    def __init__(self, text: str) -> None:
        self.negate = text.startswith("!")
        body = text[self.negate :]
        self.ranges: list[tuple[str, str]] = []
        at = 0
        while at < len(body):
            width = 3 if body[at + 1 : at + 2] == "-" and at + 2 < len(body) else 1
            self.ranges.append((body[at], body[at + width - 1]))
            at += width

    def has(self, character: str) -> bool:
        """Whether the character is in it."""
        return any(low <= character <= high for low, high in self.ranges) is not self.negate


class Literal:
    """One character that is meant as it stands."""

    __slots__ = ("character",)

    def __init__(self, character: str) -> None:
        self.character = character


_LITERALS: Final[dict[str, Literal]] = {}
"""By their characters: all patterns together use few."""
_Part: TypeAlias = "str | Set | Literal | None"


def _parts(text: str) -> Iterable[_Part]:
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "[":
            # A bracket that comes first is meant as it stands, and one that is never closed too.
            closing = text.find("]", at + 1 + text.startswith("!", at))
            if closing > 0:
                yield Set(text[at:closing])
                at = closing + 1
                continue
        if character == "*":
            yield _STAR
        else:
            yield None if character == "?" else _LITERALS.setdefault(character, Literal(character))


def _matches_character(character: str, part: _Part) -> bool:
    if isinstance(part, Set):
        return part.has(character)
    return part is None or (isinstance(part, Literal) and part.character == character)


_Level: TypeAlias = str | Name


def _levels(glob: str, scope: str | None) -> tuple[_Level, ...] | None:
    """A glob as patterns of one level each, literal ones as text; ``None``: relative, to nothing."""
    names = [name for name in glob.split("/") if name]
    levels: list[_Level] = []
    if names[:1] == ["."]:
        if scope is None:
            return None
        levels += [name for name in scope.split("/") if name]
        names = names[1:]
    elif not glob.startswith("/"):
        levels.append(_DEEP)
    levels += [_level(name) for name in names]
    if names[-1:] == [_DEEP]:
        levels.insert(-1, Name("*"))
    return tuple(levels)


def _level(name: str) -> _Level:
    if name == _DEEP:
        return _DEEP
    return Name(name) if any(sign in name for sign in "*?[") else name


def _matches_level(name: str, level: _Level) -> bool:
    return level.matches(name) if isinstance(level, Name) else level == name


def is_relative(globs: _Globs) -> bool:
    """Whether any of the globs starts from the cgroup of a rule that is run once per cgroup."""
    return any(glob == "." or glob.startswith("./") for glob in globs)


class Matcher:
    """A set of globs, and for which paths it is known already whether any of them matches."""

    __slots__ = ("_among", "_known", "_most", "_names", "_paths", "_patterns")

    def __init__(self, globs: _Globs, scope: str | None = None) -> None:
        self._known: dict[str, bool] = {}
        self._most = _MANY
        self._names: list[str] = []
        self._among: list[str] = []
        """Those of ``_names`` that match: who is there seldom changes."""
        self._patterns: list[tuple[_Level, ...]] = []
        paths: dict[str, None] = {}
        for glob in globs:
            levels = _levels(glob, scope)
            names = [level for level in levels or () if isinstance(level, str) and level is not _DEEP]
            if levels is not None and len(names) == len(levels):
                paths["/" + "/".join(names)] = None
            elif levels is not None:
                self._patterns.append(levels)
        self._paths = tuple(paths)

    def matches(self, path: str) -> bool:
        """Whether any of the globs matches the path."""
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= self._most:
                self._known.clear()
            known = self._known[path] = self.fits(path)
        return known

    def fits(self, path: str) -> bool:
        """The same without remembering the answer."""
        if path in self._paths:
            return True
        names = [name for name in path.split("/") if name]
        return any(wild(names, levels, _DEEP, _matches_level) for levels in self._patterns)

    def among(self, snapshot: Snapshot, scope: str | None = None) -> tuple[Cgroup, ...]:
        """Those that match, in the order of the snapshot, or of the globs when they are plain paths.

        ``scope``: all of the globs start from there, so that nothing else is looked at.
        """
        cgroups = snapshot.cgroups
        if not self._patterns:
            return tuple([cgroups[path] for path in self._paths if path in cgroups])
        if scope is not None:
            return tuple([cgroup for cgroup in snapshot.subtree(scope) if self.fits(cgroup.path)])
        names = list(cgroups)
        if names != self._names:
            self._most = len(cgroups) + _MANY
            self._names, self._among = names, [path for path in names if self.matches(path)]
        return tuple([cgroups[path] for path in self._among])


class Matchers:
    """Matchers by their globs; what it takes to look for cgroups once per tick."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[_Globs, Matcher] = {}

    def of(self, globs: _Globs, scope: str | None = None) -> Matcher:
        """The matcher, made at the first call; those of relative globs are made anew, for they are many."""
        if is_relative(globs):
            return Matcher(globs, scope)
        matcher = self._made.get(globs)
        if matcher is None:
            if len(self._made) >= _MADE:
                self._made.clear()
            matcher = self._made[globs] = Matcher(globs)
        return matcher
