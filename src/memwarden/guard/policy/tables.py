"""Tables of a document to records, by the words; what is wrong is noted, and all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.guard import ir
from memwarden.guard.policy.kinds import quoted
from memwarden.guard.policy.near import nearest
from memwarden.guard.policy.quantities import WrongError, shown
from memwarden.guard.policy.words import ACTIONS, CHOOSING, DETECTORS, PREFERENCES, REQUIRED, default_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memwarden.guard.policy.problems import Place
    from memwarden.guard.policy.words import Key, Word

_DETECTORS = {word.name: word for word in DETECTORS}
_ACTIONS = {word.name: word for word in ACTIONS}


def values(word: Word, table: object, place: Place, *, others: Iterable[str] = ()) -> dict[Key, Any]:
    """What a table says, by key, as far as it is right; ``others`` are keys that somebody else reads."""
    if not isinstance(table, dict):
        place.wrong(f"{shown(table)} is not a table; write {word.name} = {{ {_sample(word)} }}")
        return {}
    found: dict[Key, Any] = {}
    for name, value in table.items():
        key = word.key_of(name)
        here = place.at(name)
        if key is not None:
            try:
                found[key] = key.kind.read(value)
            except WrongError as wrong:
                here.wrong(f"{name}: {wrong}")
        elif name not in others:
            spellings = [*(one.name for one in word.keys), *others]
            hint = nearest(name, spellings)
            known = "" if hint else f"; it has {', '.join(spellings)}" if spellings else "; it has none"
            here.wrong(f"{quoted(name)} is no key of {word.name}{hint}{known}")
    _missing(word, table, place)
    _twice(found, place)
    return found


def _sample(word: Word) -> str:
    return ", ".join(f"{key.name} = ..." for key in word.keys[:1])


def _missing(word: Word, table: dict[str, Any], place: Place) -> None:
    fields: dict[str, list[Key]] = {}
    for key in word.keys:
        if default_of(word, key) is REQUIRED:
            fields.setdefault(key.field, []).append(key)
    for keys in fields.values():
        if not any(key.name in table for key in keys):
            says = keys[0].kind.says.replace("`", "")
            place.wrong(f"{word.name} needs {' or '.join(key.name for key in keys)}, which is {says}")


def _twice(found: dict[Key, Any], place: Place) -> None:
    fields: dict[tuple[str, str], str] = {}
    for key in found:
        other = fields.setdefault((key.part, key.field), key.name)
        if other != key.name:
            place.at(key.name).wrong(f"{other} and {key.name} exclude each other; leave one away")


def fields(found: dict[Key, Any], part: str = "") -> dict[str, Any]:
    """The fields of one of a word's records that the keys fill."""
    filled: dict[str, Any] = {}
    for key, value in found.items():
        if key.part == part:
            filled[key.field] = value
            filled.update([key.also] if key.also else [])
    return filled


def detectors(table: dict[str, Any], place: Place) -> list[ir.Detector]:
    """What one ``[[rule.when]]`` looks for; several of one kind stand in a list."""
    found = []
    for name, value in table.items():
        if name == "name":
            continue
        word = _word(_DETECTORS, name, place.at(name), "a detector", ["name"])
        for one, here in _each(value, place.under(name)) if word else ():
            found.append(_record(word, one, here))
    return [one for one in found if one is not None]


def _each(value: object, place: Place) -> Iterator[tuple[object, Place]]:
    if isinstance(value, list):
        yield from ((one, place.at(number)) for number, one in enumerate(value))
    else:
        yield value, place


def _word(known: dict[str, Word], name: str, place: Place, what: str, others: list[str]) -> Word | None:
    word = known.get(name)
    if word is None:
        hint = nearest(name, [*known, *others]) or f"; there are {', '.join(known)}"
        place.wrong(f"{quoted(name)} is not {what}{hint}")
    return word


def _record(word: Any, table: object, place: Place) -> Any:
    before = len(place.problems)
    found = values(word, table, place)
    return None if len(place.problems) > before else word.record(**fields(found))


def action(table: object, place: Place, preferences: ir.Preferences) -> ir.Action | None:
    """The one action of a ``[[rule.do]]``; ``preferences`` hold where it has none of its own."""
    if not isinstance(table, dict) or len(table) != 1:
        place.wrong(
            "needs just one action, since actions run in order; write another [[rule.do]] for the next"
        )
        return None
    [(name, value)] = table.items()
    word = _word(_ACTIONS, name, place.at(name), "an action", [])
    if word is None:
        return None
    here = place.under(name)
    if word.record not in CHOOSING:
        made: ir.Action | None = _record(word, value, here)
        return made
    before = len(place.problems)
    found = values(word, value, here, others=["preferences"])
    own = value.get("preferences") if isinstance(value, dict) else None
    if own is not None:
        preferences = _record(PREFERENCES, own, here.under("preferences"))
    if len(place.problems) > before:
        return None
    ranking = ir.Ranking(**fields(found, "ranking"))
    choice = ir.Choice(**fields(found, "choice"), ranking=ranking, preferences=preferences)
    chosen: ir.Action = word.record(choice, **fields(found))
    return chosen
