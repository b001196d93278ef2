"""Detectors and actions to records, by the words; what is wrong is noted, and all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwarden.guard import ir
from memwarden.guard.policy.words import ACTIONS, CHOOSING, DETECTORS, PREFERENCES
from memwarden.words.kinds import quoted
from memwarden.words.near import nearest
from memwarden.words.tables import fields, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.words.problems import Place
    from memwarden.words.word import Word

_DETECTORS = {word.name: word for word in DETECTORS}
_ACTIONS = {word.name: word for word in ACTIONS}


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
