"""The sections of a policy, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.words import document
from memwarden.words.document import section
from memwarden.words.kinds import FLAG, quoted
from memwarden.words.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memwarden.words.document import Document, Text
    from memwarden.words.problems import Place, Problem

SECTIONS: Final = ("guard", "preferences", "protect", "rule")
THERE: Final = "[guard], [preferences], [protect.NAME] and [[rule]]"


class Entry(NamedTuple):
    """A named table of a document, with its place; ``remove``: what an earlier file said is taken back."""

    name: str
    table: dict[str, Any]
    place: Place
    remove: bool


def parse(text: Text, problems: list[Problem]) -> Document:
    """Read a text; one that is no TOML has no tables."""
    return document.parse(text, problems, SECTIONS, what="a policy", there=THERE)


def protected(parsed: Document) -> Iterator[Entry]:
    """The ``[protect.NAME]`` tables."""
    tables, place = section(parsed, "protect")
    for name, table in tables.items():
        here = place.at(name, title=f"[protect.{name}]")
        if isinstance(table, dict):
            yield Entry(name, table, here, _remove(table, here, "remove"))
        else:
            here.wrong(f"{shown(table)} is not a table; write [protect.NAME] with a name for the service")


def rules(parsed: Document) -> Iterator[Entry]:
    """The ``[[rule]]`` tables."""
    tables = parsed.tree.get("rule", [])
    place = parsed.place.at("rule")
    if not isinstance(tables, list):
        place.wrong(f"rule is {shown(tables)}; write [[rule]] with two brackets")
        return
    for number, table in enumerate(tables):
        if not isinstance(table, dict):
            place.at(number).wrong(f"rule is {shown(table)}; write [[rule]] and its keys below")
            continue
        name = table.get("name")
        title = f"rule {quoted(name)}" if isinstance(name, str) else f"rule {number + 1}"
        here = place.at(number, title=title)
        yield Entry(
            name if isinstance(name, str) else "", table, here, _remove(table, here, "remove", "name")
        )


def _remove(table: dict[str, Any], place: Place, *may_stand: str) -> bool:
    try:
        remove: bool = FLAG.read(table.get("remove", False))
    except WrongError as wrong:
        place.at("remove").wrong(f"remove: {wrong}")
        return False
    if remove and table.keys() - set(may_stand):
        place.at("remove").wrong("remove = true stands alone; to replace, leave it away")
        return False
    return remove
