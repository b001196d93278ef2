"""Texts to a policy: each is read by itself, and what a later one says goes over what an earlier one said.

A rule or a protected service replaces the earlier one of its name, in its place; ``remove = true`` takes
it away. Single settings replace; lists of marks are added to, so that a drop-in does not lose whom
another spares, and an empty list empties them. ``never`` only grows: ``allow_kill_of`` alone takes an
entry of the built-in list out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from memwarden.guard import ir
from memwarden.guard.never import resolve
from memwarden.guard.policy import document, sections
from memwarden.guard.policy.words import GUARD, PREFERENCES
from memwarden.words import tables
from memwarden.words.document import section
from memwarden.words.near import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memwarden.guard.policy.document import Entry
    from memwarden.words.document import Document, Text
    from memwarden.words.problems import Origin, Problem
    from memwarden.words.word import Word

Spot: TypeAlias = tuple[str, str]
"""A section (``guard``, ``preferences``, ``protect``, ``rule``) and the key or name within."""
ADDED_UP: Final = frozenset({"never", "allow_kill_of", "notes", "prefer", "avoid", "omit"})
ONLY_GROW: Final = frozenset({"never", "allow_kill_of"})


class Loaded(NamedTuple):
    """What texts say together.

    ``policy`` is ``None`` when one of the ``problems`` is more than a warning. ``origins``: where each
    setting, service and rule came from. ``protected``: whom each ``[protect.NAME]`` names.
    """

    policy: ir.Policy | None
    problems: tuple[Problem, ...]
    origins: Mapping[Spot, tuple[Origin, ...]]
    protected: Mapping[str, tuple[str, ...]]


def load(texts: Iterable[Text], *, name: str) -> Loaded:
    """Read a policy from its files, in order; ``name`` is what it is called where it does not say so."""
    problems: list[Problem] = []
    loading = _Loading([document.parse(text, problems) for text in texts])
    policy = loading.policy(name)
    right = all(problem.warning for problem in problems)
    order = sorted(problems, key=lambda problem: _position(problem, loading.documents))
    return Loaded(policy if right else None, tuple(order), loading.origins, loading.protected)


def _position(problem: Problem, documents: list[Document]) -> tuple[int, int]:
    files = [one.place.file for one in documents]
    return files.index(problem.origin.file), problem.origin.line or 0


class _Loading:
    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents
        self.origins: dict[Spot, tuple[Origin, ...]] = {}
        self.protected: dict[str, tuple[str, ...]] = {}

    def policy(self, name: str) -> ir.Policy:
        guard = self._settings(GUARD)
        allowed = guard.pop("allow_kill_of", ())
        preferences = ir.Preferences(**self._settings(PREFERENCES))
        protected = self._protected(preferences)
        self.protected = {one: kept.who for one, kept in protected.items()}
        return ir.Policy(
            name=guard.pop("name", name),
            rules=self._rules(protected, preferences),
            never=resolve(guard.pop("never", ()), allowed),
            protect=tuple(dict.fromkeys(mark for kept in protected.values() for mark in kept.who)),
            **guard,
        )

    def _settings(self, word: Word) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for one in self.documents:
            table, place = section(one, word.name)
            for key, value in tables.values(word, table, place).items():
                spot, origin = (word.name, key.name), place.at(key.name).origin()
                if key.field in ADDED_UP and (value or key.field in ONLY_GROW):
                    filled[key.field] = tuple(dict.fromkeys((*filled.get(key.field, ()), *value)))
                    self.origins[spot] = (*self.origins.get(spot, ()), origin)
                else:
                    filled[key.field] = value
                    self.origins[spot] = (origin,)
        return filled

    def _protected(self, preferences: ir.Preferences) -> dict[str, sections.Protected]:
        found: dict[str, sections.Protected | None] = {}
        for one in self.documents:
            for entry in document.protected(one):
                if self._goes(entry, "protect", found):
                    found[entry.name] = sections.protected(entry.name, entry.table, entry.place, preferences)
        return {name: kept for name, kept in found.items() if kept is not None}

    def _rules(
        self, protected: Mapping[str, sections.Protected], preferences: ir.Preferences
    ) -> tuple[ir.Rule, ...]:
        found: dict[str, ir.Rule | None] = {}
        for name, kept in protected.items():
            if kept.rule is not None:
                found[kept.rule.name] = kept.rule
                self.origins["rule", kept.rule.name] = self.origins["protect", name]
        for one in self.documents:
            seen: set[str] = set()
            for entry in document.rules(one):
                if entry.name and entry.name in seen:
                    entry.place.wrong("is there twice in this file; give each rule a name of its own")
                seen.add(entry.name)
                if self._goes(entry, "rule", found):
                    found[entry.name] = sections.rule(entry.table, entry.place, preferences)
        return tuple(rule for rule in found.values() if rule is not None)

    def _goes(self, entry: Entry, section: str, found: dict[str, Any]) -> bool:
        """Whether an entry says something; one that takes an earlier one back is done here."""
        spot = (section, entry.name)
        if not entry.remove:
            self.origins[spot] = (entry.place.origin(),)
            return True
        if entry.name not in found:
            entry.place.wrong(f"there is nothing of this name to remove{nearest(entry.name, found)}")
        found.pop(entry.name, None)
        self.origins.pop(spot, None)
        return False
