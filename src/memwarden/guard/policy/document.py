"""One text of a policy: parsed, with its lines, and its sections told apart."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.guard.policy.kinds import FLAG, quoted
from memwarden.guard.policy.lines import line_index
from memwarden.guard.policy.near import nearest
from memwarden.guard.policy.problems import Origin, Place, Problem
from memwarden.guard.policy.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS: Final = ("guard", "preferences", "protect", "rule")
AT_END: Final = " (at end of document)"
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")


class Text(NamedTuple):
    """A file of a policy: its name as a person knows it, and what is in it."""

    name: str
    text: str


class Document(NamedTuple):
    """The tables of a text, and where it starts."""

    tree: dict[str, Any]
    place: Place


class Entry(NamedTuple):
    """A named table of a document, with its place; ``remove``: what an earlier file said is taken back."""

    name: str
    table: dict[str, Any]
    place: Place
    remove: bool


def parse(text: Text, problems: list[Problem]) -> Document:
    """Read a text; one that is no TOML has no tables."""
    try:
        tree = tomllib.loads(text.text)
    except RecursionError:
        problems.append(Problem(Origin(text.name), "is nested too deeply; a policy needs five levels"))
        return Document({}, Place(text.name, {}, problems))
    except ValueError as error:  # TOMLDecodeError, and of int() that a number has too many digits
        line = _AT_LINE.search(str(error))
        at = int(line[1]) if line else None
        said = _AT_LINE.sub("", str(error))
        if said.endswith(AT_END):
            said, at = said.removesuffix(AT_END), text.text.count("\n") + 1
        problems.append(Problem(Origin(text.name, at), f"is not TOML: {said[:1].lower()}{said[1:]}"))
        return Document({}, Place(text.name, {}, problems))
    document = Document(tree, Place(text.name, line_index(text.text, tree), problems))
    for name in tree.keys() - set(SECTIONS):
        hint = nearest(name, SECTIONS) or "; there are [guard], [preferences], [protect.NAME] and [[rule]]"
        document.place.at(name).wrong(f"{quoted(name)} is no section of a policy{hint}")
    return document


def section(document: Document, name: str) -> tuple[dict[str, Any], Place]:
    """A section that is one table; empty where it is not there."""
    table = document.tree.get(name, {})
    place = document.place.at(name, title=f"[{name}]")
    if isinstance(table, dict):
        return table, place
    place.wrong(f"{name} is {shown(table)}; write [{name}] and its keys below")
    return {}, place


def protected(document: Document) -> Iterator[Entry]:
    """The ``[protect.NAME]`` tables."""
    tables, place = section(document, "protect")
    for name, table in tables.items():
        here = place.at(name, title=f"[protect.{name}]")
        if isinstance(table, dict):
            yield Entry(name, table, here, _remove(table, here, "remove"))
        else:
            here.wrong(f"{shown(table)} is not a table; write [protect.NAME] with a name for the service")


def rules(document: Document) -> Iterator[Entry]:
    """The ``[[rule]]`` tables."""
    tables = document.tree.get("rule", [])
    place = document.place.at("rule")
    if not isinstance(tables, list):
        place.wrong("rule is a table; write [[rule]] with two brackets")
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
