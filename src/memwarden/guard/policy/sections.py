"""The sections of a document: rules and protected services, each with all that is wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from memwarden.guard import ir
from memwarden.guard.policy.kinds import MARKS
from memwarden.guard.policy.tables import action, detectors
from memwarden.guard.policy.words import DETECTOR_OF, RULE
from memwarden.units import MIB, MILLISECOND_US
from memwarden.words import tables
from memwarden.words.quantities import shown
from memwarden.words.word import Key, Word

if TYPE_CHECKING:
    from memwarden.words.problems import Place

RELIEF_US: Final = 500 * MILLISECOND_US
"""How long throttling has to help a protected service before somebody dies for it."""
LEAST: Final = ir.Amount(bytes=16 * MIB)
"""What somebody must have taken to be slowed down or killed for it: who took less is not why it stalls."""


class Protected(NamedTuple):
    """A ``[protect.NAME]``: its marks, and the rule that its objective makes."""

    who: tuple[str, ...]
    rule: ir.Rule | None = None


PROTECT: Final = Word(
    "protect",
    Protected,
    (Key("who", "who", MARKS, "who is never killed by a rule of this policy"),),
    "a service to be kept alive, and responsive where it has an objective",
)
_STALL: Final = DETECTOR_OF[ir.Stall]
OBJECTIVE: Final = _STALL._replace(keys=tuple(key for key in _STALL.keys if key.name != "cgroup"))


def protected(
    name: str, table: dict[str, Any], place: Place, preferences: ir.Preferences
) -> Protected | None:
    """What a ``[protect.NAME]`` says."""
    before = len(place.problems)
    found = tables.fields(tables.values(PROTECT, table, place, others=["stall", "remove"]))
    who = found.get("who", ())
    if "who" in found and not who:
        place.at("who").wrong(
            'protects nobody; write whom, as who = ["postgresql*.service", "comm:postgres"]'
        )
    stall = _objective(table["stall"], who, place.under("stall")) if "stall" in table else None
    if len(place.problems) > before:
        return None
    return Protected(who, None if stall is None else _rule(f"protect {name}", stall, preferences))


def _objective(value: object, who: tuple[str, ...], place: Place) -> ir.Stall | None:
    found = tables.fields(tables.values(OBJECTIVE, value, place))
    cgroups = tuple(entry for entry in who if is_glob(entry))
    if who and not cgroups:
        place.wrong("a stall can be measured of cgroups only; add the service's unit to who")
    return ir.Stall(cgroups=cgroups, **found) if "above_us" in found else None


def is_glob(mark: str) -> bool:
    """Whether a mark is the pattern of a cgroup."""
    return not mark.startswith(("comm:", "comm~", "cgroup~", "uid:", "uid~", "adj<="))


def _rule(name: str, stall: ir.Stall, preferences: ir.Preferences) -> ir.Rule:
    ranking = ir.Ranking(least=LEAST)
    choice = ir.Choice(ranking=ranking, preferences=preferences)
    return ir.Rule(
        name,
        (ir.Group("stall", (stall,)),),
        (ir.DoThrottle(choice, within_us=RELIEF_US), ir.DoKill(choice)),
    )


def rule(table: dict[str, Any], place: Place, preferences: ir.Preferences) -> ir.Rule | None:
    """What a ``[[rule]]`` says."""
    before = len(place.problems)
    found = tables.fields(tables.values(RULE, table, place, others=["when", "do", "remove"]))
    groups = [_group(one, here) for one, here in _several(table, "when", place)]
    actions = [action(one, here, preferences) for one, here in _several(table, "do", place)]
    if len(place.problems) > before:
        return None
    return ir.Rule(
        groups=tuple(group for group in groups if group is not None),
        actions=tuple(action for action in actions if action is not None),
        **found,
    )


def _several(table: dict[str, Any], name: str, place: Place) -> list[tuple[Any, Place]]:
    several = table.get(name, [])
    if not isinstance(several, list):
        place.at(name).wrong(f"{name} is {shown(several)}; write [[rule.{name}]] with two brackets")
        return []
    return [(one, place.at(name, number)) for number, one in enumerate(several)]


def _group(table: object, place: Place) -> ir.Group | None:
    if not isinstance(table, dict):
        place.wrong(f"{shown(table)} is not a table of detectors; write [[rule.when]]")
        return None
    found = detectors(table, place)
    name = table.get("name", group_name(tuple(found)))
    if not isinstance(name, str):
        place.at("name").wrong(f"name: {shown(name)} is not text in quotes")
    if not set(table) - {"name"}:
        place.wrong('looks for nothing; write what has to be seen, as stall = { above = "200ms" }')
    return ir.Group(name, tuple(found))


def group_name(detectors: tuple[ir.Detector, ...]) -> str:
    """What a group without a name is called: by its detectors."""
    return " and ".join(dict.fromkeys(DETECTOR_OF[type(one)].name for one in detectors))
