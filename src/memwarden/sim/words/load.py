"""TOML to a scenario: typed, every error with its file and line, and what is legal and odd as a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.errors import InputError
from memwarden.sim import scenario as sim
from memwarden.sim.words import doubts, kinds, spots
from memwarden.sim.words.merge import merged
from memwarden.sim.words.words import (
    CHANGE,
    DISK,
    GROUP,
    KNOBS,
    MACHINE,
    PART_NAMED,
    PROGRAM,
    SCENARIO,
    SWAP,
    TRAITS,
    ZSWAP,
)
from memwarden.state.cgroup import parent_path
from memwarden.words import tables
from memwarden.words.document import section
from memwarden.words.kinds import quoted
from memwarden.words.near import nearest
from memwarden.words.quantities import WrongError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memwarden.sim.words.merge import Fetch
    from memwarden.sim.words.settings import Setting
    from memwarden.words.document import Document, Text
    from memwarden.words.problems import Place, Problem
    from memwarden.words.word import Word


ROOT: Final = "/"


class Loaded(NamedTuple):
    """``scenario`` is ``None`` when one of the ``problems`` is more than a warning."""

    scenario: sim.Scenario | None
    problems: tuple[Problem, ...]
    extends: tuple[str, ...] = ()


def nothing_else(name: str, _from: str) -> Text:
    """A ``fetch`` for who has one text only."""
    raise InputError(f"{name} cannot be read from here; write the whole scenario")


def load(text: Text, *, name: str, fetch: Fetch = nothing_else, settings: Sequence[Setting] = ()) -> Loaded:
    """Read a scenario; ``name`` is what it is called where it does not say so.

    ``fetch`` gives the text of what it extends, and raises :class:`MemwardenError` where there is none.
    ``settings`` go over all of it.
    """
    problems: list[Problem] = []
    one, extends, newcomers = merged(text, fetch, settings, problems)
    if not _right(problems):  # of what is not there nothing else is right either
        return Loaded(None, tuple(problems), extends)
    found = _Loading(one).scenario(name)
    doubts.newcomers(newcomers, found, one.place)
    if _right(problems):
        doubts.say(found, one.place)
    files = list(dict.fromkeys(problem.origin.file for problem in problems))
    problems.sort(key=lambda problem: (files.index(problem.origin.file), problem.origin.line or 0))
    return Loaded(found if _right(problems) else None, tuple(problems), extends)


def _right(problems: list[Problem]) -> bool:
    return all(problem.warning for problem in problems)


class _Loading:
    def __init__(self, one: Document) -> None:
        self._document = one

    def scenario(self, name: str) -> sim.Scenario:
        table, place = section(self._document, "scenario")
        top = tables.fields(tables.values(SCENARIO, table, place))
        groups = self._groups()
        found = sim.Scenario(
            name=top.pop("name", name),
            machine=self._machine(),
            groups=groups,
            programs=self._programs(_paths(groups)),
            **top,
        )
        return found._replace(changes=self._changes(_paths(groups), found.duration_us))

    def _machine(self) -> sim.Machine:
        table, place = section(self._document, "machine")
        within = {"disk": DISK, "swap": SWAP, "zswap": ZSWAP, "traits": TRAITS}
        found = tables.fields(tables.values(MACHINE, table, place, others=within))
        for key, word in within.items():
            if key in table:
                one = _within(word, table[key], place.under(key))
                if one is not None:
                    found[key] = one
        return sim.Machine(**found)

    def _groups(self) -> tuple[sim.Group, ...]:
        table, _ = section(self._document, "group")
        found = []
        for path, knobs in table.items():
            here = spots.group(self._document.place, path)
            try:
                kinds.cgroup_path(path)
            except WrongError as wrong:
                here.wrong(str(wrong))
            flat, there = _flat(knobs, here)
            if path == ROOT and isinstance(flat, dict):
                _not_at_root(flat, there)
            found.append(sim.Group(path, **tables.fields(tables.values(GROUP, flat, there))))
        return tuple(found)

    def _programs(self, paths: frozenset[str]) -> tuple[sim.Program, ...]:
        table, _ = section(self._document, "program")
        found = []
        for name, one in table.items():
            here = spots.program(self._document.place, name)
            filled = tables.fields(tables.values(PROGRAM, one, here, others=PART_NAMED))
            parts = _parts(one, here) if isinstance(one, dict) else ()
            if isinstance(one, dict) and _says_nothing_of(PART_NAMED, one, PROGRAM):
                here.wrong(
                    f'does nothing; give it a part, as grow = {{ rate = "1MiB/s" }} ({", ".join(PART_NAMED)})'
                )
            cgroup = filled.get("cgroup")
            if cgroup is not None:
                _there(cgroup, paths, here.at("cgroup"))
                found.append(sim.Program(name, parts=parts, **filled))
        return tuple(found)

    def _changes(self, paths: frozenset[str], duration_us: int) -> tuple[sim.Change, ...]:
        several = self._document.tree.get("change", [])
        place = self._document.place.at("change")
        if not isinstance(several, list):
            place.wrong(f"change is {shown(several)}; write [[change]] with two brackets")
            return ()
        found: list[sim.Change] = []
        for number, one in enumerate(several):
            found += _change(one, place.at(number, title=f"change {number + 1}"), paths, duration_us)
        return tuple(found)


def _within(word: Word, table: object, place: Place) -> Any:
    """A record within the machine's; the swap device has a disk of its own."""
    before = len(place.problems)
    others = ["disk"] if word is SWAP else []
    found = tables.fields(tables.values(word, table, place, others=others))
    if word is SWAP and isinstance(table, dict) and "disk" in table:
        found["disk"] = _within(DISK, table["disk"], place.under("disk"))
    return None if len(place.problems) > before else word.record(**found)


def _flat(table: object, place: Place) -> tuple[object, Place]:
    """A cgroup's table with the kernel's names as keys: ``memory.high = 1`` is a table in a table in TOML."""
    if not isinstance(table, dict):
        return table, place
    flat: dict[str, Any] = {}
    lines, files = dict(place.lines), dict(place.files)
    for keys, value in _leaves(table, ()):
        name = ".".join(keys)
        flat[name] = value
        origin = place.at(*keys).origin()
        lines[(*place.path, name)], files[(*place.path, name)] = origin.line or 0, origin.file
    return flat, place._replace(lines=lines, files=files)


def _leaves(table: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key), value


def _parts(table: dict[str, Any], place: Place) -> tuple[sim.Part, ...]:
    found: list[sim.Part] = []
    for name, value in table.items():
        word = PART_NAMED.get(name)
        if word is None:
            continue
        here = place.under(name)
        several = value if isinstance(value, list) else [value]
        for number, one in enumerate(several):
            there = here.at(number) if isinstance(value, list) else here
            part = _within(word, one, there)
            if part is not None:
                found.append(part)
                doubts.part(part, there)
    return tuple(found)


def _change(table: object, place: Place, paths: frozenset[str], duration_us: int) -> list[sim.Change]:
    flat, there = _flat(table, place)
    filled = tables.fields(tables.values(CHANGE, flat, there, others=KNOBS))
    if not isinstance(flat, dict) or len(filled) < len(CHANGE.keys):
        return []
    _there(filled["cgroup"], paths, there.at("cgroup"))
    if filled["cgroup"] == ROOT:
        _not_at_root(flat, there)
    if _right(there.problems):  # else the duration may not be what was meant
        doubts.change(filled["at_us"], duration_us, there)
    found = []
    for knob, kind in KNOBS.items():
        if knob in flat:
            try:
                found.append(sim.Change(knob=knob, value=kind.read(flat[knob]), **filled))
            except WrongError as wrong:
                there.at(knob).wrong(f"{knob}: {wrong}")
    if _says_nothing_of(KNOBS, flat, CHANGE):
        there.wrong('changes nothing; write what, as memory.high = "1GiB"')
    return found


def _says_nothing_of(names: Iterable[str], table: dict[str, Any], word: Word) -> bool:
    """Whether none of these keys is there, nor one that may be meant for one of them."""
    return all(word.key_of(one) is not None for one in table) and not set(names) & set(table)


def _not_at_root(knobs: dict[str, Any], place: Place) -> None:
    """Note files that the root cgroup does not have: ``mm/memcontrol.c:memory_files``, CFTYPE_NOT_ON_ROOT."""
    for knob in knobs:
        if GROUP.key_of(knob) is not None:
            place.at(knob).wrong(
                f"{knob}: the kernel has no such file at the root; write it for a cgroup below, as of "
                '[group."/web"], or bound the machine with ram in [machine]'
            )


def _paths(groups: tuple[sim.Group, ...]) -> frozenset[str]:
    """The cgroups that there are: those that have a section, and all above them."""
    found = {"/"}
    for group in groups:
        path: str | None = group.path
        while path is not None and path not in found:
            found.add(path)
            path = parent_path(path)
    return frozenset(found)


def _there(path: str, paths: frozenset[str], place: Place) -> None:
    if path not in paths:
        hint = nearest(path, paths - {"/"}) or f"; write [group.{quoted(path)}] for it"
        place.wrong(f"cgroup: there is no cgroup {shown(path)}{hint}")
