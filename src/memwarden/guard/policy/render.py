"""A policy as TOML that loads to the same policy."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from memwarden.guard import ir
from memwarden.guard.never import BUILT_IN
from memwarden.guard.policy.sections import group_name
from memwarden.guard.policy.words import ACTION_OF, CHOOSING, DETECTOR_OF, GUARD, PREFERENCES, RULE
from memwarden.words.kinds import key, listed, quoted
from memwarden.words.word import default_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memwarden.guard.policy.load import Spot
    from memwarden.words.problems import Origin
    from memwarden.words.word import Key, Word

WIDTH: Final = 100
"""Columns that a table on one line may take; else its keys get a line each."""


def render(
    policy: ir.Policy,
    *,
    origins: Mapping[Spot, tuple[Origin, ...]] | None = None,
    protected: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """TOML; with ``origins``, each setting and section says where it came from.

    ``protected`` names the parts of ``policy.protect``, which is one section otherwise. Detectors of one kind
    stand together, whatever their order within a group was: all of them have to hold.
    """
    said = _Said(origins or {})
    common = _common_preferences(policy)
    if protected is None:
        protected = {"services": policy.protect} if policy.protect else {}
    parts = [_guard(policy, said), _preferences(common, said)]
    parts += [_protected(name, who, said) for name, who in protected.items()]
    parts += [_rule(rule, common, said) for rule in policy.rules]
    return "\n".join("\n".join(lines) + "\n" for lines in parts if lines)


class _Said:
    def __init__(self, origins: Mapping[Spot, tuple[Origin, ...]]) -> None:
        self._origins = origins

    def __call__(self, section: str, name: str) -> str:
        found = self._origins.get((section, name), ())
        return f"  # {', '.join(str(one) for one in found)}" if found else ""


def _guard(policy: ir.Policy, said: _Said) -> list[str]:
    allowed = tuple(mark for mark in BUILT_IN if mark not in policy.never)
    own = policy._replace(never=tuple(mark for mark in policy.never if mark not in BUILT_IN))
    lines = ["[guard]"]
    lines += [f"{name} = {value}{said('guard', name)}" for name, value in _settings(GUARD, own)]
    if allowed:
        lines.append(f"allow_kill_of = {listed(allowed)}{said('guard', 'allow_kill_of')}")
    return lines


def _preferences(preferences: ir.Preferences, said: _Said) -> list[str]:
    found = list(_settings(PREFERENCES, preferences))
    lines = [f"{name} = {value}{said('preferences', name)}" for name, value in found]
    return ["[preferences]", *lines] if lines else []


def _protected(name: str, who: tuple[str, ...], said: _Said) -> list[str]:
    return [f"[protect.{key(name)}]{said('protect', name)}", f"who = {listed(who)}"]


def _rule(rule: ir.Rule, common: ir.Preferences, said: _Said) -> list[str]:
    lines = [f"[[rule]]{said('rule', rule.name)}"]
    lines += [f"{name} = {value}" for name, value in _settings(RULE, rule)]
    for group in rule.groups:
        lines += ["", *_group(group)]
    for action in rule.actions:
        lines += ["", "[[rule.do]]", *_action(action, common)]
    return lines


def _group(group: ir.Group) -> list[str]:
    lines = ["[[rule.when]]"]
    if group.name != group_name(group.detectors):
        lines.append(f"name = {quoted(group.name)}")
    several: dict[str, list[str]] = {}
    for detector in group.detectors:
        word = DETECTOR_OF[type(detector)]
        several.setdefault(word.name, []).append(_inline(_settings(word, detector)))
    for name, tables in several.items():
        lines += [f"{name} = {tables[0]}"] if len(tables) == 1 else _list_of(name, tables)
    return lines


def _list_of(name: str, tables: list[str]) -> list[str]:
    return [f"{name} = [", *(f"  {table}," for table in tables), "]"]


def _action(action: ir.Action, common: ir.Preferences) -> list[str]:
    word = ACTION_OF[type(action)]
    settings = list(_settings(word, action))
    if isinstance(action, CHOOSING) and action.choice.preferences != common:
        settings.append(("preferences", _inline(_settings(PREFERENCES, action.choice.preferences))))
    line = f"{word.name} = {_inline(settings)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"[rule.do.{word.name}]", *(f"{name} = {value}" for name, value in settings)]


def _inline(settings: Any) -> str:
    pairs = ", ".join(f"{name} = {value}" for name, value in settings)
    return f"{{ {pairs} }}" if pairs else "{}"


def _settings(word: Word, record: Any) -> Iterator[tuple[str, str]]:
    """The keys that are needed to say what a record is, with their values as TOML."""
    for one in word.keys:
        value = _value(one, record)
        also = one.also is None or getattr(record, one.also[0]) == one.also[1]
        if also and value is not None and value != default_of(word, one):
            yield one.name, one.kind.write(value)


def _value(one: Key, record: Any) -> Any:
    if one.part:
        choice = record.choice
        return getattr(choice if one.part == "choice" else choice.ranking, one.field)
    return getattr(record, one.field, None)


def _common_preferences(policy: ir.Policy) -> ir.Preferences:
    counts = Counter(
        action.choice.preferences
        for rule in policy.rules
        for action in rule.actions
        if isinstance(action, CHOOSING)
    )
    return counts.most_common(1)[0][0] if counts else ir.Preferences()
