"""One document: parsed, with the line of each key, and what no section of it may be."""

from __future__ import annotations

import re
import tomllib
from ast import literal_eval
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.words.kinds import key, quoted
from memwarden.words.lines import line_index, line_of_depth
from memwarden.words.near import nearest
from memwarden.words.problems import Origin, Place, Problem
from memwarden.words.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

AT_END: Final = " (at end of document)"
TWICE_SET: Final = "Cannot overwrite a value"
_TWICE: Final = re.compile(r"Cannot declare (\(.*\)) twice$")
DEEPEST: Final = 32
"""Levels of tables and lists; far below what Python follows, and far above what anybody needs."""
_TOO_LONG: Final = re.compile(r"[\d_]{640,}")
"""Python takes 640 digits at the least (``sys.int_info.str_digits_check_threshold``)."""
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")


class Text(NamedTuple):
    """A file: its name as a person knows it, and what is in it."""

    name: str
    text: str


class Document(NamedTuple):
    """The tables of a text, and where it starts."""

    tree: dict[str, Any]
    place: Place


def parse(text: Text, problems: list[Problem], sections: Iterable[str], *, what: str, there: str) -> Document:
    """Read a text; one that is no TOML has no tables.

    ``what`` is the document's name in a sentence (``a policy``), ``there`` how its sections are written.
    """
    try:
        tree = tomllib.loads(text.text)
        if deeper(tree, DEEPEST):
            raise RecursionError  # noqa: TRY301 - as tomllib does of brackets, and not of dots
    except RecursionError:
        at = line_of_depth(text.text, DEEPEST)
        problems.append(Problem(Origin(text.name, at), f"is nested too deeply; {what} needs five levels"))
        return Document({}, Place(text.name, {}, problems))
    except ValueError as error:  # TOMLDecodeError, and of int() that a number has too many digits
        line = _AT_LINE.search(str(error))
        at = int(line[1]) if line else None
        said = _AT_LINE.sub("", str(error))
        if twice := _TWICE.match(said):
            names = ".".join(map(key, literal_eval(twice[1])))
            said = f"[{names}] stands twice; put both together"
        if said == TWICE_SET:
            said = "the key of this line has a value already; take one of them out"
        if not isinstance(error, tomllib.TOMLDecodeError):
            said, long = "a number has too many digits", _TOO_LONG.search(text.text)
            at = text.text.count("\n", 0, long.start()) + 1 if long else None
        if said.endswith(AT_END):
            said, at = said.removesuffix(AT_END), text.text.count("\n") + 1
        problems.append(Problem(Origin(text.name, at), f"is not TOML: {said[:1].lower()}{said[1:]}"))
        return Document({}, Place(text.name, {}, problems))
    document = Document(tree, Place(text.name, line_index(text.text, tree), problems))
    for name in tree.keys() - set(sections):
        hint = nearest(name, sections) or f"; there are {there}"
        document.place.at(name).wrong(f"{quoted(name)} is no section of {what}{hint}")
    return document


def deeper(tree: dict[str, Any], levels: int) -> bool:
    """Whether there are more levels than so many."""
    level: list[Any] = [tree]
    for _ in range(levels):
        below = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for several in below for one in several if isinstance(one, dict | list)]
    return bool(level)


def section(document: Document, name: str) -> tuple[dict[str, Any], Place]:
    """A section that is one table; empty where it is not there."""
    table = document.tree.get(name, {})
    place = document.place.at(name, title=f"[{name}]")
    if isinstance(table, dict):
        return table, place
    place.wrong(f"{name} is {shown(table)}; write [{name}] and its keys below")
    return {}, place
