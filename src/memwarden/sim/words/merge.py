"""Several texts to one document: what a scenario extends, the file itself, and what the command line sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from memwarden.errors import MemwardenError
from memwarden.state.cgroup import ancestry
from memwarden.words import document
from memwarden.words.document import Document
from memwarden.words.near import nearest
from memwarden.words.problems import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memwarden.sim.words.settings import Setting
    from memwarden.words.document import Text
    from memwarden.words.lines import Path
    from memwarden.words.problems import Problem

    Fetch: TypeAlias = Callable[[str, str], Text]
    """The text of a scenario that another one names: what it is called there, and in which file."""

MOST: Final = 8
"""Names that are listed where none is near."""
SECTIONS: Final = ("scenario", "machine", "group", "program", "change")
THERE: Final = '[scenario], [machine], [group."/PATH"], [program.NAME] and [[change]]'


class Newcomer(NamedTuple):
    """A cgroup or program that a text adds to what it extends, and who is there already."""

    section: str
    name: str
    there: tuple[str, ...]


def merged(
    text: Text, fetch: Fetch, settings: Sequence[Setting], problems: list[Problem]
) -> tuple[Document, tuple[str, ...], tuple[Newcomer, ...]]:
    """One document of all texts, the names of those that it extends, nearest first, and who is new over them.

    Tables go over tables key by key; of everything else, lists too, the later one holds.
    """
    chain = _chain(text, fetch, problems)
    whole = _Whole()
    newcomers: list[Newcomer] = []
    for one in reversed(chain):
        newcomers += whole.newcomers(one.tree)
        whole.over(one.tree, one.place.file, one.place.lines)
    place = Place(text.name, whole.lines, problems, files=whole.files)
    for setting in settings:
        whole.over(setting.tree, setting.said, {}, known=place)
    extends = tuple(one.place.file for one in chain[1:])
    return Document(whole.tree, place), extends, tuple(newcomers)


def _chain(text: Text, fetch: Fetch, problems: list[Problem]) -> list[Document]:
    found: list[Document] = []
    names: list[str] = []
    while True:
        one = document.parse(text, problems, SECTIONS, what="a scenario", there=THERE)
        found.append(one)
        names.append(text.name)
        table = one.tree.get("scenario")
        base = table.pop("extends", None) if isinstance(table, dict) else None
        if base is None:
            return found
        place = one.place.at("scenario", title="[scenario]").at("extends")
        if not isinstance(base, str):
            place.wrong('extends: write the name of a scenario, or a file, in quotes: extends = "base.toml"')
            return found
        try:
            text = fetch(base, text.name)
        except MemwardenError as error:
            place.wrong(f"extends: {error}")
            return found
        if text.name in names:
            ring = " -> ".join([*names[names.index(text.name) :], text.name])
            place.wrong(f"extends goes in a circle: {ring}; take one of them out")
            return found


class _Whole:
    """The tree so far, and for each key the line and file that it comes from; a line of 0 is none."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.lines: dict[Path, int] = {}
        self.files: dict[Path, str] = {}

    def over(
        self, tree: Mapping[str, Any], file: str, lines: Mapping[Path, int], *, known: Place | None = None
    ) -> None:
        """Put one over it; where ``known``, no cgroup and no program may be new."""
        if known is not None:
            self._known(tree, known._replace(file=file))
        self._over(self.tree, tree, (), file, lines)

    def newcomers(self, tree: Mapping[str, Any]) -> list[Newcomer]:
        """Who is not there yet, where anybody is."""
        found: list[Newcomer] = []
        for section in ("group", "program"):
            there = _named(self.tree, section)
            names = tuple(there)
            found += [Newcomer(section, one, names) for one in _named(tree, section) if one not in there]
        return [one for one in found if one.there]

    def _known(self, tree: Mapping[str, Any], place: Place) -> None:
        for section in ("group", "program"):
            there = self.tree.get(section, {})
            for name in tree.get(section, {}):
                above = any(path.startswith(f"{name.rstrip('/')}/") for path in there)
                if name not in there and not (section == "group" and above):
                    what = "cgroup" if section == "group" else "program"
                    known = sorted(there)[:MOST]
                    hint = nearest(name, there) or (f"; there are {', '.join(known)}" if known else "")
                    place.wrong(f"there is no {what} {name}{hint}")

    def _over(
        self, tree: dict[str, Any], other: Mapping[str, Any], at: Path, file: str, lines: Mapping[Path, int]
    ) -> None:
        for key, value in other.items():
            path = (*at, key)
            if isinstance(value, dict):
                if not isinstance(tree.get(key), dict):
                    tree[key] = {}
                self._over(tree[key], value, path, file, lines)
            else:
                tree[key] = value
                below = [deep for deep in lines if deep[: len(path)] == path]
                self.lines.update((deep, lines[deep]) for deep in below)
                self.files.update((deep, file) for deep in below)
            self.lines[path], self.files[path] = lines.get(path, 0), file


def _named(tree: Mapping[str, Any], section: str) -> dict[str, None]:
    """The cgroups, with those above them, or the programs that a document has."""
    table = tree.get(section)
    names = list(table) if isinstance(table, dict) else []
    if section == "group":
        names = [path for name in names for path in ancestry(name) if path != "/"]
    return dict.fromkeys(names)
