"""Tables of a document to records, by the words; what is wrong is noted, and all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.words.kinds import quoted
from memwarden.words.near import nearest
from memwarden.words.quantities import WrongError, shown
from memwarden.words.word import REQUIRED, default_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwarden.words.problems import Place
    from memwarden.words.word import Key, Word


def values(word: Word, table: object, place: Place, *, others: Iterable[str] = ()) -> dict[Key, Any]:
    """What a table says, by key, as far as it is right; ``others`` are keys that somebody else reads."""
    if not isinstance(table, dict):
        place.wrong(f"{shown(table)} is not a table; write {word.name} = {{ {_sample(word)} }}")
        return {}
    found: dict[Key, Any] = {}
    strange: list[str] = []
    for name, value in table.items():
        key = word.key_of(name)
        here = place.at(name)
        if key is not None:
            try:
                found[key] = key.kind.read(value)
            except WrongError as wrong:
                here.wrong(f"{name}: {wrong}")
        elif name not in others:
            strange.append(name)
            spellings = [*(one.name for one in word.keys), *others]
            hint = nearest(name, spellings)
            known = "" if hint else f"; it has {', '.join(spellings)}" if spellings else "; it has none"
            here.wrong(f"{quoted(name)} is no key of {word.name}{hint}{known}")
    _missing(word, table, strange, place)
    _twice(found, place)
    return found


def _sample(word: Word) -> str:
    return ", ".join(f"{key.name} = ..." for key in word.keys[:1])


def _missing(word: Word, table: dict[str, Any], strange: list[str], place: Place) -> None:
    """Note what has to be there, but for what a strange key was already said to be meant for."""
    fields: dict[str, list[Key]] = {}
    for key in word.keys:
        if default_of(word, key) is REQUIRED:
            fields.setdefault(key.field, []).append(key)
    for keys in fields.values():
        if not any(key.name in table or any(nearest(one, [key.name]) for one in strange) for key in keys):
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
